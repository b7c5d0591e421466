import { Alert, Button, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Instance } from "../api/types";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useFormats } from "../ui/words";

type Result = { delivered: boolean; status_code: number | null; duration_ms: number; error: string | null };

/** Sends one test message to the webhook as it is stored, and shows what came back. */
export function WebhookTest({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const denied = useDenied()("operator");
  const [result, setResult] = useState<Result | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  async function test(): Promise<void> {
    setBusy(true);
    setError(null);
    setResult(null);
    try {
      const params = { path: { id: instance.id } };
      setResult(await ok(messengerAPI.POST("/api/v1/instances/{id}/webhook/test", { params })));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Stack gap="xs" align="start">
      <Button
        size="xs"
        variant="default"
        loading={busy}
        disabled={!!denied}
        title={denied}
        onClick={() => void test()}
      >
        {t("webhook.test")}
      </Button>
      <Text size="xs" c="dimmed">
        {t("webhook.testHint", { url: instance.api_webhook_schema?.url ?? "" })}
      </Text>
      {error !== null && <ProblemAlert error={error} />}
      {result && (
        <Alert
          color={result.delivered ? "teal" : "red"}
          role="status"
          title={result.delivered ? t("webhook.delivered") : t("webhook.notDelivered")}
        >
          {[
            result.status_code !== null && `HTTP ${result.status_code}`,
            `${number(result.duration_ms)} ms`,
            result.error,
          ]
            .filter(Boolean)
            .join(" · ")}
        </Alert>
      )}
    </Stack>
  );
}
