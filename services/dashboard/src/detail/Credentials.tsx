import { Button, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Instance } from "../api/types";
import { ConfirmButton } from "../ui/ConfirmButton";
import { CopyField } from "../ui/CopyField";
import { useAct } from "../ui/useAct";
import { Facts } from "./Facts";
import { useShown } from "./useShown";

type Shown = { api_key: string; api_url: string | null };

/** The API key, asked for only when somebody wants to see it: the gateway records who did. */
export function Credentials({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [shown, setShown] = useShown<Shown>();
  const { act, busy } = useAct();
  const params = { path: { id: instance.id } };

  const reveal = () =>
    act("reveal", async () => setShown(await ok(messengerAPI.GET("/api/v1/instances/{id}/credentials", { params }))));

  async function rotate(): Promise<void> {
    await act(
      "rotate",
      async () => {
        await messengerAPI.POST("/api/v1/instances/{id}/api-key/rotate", { params });
        setShown(await ok(messengerAPI.GET("/api/v1/instances/{id}/credentials", { params })));
      },
      t("credentials.rotated"),
    );
  }

  const byId = instance.expose === "gateway" ? `i/${instance.id}` : "…";
  const through = `${location.origin}/${instance.port_api ?? byId}`;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {t("credentials.hint")}
      </Text>
      {shown ? (
        <Facts
          rows={[
            [t("credentials.key"), <CopyField key="key" label={t("credentials.key")} value={shown.api_key} />],
            [
              t("credentials.url"),
              shown.api_url && <CopyField key="url" label={t("credentials.url")} value={shown.api_url} />,
            ],
            [t("credentials.through"), <CopyField key="through" label={t("credentials.through")} value={through} />],
          ]}
        />
      ) : (
        <Button variant="default" w="fit-content" loading={busy === "reveal"} onClick={() => void reveal()}>
          {t("credentials.reveal")}
        </Button>
      )}
      <Paper withBorder p="md" radius="md">
        <Stack gap="sm" align="start">
          <Text size="sm">{t("credentials.rotateHint")}</Text>
          <ConfirmButton
            label={t("credentials.rotate")}
            title={t("credentials.rotateTitle")}
            consequence={t("credentials.rotateHint")}
            onConfirm={rotate}
          />
        </Stack>
      </Paper>
    </Stack>
  );
}
