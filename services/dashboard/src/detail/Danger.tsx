import { Alert, Group, Stack, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { useInstanceActions } from "../api/useInstanceActions";
import { titleOf } from "../instances/view";
import { ConfirmButton } from "../ui/ConfirmButton";
import { useAct } from "../ui/useAct";

/** What cannot be undone, each with what it means. */
export function Danger({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const actions = useInstanceActions();
  const { act } = useAct();
  const name = titleOf(instance);

  async function destroy(): Promise<void> {
    const done = await act("delete", () => actions.delete(instance.id), t("danger.deleted", { name }));
    if (done) await navigate({ to: "/" });
  }

  return (
    <Stack>
      <Alert color="red" variant="outline" title={t("action.logout")}>
        <Group justify="space-between">
          <Text size="sm" maw={560}>
            {t("danger.logoutHint")}
          </Text>
          <ConfirmButton
            label={t("action.logout")}
            title={t("danger.logoutTitle", { name })}
            consequence={t("danger.logoutHint")}
            disabled={instance.status === "logged_out"}
            onConfirm={() => act("logout", () => actions.logout(instance.id))}
          />
        </Group>
      </Alert>
      <Alert color="red" variant="outline" title={t("action.delete")}>
        <Group justify="space-between">
          <Text size="sm" maw={560}>
            {t("danger.deleteHint")}
          </Text>
          <ConfirmButton
            label={t("action.delete")}
            title={t("danger.deleteTitle", { name })}
            consequence={t("danger.deleteHint")}
            typed={name}
            onConfirm={destroy}
          />
        </Group>
      </Alert>
    </Stack>
  );
}
