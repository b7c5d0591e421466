import { Paper, Progress, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormats } from "../ui/words";

type PortFigures = {
  used_ports: number[];
  port_range: { start: number; end: number };
  total_ports: number;
  utilization_percent: number;
};

export function Ports({ ports }: { ports: PortFigures }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { start, end } = ports.port_range;
  return (
    <Paper withBorder p="md" radius="md">
      <Title order={2} size="h6" mb="xs">
        {t("tile.ports")} · {start}–{end}
      </Title>
      <Progress value={ports.utilization_percent} aria-label={t("tile.ports")} />
      <Text size="sm" mt="xs">
        {t("tile.portsHint", { used: number(ports.used_ports.length), total: number(ports.total_ports) })}
      </Text>
      <Text size="xs" c="dimmed" mt="xs" lineClamp={4} ff="monospace">
        {ranges(ports.used_ports).join(", ")}
      </Text>
    </Paper>
  );
}

/** 1, 2, 3, 7 as 1–3, 7. */
export function ranges(ports: readonly number[]): string[] {
  const found: [number, number][] = [];
  for (const port of ports) {
    const last = found.at(-1);
    if (last && last[1] === port - 1) last[1] = port;
    else found.push([port, port]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`));
}
