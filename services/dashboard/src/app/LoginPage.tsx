import { Button, Center, Checkbox, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { problemOf } from "../api/problem";
import { accessToken } from "../api/token";
import { useProblemText } from "../ui/words";
import { LanguageMenu } from "./LanguageMenu";

/** Asks for an access token, and keeps it only if the gateway takes it. */
export function LoginPage() {
  const { t } = useTranslation();
  const text = useProblemText();
  const [token, setToken] = useState("");
  const [remember, setRemember] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      await check(token.trim());
      accessToken.set(token.trim(), remember);
    } catch (failure) {
      setError(text(failure));
      setBusy(false);
    }
  }

  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="xl" w="100%" maw={420} radius="lg">
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            <Group justify="space-between">
              <Title order={1} size="h3">
                {t("login.title")}
              </Title>
              <LanguageMenu />
            </Group>
            <Text c="dimmed">{t("login.hint")}</Text>
            <PasswordInput
              label={t("login.token")}
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
              error={error}
              autoComplete="current-password"
              visibilityToggleButtonProps={{ "aria-label": t("action.reveal") }}
              required
              data-autofocus
            />
            <Checkbox
              label={t("login.remember")}
              checked={remember}
              onChange={(event) => setRemember(event.currentTarget.checked)}
            />
            <Button type="submit" loading={busy} disabled={token.trim() === ""}>
              {t("login.submit")}
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}

async function check(token: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await globalThis.fetch("/api/v1/session", { headers, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw await problemOf(response);
}
