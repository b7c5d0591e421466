import { ActionIcon, Button, Checkbox, Group, Paper, PasswordInput, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import type { Header } from "./draft";
import type { Form } from "./form";
import { WebhookTest } from "./WebhookTest";

/** Where messages are reported to. Header values are secrets: stored ones can be replaced, not read. */
export function WebhookFields({ instance, ...form }: Form & { instance: Instance | null }) {
  const { t } = useTranslation();
  const { draft, change, message } = form;
  return (
    <Paper withBorder p="lg" radius="md">
      <Stack>
        <Switch
          label={t("webhook.title")}
          description={t("webhook.hint")}
          checked={draft.hasWebhook}
          onChange={(event) => change({ hasWebhook: event.currentTarget.checked }, "webhook")}
        />
        {draft.hasWebhook && (
          <>
            <TextInput
              type="url"
              label={t("webhook.url")}
              placeholder="https://example.com/hook"
              value={draft.url}
              onChange={(event) => change({ url: event.currentTarget.value }, "url")}
              error={message("url")}
              required
            />
            <Group>
              <Checkbox
                label={t("webhook.enabled")}
                checked={draft.webhookEnabled}
                onChange={(event) => change({ webhookEnabled: event.currentTarget.checked }, "enabled")}
              />
              <Checkbox
                label={t("webhook.private")}
                checked={draft.allowPrivate}
                onChange={(event) => change({ allowPrivate: event.currentTarget.checked }, "filters")}
              />
              <Checkbox
                label={t("webhook.groups")}
                checked={draft.allowGroups}
                onChange={(event) => change({ allowGroups: event.currentTarget.checked }, "filters")}
              />
            </Group>
            <Headers {...form} />
            {instance?.api_webhook_schema && <WebhookTest instance={instance} />}
          </>
        )}
      </Stack>
    </Paper>
  );
}

function Headers({ draft, change, message }: Form) {
  const { t } = useTranslation();
  const { headers } = draft;
  if (headers === null) {
    return (
      <Group>
        <Text size="sm">{t("webhook.headersKept")}</Text>
        <Button size="xs" variant="default" onClick={() => change({ headers: [{ name: "", value: "" }] }, "headers")}>
          {t("webhook.replaceHeaders")}
        </Button>
      </Group>
    );
  }
  const set = (index: number, header: Header): void => change({ headers: headers.with(index, header) }, `header${index}`);
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        {t("webhook.headers")}
      </Text>
      {headers.map((header, index) => (
        <Group key={index} gap="xs" align="start" wrap="nowrap">
          <TextInput
            aria-label={t("webhook.headerName")}
            placeholder="Authorization"
            value={header.name}
            onChange={(event) => set(index, { ...header, name: event.currentTarget.value })}
            error={message(`header${index}`)}
            style={{ flex: 1 }}
          />
          <PasswordInput
            aria-label={t("webhook.headerValue")}
            value={header.value}
            onChange={(event) => set(index, { ...header, value: event.currentTarget.value })}
            visibilityToggleButtonProps={{ "aria-label": t("action.reveal") }}
            autoComplete="off"
            style={{ flex: 2 }}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={t("webhook.removeHeader")}
            onClick={() => change({ headers: headers.toSpliced(index, 1) }, "headers")}
          >
            ×
          </ActionIcon>
        </Group>
      ))}
      <Button
        size="xs"
        variant="default"
        w="fit-content"
        onClick={() => change({ headers: [...headers, { name: "", value: "" }] }, "headers")}
      >
        {t("webhook.addHeader")}
      </Button>
    </Stack>
  );
}
