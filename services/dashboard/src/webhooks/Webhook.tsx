import { Button, Group, Paper, Stack, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { Facts } from "../detail/Facts";
import { WebhookTest } from "../editor/WebhookTest";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { useDenied } from "../ui/session";
import { Deliveries } from "./Deliveries";
import { Secret } from "./Secret";

/** Where messages are posted to, and what became of each. */
export function Webhook({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const webhook = instance.api_webhook_schema;
  if (!webhook) {
    return (
      <Empty title={t("webhook.none")} hint={t("webhook.noneHint")}>
        <ToEditor instance={instance} label={t("webhook.setUp")} />
      </Empty>
    );
  }
  const { allowGroups, allowPrivate, events } = webhook.filters;
  const chats = [allowPrivate && t("webhook.private"), allowGroups && t("webhook.groups")].filter(Boolean).join(", ");
  return (
    <Stack>
      <Facts
        rows={[
          [t("webhook.url"), webhook.url],
          [t("webhook.state"), webhook.enabled ? t("webhook.enabled") : t("webhook.disabled")],
          [t("webhook.what"), chats || t("webhook.nothing")],
          [t("webhook.events"), events.length > 0 ? events.join(", ") : t("webhook.incoming")],
        ]}
      />
      <Group align="start">
        <ToEditor instance={instance} label={t("webhook.change")} />
        <WebhookTest instance={instance} />
      </Group>
      <Secret instance={instance} />
      <Paper withBorder p="md" radius="md">
        <Stack gap="sm">
          <Title order={2} size="h5">
            {t("deliveries.title")}
          </Title>
          <Deliveries instance={instance} />
        </Stack>
      </Paper>
    </Stack>
  );
}

function ToEditor({ instance, label }: { instance: Instance; label: string }) {
  const denied = useDenied()("admin");
  const link = (props: object) => <Link to="/instances/$id/edit" params={{ id: instance.id }} {...props} />;
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={<Icon name="edit" size={16} />}
      {...(denied ? { disabled: true, title: denied } : { renderRoot: link })}
    >
      {label}
    </Button>
  );
}
