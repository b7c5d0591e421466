import { Button, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useReason } from "../ui/words";
import classes from "./InstanceTable.module.css";
import { needsPerson, titleOf } from "./view";

const SHOWN = 4;

type Props = { instances: readonly Instance[]; isLoading: boolean; onAll: () => void };

/** What waits for a person's hand, with the way to it. It keeps its height, so that the list below never jumps. */
export function Repairs({ instances, isLoading, onAll }: Props) {
  const { t } = useTranslation();
  const waiting = instances.filter(needsPerson);
  return (
    <section aria-label={t("repairs.title")} className={classes.repairs}>
      {waiting.length === 0 ? (
        <Text size="sm" c="dimmed">
          {isLoading ? "" : t("repairs.none")}
        </Text>
      ) : (
        <>
          <Title order={2} size="h6" className={classes.still}>
            {t("repairs.title")} · {waiting.length}
          </Title>
          {waiting.slice(0, SHOWN).map((instance) => (
            <Repair key={instance.id} instance={instance} />
          ))}
          <Button variant="subtle" size="compact-sm" className={classes.still} onClick={onAll}>
            {t("repairs.all")}
          </Button>
        </>
      )}
    </section>
  );
}

function Repair({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const reason = useReason();
  const action = instance.reason.user_action;
  const isLogin = !["none", "wait", "restart"].includes(action);
  return (
    <Button
      size="compact-sm"
      variant="default"
      className={classes.still}
      title={reason(instance.reason)}
      renderRoot={(props) => (
        <Link
          to="/instances/$id"
          params={{ id: instance.id }}
          search={{ tab: isLogin ? "login" : "overview" }}
          {...props}
        />
      )}
    >
      <span className={classes.repairName}>{titleOf(instance)}</span>: {t(`userAction.${action}`)}
    </Button>
  );
}
