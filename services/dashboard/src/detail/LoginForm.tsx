import { Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI } from "../api/messengerAPI";
import { asProblem } from "../api/problem";
import type { Instance, LoginStep } from "../api/types";
import { useMay } from "../ui/session";
import { useProblemText, useReason } from "../ui/words";

/** Asks for the fields that the present step names. */
export function LoginForm({ instance, step }: { instance: Instance; step: LoginStep }) {
  const { t } = useTranslation();
  const reason = useReason();
  const text = useProblemText();
  const may = useMay();
  const [values, setValues] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setErrors({});
    try {
      await messengerAPI.POST("/api/v1/instances/{id}/login", { params: { path: { id: instance.id } }, body: values });
      setValues({});
    } catch (failure) {
      const problem = asProblem(failure);
      const found = problem.details.map(({ field, problem: what }) => [field, what] as const);
      const first = step.fields[0]?.name ?? "";
      setErrors(found.length > 0 ? Object.fromEntries(found) : { [first]: text(problem) });
    } finally {
      setBusy(false);
    }
  }

  return (
    <Paper withBorder p="lg" radius="md" maw={520}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack>
          <Title order={2} size="h5">
            {t(`step.${step.type}`)}
          </Title>
          <Text>{reason({ code: instance.reason.code, message: step.instructions })}</Text>
          {step.fields.map((field) => {
            const Input = field.secret ? PasswordInput : TextInput;
            return (
              <Input
                key={field.name}
                label={t(`field.${field.name}`)}
                required={field.required}
                value={values[field.name] ?? ""}
                onChange={(event) => setValues({ ...values, [field.name]: event.currentTarget.value })}
                error={errors[field.name]}
                autoComplete="off"
              />
            );
          })}
          <Button type="submit" loading={busy} disabled={!may("operator")}>
            {t("login.send")}
          </Button>
        </Stack>
      </form>
    </Paper>
  );
}
