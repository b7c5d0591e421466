import { Group, Paper, Skeleton, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { accessToken } from "../api/token";
import { Sparkline } from "./Sparkline";

type Props = {
  label: string;
  /** Null while it is not known yet; the tile keeps its size. */
  value: string | null;
  hint?: string;
  /** Newest last; or a number that is remembered each time it is measured anew. */
  trend?: number[] | { value: number; at: number };
};

export function Tile({ label, value, hint, trend }: Props) {
  const remembered = useTrend(label, trend && !Array.isArray(trend) ? trend : undefined);
  const values = Array.isArray(trend) ? trend : remembered;
  return (
    <Paper withBorder p="sm" radius="md" role="group" aria-label={label}>
      <Text size="xs" c="dimmed" truncate>
        {label}
      </Text>
      <Group justify="space-between" wrap="nowrap" align="end" gap="xs" h={34}>
        {value === null ? (
          <Skeleton h={22} w={60} />
        ) : (
          <Text size="xl" fw={700} lh={1.3} style={{ whiteSpace: "nowrap", fontVariantNumeric: "tabular-nums" }}>
            {value}
          </Text>
        )}
        {values.length > 1 && <Sparkline values={values} />}
      </Group>
      <Text size="xs" c="dimmed" truncate title={hint} h={18}>
        {hint}
      </Text>
    </Paper>
  );
}

const KEPT = 60;
/** By label: what was measured stays while other pages are looked at. */
const measured = new Map<string, { values: number[]; at: number }>();

function useTrend(label: string, sample: { value: number; at: number } | undefined): number[] {
  const [values, setValues] = useState(measured.get(label)?.values ?? NONE);
  const value = sample?.value;
  const at = sample?.at;
  useEffect(() => {
    const before = measured.get(label) ?? { values: NONE, at: 0 };
    if (value === undefined || at === undefined || before.at === at) return;
    const now = { values: [...before.values, value].slice(-KEPT), at };
    measured.set(label, now);
    setValues(now.values);
  }, [label, value, at]);
  return values;
}

const NONE: number[] = [];
// Another caller sees other things.
accessToken.subscribe(() => measured.clear());
