import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useReason } from "../ui/words";
import classes from "./InstanceTable.module.css";
import { needsPerson, titleOf } from "./view";

const SHOWN = 3;

/** What waits for a person's hand, with the way to it. */
export function Repairs({ instances, onAll }: { instances: readonly Instance[]; onAll: () => void }) {
  const { t } = useTranslation();
  const waiting = instances.filter(needsPerson);
  if (waiting.length === 0) return null;
  return (
    <Paper withBorder p="sm" radius="md" component="section" aria-label={t("repairs.title")}>
      <Group justify="space-between" mb={6}>
        <Title order={2} size="h6">
          {t("repairs.title")} · {waiting.length}
        </Title>
        {waiting.length > SHOWN && (
          <Button variant="subtle" size="compact-sm" onClick={onAll}>
            {t("repairs.all")}
          </Button>
        )}
      </Group>
      <Stack gap={6}>
        {waiting.slice(0, SHOWN).map((instance) => (
          <Repair key={instance.id} instance={instance} />
        ))}
      </Stack>
    </Paper>
  );
}

function Repair({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const reason = useReason();
  const action = instance.reason.user_action;
  const isLogin = !["none", "wait", "restart"].includes(action);
  return (
    <div className={classes.repair}>
      <Text size="sm" lineClamp={3}>
        <b>{titleOf(instance)}</b> · {reason(instance.reason)}
      </Text>
      <Button
        size="compact-sm"
        variant="default"
        style={{ flexShrink: 0 }}
        renderRoot={(props) => (
          <Link
            to="/instances/$id"
            params={{ id: instance.id }}
            search={{ tab: isLogin ? "login" : "overview" }}
            {...props}
          />
        )}
      >
        {t(`userAction.${action}`)}
      </Button>
    </div>
  );
}
