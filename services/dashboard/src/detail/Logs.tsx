import { Button, Checkbox, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { LEVELS, type Instance, type LogLevel, type LogLine } from "../api/types";
import { Icon } from "../ui/Icon";
import { saveFile } from "../ui/saveFile";
import { useFormats } from "../ui/words";
import classes from "./detail.module.css";
import { useLogs } from "./useLogs";

const NEAR_PX = 30;

/** The log of an instance as it is written. Scrolling up pauses; lines are text and nothing else. */
export function Logs({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [level, setLevel] = useLocalStorage<LogLevel | "">({
    key: "mim-log-level",
    defaultValue: "",
    getInitialValueInEffect: false,
  });
  const [follow, setFollow] = useState(true);
  const [search, setSearch] = useState("");
  const { lines, state } = useLogs(instance.id, level || null);
  const needle = search.trim().toLocaleLowerCase();
  const shown = useMemo(
    () => (needle ? lines.filter((line) => haystack(line).includes(needle)) : lines),
    [lines, needle],
  );

  return (
    <Stack gap="sm">
      <Group gap="sm">
        <TextInput
          type="search"
          aria-label={t("logs.search")}
          placeholder={t("logs.search")}
          leftSection={<Icon name="search" size={16} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          style={{ flex: "1 1 180px", maxWidth: 340 }}
        />
        <NativeSelect
          aria-label={t("logs.level")}
          value={level}
          onChange={(event) => setLevel(event.currentTarget.value as LogLevel | "")}
          data={[
            { value: "", label: t("logs.anyLevel") },
            ...LEVELS.slice(1).map((each) => ({ value: each, label: t("logs.from", { level: each }) })),
          ]}
        />
        <Checkbox
          label={t("logs.follow")}
          checked={follow}
          onChange={(event) => setFollow(event.currentTarget.checked)}
        />
        <Text size="sm" c="dimmed" aria-live="polite">
          {state === "live" ? t("logs.count", { shown: shown.length, total: lines.length }) : t(`logs.${state}`)}
        </Text>
        <Button size="compact-sm" variant="default" onClick={() => save(instance.id, shown)} disabled={!shown.length}>
          {t("logs.save")}
        </Button>
      </Group>
      <Lines lines={shown} follow={follow} onFollow={setFollow} hint={needle ? t("logs.noMatch") : t("logs.none")} />
    </Stack>
  );
}

type LinesProps = { lines: LogLine[]; follow: boolean; onFollow: (follow: boolean) => void; hint: string };

function Lines({ lines, follow, onFollow, hint }: LinesProps) {
  const { t } = useTranslation();
  const { clock } = useFormats();
  const box = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 22,
    overscan: 20,
  });
  const height = rows.getTotalSize();
  useEffect(() => {
    if (follow) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [follow, lines.length, height]);

  function scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (scrollTop < lastTop.current - 2 && !atEnd) onFollow(false);
    if (atEnd) onFollow(true);
    lastTop.current = scrollTop;
  }

  return (
    <div ref={box} className={classes.logs} onScroll={scrolled} tabIndex={0} role="log" aria-label={t("tab.logs")} aria-live="off">
      {lines.length === 0 && (
        <Text c="dimmed" size="sm" p="md" ff="text">
          {hint}
        </Text>
      )}
      <div style={{ height, position: "relative" }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const line = lines[index] as LogLine;
          return (
            <div key={index} data-index={index} ref={rows.measureElement} className={classes.log} style={{ top: start }}>
              <time dateTime={line.timestamp}>{clock(line.timestamp)}</time>
              <span className={classes.level} data-level={line.level}>
                {line.level}
              </span>
              {line.message}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function haystack(line: LogLine): string {
  return `${line.level} ${line.source} ${line.message}`.toLocaleLowerCase();
}

function save(id: string, lines: readonly LogLine[]): void {
  const text = lines.map((line) => `${line.timestamp} ${line.level} ${line.source} ${line.message}`).join("\n");
  saveFile(new Blob([text], { type: "text/plain" }), `mim-${id}.log`);
}
