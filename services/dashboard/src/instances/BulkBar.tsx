import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { useDenied } from "../ui/session";
import { toast } from "../ui/toast";
import { useProblemText } from "../ui/words";
import { inTurn } from "./inTurn";
import classes from "./InstanceTable.module.css";
import { titleOf } from "./view";

type Props = {
  selected: ReadonlySet<string>;
  instances: readonly Instance[];
  onSelected: (selected: ReadonlySet<string>) => void;
};
type Verb = "start" | "stop";

const AT_ONCE = 6;

/** Start or stop many; both can be undone, so nothing is asked. Those that failed stay selected, each with its why. */
export function BulkBar({ selected, instances, onSelected }: Props) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const { start, stop } = useInstanceActions();
  const [running, setRunning] = useState<{ verb: Verb; done: number; total: number } | null>(null);
  const [failed, setFailed] = useState<ReadonlyMap<string, unknown>>(NOTHING);
  const chosen = instances.filter((each) => selected.has(each.id));
  if (chosen.length === 0) return null;

  async function run(verb: Verb): Promise<void> {
    const ids = chosen.map((each) => each.id);
    const progress = (done: number): void => setRunning({ verb, done, total: ids.length });
    progress(0);
    setFailed(NOTHING);
    const found = await inTurn(ids, AT_ONCE, verb === "start" ? start : stop, progress);
    setRunning(null);
    setFailed(found);
    onSelected(new Set(found.keys()));
    const done = ids.length - found.size;
    if (done > 0) toast({ message: t(`bulk.done.${verb}`, { count: done }), tone: "good" });
  }

  const text = running
    ? t("bulk.progress", { done: running.done, total: running.total })
    : t("bulk.selected", { count: chosen.length });
  const failures = chosen.filter((each) => failed.has(each.id));
  return (
    <section className={classes.bulk} aria-label={t("bulk.title")}>
      <Group gap="sm" justify="center">
        <Text size="sm" fw={600} aria-live="polite">
          {text}
        </Text>
        {(["start", "stop"] as const).map((verb) => (
          <Button
            key={verb}
            size="xs"
            variant={verb === "start" ? "filled" : "default"}
            loading={running?.verb === verb}
            disabled={!!running || !!denied}
            title={denied}
            onClick={() => void run(verb)}
          >
            {t(`action.${verb}`)}
          </Button>
        ))}
        <Button size="xs" variant="subtle" disabled={!!running} onClick={() => onSelected(NOBODY)}>
          {t("bulk.clear")}
        </Button>
      </Group>
      {failures.length > 0 && <Failures instances={failures} failed={failed} />}
    </section>
  );
}

function Failures({ instances, failed }: { instances: readonly Instance[]; failed: ReadonlyMap<string, unknown> }) {
  const { t } = useTranslation();
  const why = useProblemText();
  return (
    <div role="alert">
      <Text size="sm" mt="xs">
        {t("bulk.failed", { count: instances.length })}
      </Text>
      <ul className={classes.failures} tabIndex={0} aria-label={t("bulk.failures")}>
        {instances.map((each) => (
          <li key={each.id}>
            <b>{titleOf(each)}</b> · {why(failed.get(each.id))}
          </li>
        ))}
      </ul>
    </div>
  );
}

const NOTHING: ReadonlyMap<string, unknown> = new Map();
const NOBODY: ReadonlySet<string> = new Set();
