import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Instance } from "../api/types";
import { useShown } from "../detail/useShown";
import { ConfirmButton } from "../ui/ConfirmButton";
import { CopyField } from "../ui/CopyField";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";

/** What signs the webhook, asked for only when somebody wants to see it: the gateway records who did. */
export function Secret({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const denied = useDenied()("admin");
  const [secret, setSecret] = useShown<string>();
  const { act, busy } = useAct();
  const params = { path: { id: instance.id } };

  const reveal = () =>
    act("reveal", async () =>
      setSecret((await ok(messengerAPI.GET("/api/v1/instances/{id}/webhook/secret", { params }))).secret),
    );
  const rotate = () =>
    act(
      "rotate",
      async () =>
        setSecret((await ok(messengerAPI.POST("/api/v1/instances/{id}/webhook/secret/rotate", { params }))).secret),
      t("secret.rotated"),
    );

  return (
    <Paper withBorder p="md" radius="md">
      <Stack gap="sm" align="start">
        <Title order={2} size="h5">
          {t("secret.title")}
        </Title>
        <Text size="sm" c="dimmed">
          {denied ?? t("secret.hint")}
        </Text>
        {secret !== null && <CopyField label={t("secret.title")} value={secret} />}
        <Group>
          {secret === null && (
            <Button
              variant="default"
              loading={busy === "reveal"}
              disabled={!!denied}
              title={denied}
              onClick={() => void reveal()}
            >
              {t("secret.reveal")}
            </Button>
          )}
          <ConfirmButton
            label={t("secret.rotate")}
            title={t("secret.rotateTitle")}
            consequence={t("secret.rotateHint")}
            disabled={!!denied}
            onConfirm={rotate}
          />
        </Group>
      </Stack>
    </Paper>
  );
}
