import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { useMay } from "../ui/session";
import { toast } from "../ui/toast";
import { inTurn } from "./inTurn";
import classes from "./InstanceTable.module.css";

type Props = { selected: ReadonlySet<string>; instances: readonly Instance[]; onClear: () => void };

const AT_ONCE = 6;

/** Start or stop many; both can be undone, so nothing is asked. */
export function BulkBar({ selected, instances, onClear }: Props) {
  const { t } = useTranslation();
  const may = useMay();
  const { start, stop } = useInstanceActions();
  const [running, setRunning] = useState<{ verb: "start" | "stop"; done: number } | null>(null);
  const ids = instances.filter((each) => selected.has(each.id)).map((each) => each.id);
  if (ids.length === 0 || !may("operator")) return null;

  async function run(verb: "start" | "stop"): Promise<void> {
    setRunning({ verb, done: 0 });
    const act = verb === "start" ? start : stop;
    const failed = await inTurn(ids, AT_ONCE, act, (done) => setRunning({ verb, done }));
    setRunning(null);
    const told = failed === 0 ? t(`bulk.done.${verb}`, { count: ids.length }) : t("bulk.failed", { count: failed });
    toast({ message: told, tone: failed === 0 ? "good" : "bad" });
    if (failed === 0) onClear();
  }

  return (
    <section className={classes.bulk} aria-label={t("bulk.title")}>
      <Group gap="sm" justify="center">
        <Text size="sm" fw={600} aria-live="polite">
          {running
            ? t("bulk.progress", { done: running.done, total: ids.length })
            : t("bulk.selected", { count: ids.length })}
        </Text>
        <Button size="xs" loading={running?.verb === "start"} disabled={!!running} onClick={() => void run("start")}>
          {t("action.start")}
        </Button>
        <Button
          size="xs"
          variant="default"
          loading={running?.verb === "stop"}
          disabled={!!running}
          onClick={() => void run("stop")}
        >
          {t("action.stop")}
        </Button>
        <Button size="xs" variant="subtle" onClick={onClear}>
          {t("bulk.clear")}
        </Button>
      </Group>
    </section>
  );
}
