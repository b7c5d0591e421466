import { Alert, Button, Group, Paper, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useEffect, useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { useLive } from "../app/LiveContext";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { Instance } from "../api/types";
import { problemWith } from "../editor/rules";
import { CopyField } from "../ui/CopyField";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useReason } from "../ui/words";
import { progressOf, type Progress } from "./progress";

/** Send a text and see what becomes of it: sent with the messenger's id, delivered, read, or failed and why. */
export function SendBox({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const [to, setTo] = useState("");
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [sent, setSent] = useState<Progress | null>(null);
  const progress = useProgress(sent);
  const isWrong = problemWith("SendMessageBody", "to", to.trim()) ?? problemWith("SendMessageBody", "message", message);

  async function send(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setError(null);
    setSent(null);
    try {
      const params = { path: { provider: instance.provider, id: instance.id } };
      const url = "/api/v1/multi-provider/instances/{provider}/{id}/send-message";
      const answer = await ok(messengerAPI.POST(url, { params, body: { to: to.trim(), message } }));
      const messageId = "messageId" in answer ? answer.messageId : null;
      setSent({ id: answer.id, state: messageId ? "sent" : "queued", messageId, failure: null });
      setMessage("");
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Paper withBorder p="lg" radius="md" maw={640}>
      <form onSubmit={(event) => void send(event)}>
        <Stack>
          {!instance.is_ready_for_messages && <Alert color="orange">{t("send.notReady")}</Alert>}
          <TextInput
            label={t("send.to")}
            description={t("send.toHint")}
            value={to}
            onChange={(event) => setTo(event.currentTarget.value)}
            required
          />
          <Textarea
            label={t("send.text")}
            value={message}
            onChange={(event) => setMessage(event.currentTarget.value)}
            autosize
            minRows={3}
            maxRows={10}
            required
          />
          <Button type="submit" loading={busy} disabled={isWrong !== null} w="fit-content">
            {t("send.submit")}
          </Button>
          {error !== null && <ProblemAlert error={error} />}
          {progress && <Outcome progress={progress} />}
        </Stack>
      </form>
    </Paper>
  );
}

function Outcome({ progress }: { progress: Progress }) {
  const { t } = useTranslation();
  const reason = useReason();
  const failed = progress.state === "failed";
  return (
    <Alert color={failed ? "red" : "teal"} title={t(`message.${progress.state}`)} role="status">
      {progress.failure && <Text size="sm">{reason(progress.failure)}</Text>}
      {progress.messageId && (
        <Group gap="xs">
          <Text size="sm">{t("send.messageId")}</Text>
          <CopyField label={t("send.messageId")} value={progress.messageId} />
        </Group>
      )}
      {progress.state === "queued" && <Text size="sm">{t("send.queuedHint")}</Text>}
    </Alert>
  );
}

function useProgress(sent: Progress | null): Progress | null {
  const { listen } = useLive();
  const [progress, setProgress] = useState(sent);
  useEffect(() => {
    setProgress(sent);
    if (!sent) return;
    return listen((events) => setProgress((before) => events.reduce(progressOf, before)));
  }, [sent, listen]);
  return progress;
}
