import { Paper, Text } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./detail.module.css";

/** Names and values below each other. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <Paper withBorder radius="md" p="md">
      <dl className={classes.facts}>
        {rows.map(([name, value]) => (
          <div key={name}>
            <Text component="dt" size="sm" c="dimmed">
              {name}
            </Text>
            <Text component="dd" size="sm" m={0}>
              {value ?? "—"}
            </Text>
          </div>
        ))}
      </dl>
    </Paper>
  );
}
