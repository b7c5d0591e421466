import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import classes from "./detail.module.css";

export type Series = { label: string; values: number[]; colour: string; bars?: boolean };

const HEIGHT = 190;

/** A chart over time; `times` in seconds. */
export function Chart({ times, series }: { times: number[]; series: Series[] }) {
  const { t, i18n } = useTranslation();
  const language = i18n.resolvedLanguage ?? "en";
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const { ref, width } = useElementSize<HTMLDivElement>();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = series.map(({ label, colour, bars }) => `${label}${colour}${bars}`).join();

  useEffect(() => {
    if (!box.current || width === 0) return;
    const line = scheme === "dark" ? "#3b3e44" : "#e3e6ea";
    const ink = scheme === "dark" ? "#a9adb3" : "#545b62";
    const time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const clocks = (_: uPlot, values: number[]): string[] => values.map((each) => time.format(each * 1000));
    const made = new uPlot(
      {
        width,
        height: HEIGHT,
        cursor: { y: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(4, Math.ceil(most))] } },
        axes: [
          { ...axis, values: clocks, space: 72 },
          { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
        ],
        series: [
          { label: t("history.when"), value: (_, at: number | null) => (at === null ? "—" : time.format(at * 1000)) },
          ...series.map(({ label, colour, bars }) => ({
            label,
            stroke: colour,
            fill: bars ? colour : `${colour}22`,
            width: 1.5,
            points: { show: false },
            ...(bars && { paths: uPlot.paths.bars?.({ size: [0.7, 60] }) }),
          })),
        ],
      },
      [times, ...series.map((each) => each.values)],
      box.current,
    );
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // Values alone do not need a new chart.
  }, [width, scheme, language, shape, t]);

  useEffect(() => plot.current?.setData([times, ...series.map((each) => each.values)]), [times, series]);

  return (
    <div ref={ref} className={classes.chart} style={{ minHeight: HEIGHT + 32 }}>
      <div ref={box} />
    </div>
  );
}
