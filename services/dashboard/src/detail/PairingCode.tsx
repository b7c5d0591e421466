import { Button, Group, Paper, Stack, TextInput, Title } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import { asProblem } from "../api/problem";
import type { Instance } from "../api/types";
import { problemWith } from "../editor/rules";
import { useDenied } from "../ui/session";
import { useProblemText } from "../ui/words";
import { Code } from "./Code";

/** WhatsApp's login by a code that is typed on the phone: for whoever has no second screen to scan. */
export function PairingCode({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const text = useProblemText();
  const [phone, setPhone] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [given, setGiven] = useState<{ code: string; until: number } | null>(null);
  const wrong = problemWith("PairingCodeBody", "phone_number", phone.trim());

  async function ask(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const params = { path: { id: instance.id } };
      const body = { phone_number: phone.trim() };
      const made = await ok(messengerAPI.POST("/api/v1/instances/{id}/pairing-code", { params, body }));
      setGiven({ code: made.code, until: Date.now() + made.expires_in * 1000 });
    } catch (failure) {
      setError(text(asProblem(failure)));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Paper withBorder p="md" radius="md">
      <form onSubmit={(event) => void ask(event)}>
        <Stack gap="sm">
          <Title order={3} size="h6">
            {t("pairing.title")}
          </Title>
          <Group align="end" gap="sm">
            <TextInput
              type="tel"
              label={t("pairing.phone")}
              placeholder="+15550001111"
              value={phone}
              onChange={(event) => setPhone(event.currentTarget.value)}
              error={error ?? (phone && wrong ? t("pairing.wrong") : null)}
              style={{ flex: "1 1 180px" }}
            />
            <Button type="submit" variant="default" loading={busy} disabled={wrong !== null || !!denied} title={denied}>
              {t("pairing.get")}
            </Button>
          </Group>
          {given && <Code {...given} onEnd={() => setGiven(null)} />}
        </Stack>
      </form>
    </Paper>
  );
}
