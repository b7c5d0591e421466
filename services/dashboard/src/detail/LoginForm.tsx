import { Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { messengerAPI, ok } from "../api/messengerAPI";
import { asProblem } from "../api/problem";
import type { Instance, LoginStep } from "../api/types";
import { useDenied } from "../ui/session";
import { useProblemText, useReason } from "../ui/words";
import { loginQuery } from "./queries";

type Props = { instance: Instance; step: LoginStep; title?: string; hint?: string };

/** Asks for the fields that the present step names. */
export function LoginForm({ instance, step, title, hint }: Props) {
  const { t, i18n } = useTranslation();
  const reason = useReason();
  const text = useProblemText();
  const denied = useDenied()("operator");
  const queries = useQueryClient();
  const [values, setValues] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setErrors({});
    try {
      const params = { path: { id: instance.id } };
      const answer = await ok(messengerAPI.POST("/api/v1/instances/{id}/login", { params, body: values }));
      setValues({});
      queries.setQueryData(loginQuery(instance.id).queryKey, answer.login_step);
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
            {title ?? t(`step.${step.type}`)}
          </Title>
          <Text>{hint ?? reason({ code: instance.reason.code, message: step.instructions })}</Text>
          {step.fields.map((field) => {
            const Input = field.secret ? PasswordInput : TextInput;
            // Beside the code that was sent to one number stands the field for another.
            const isOther = field.name === "phone_number" && step.type === "input_code";
            const name = isOther ? "other_phone_number" : field.name;
            const words = i18n.exists(`field.${name}`);
            return (
              <Input
                key={field.name}
                label={words ? t(`field.${name}`) : field.label}
                required={field.required}
                value={values[field.name] ?? ""}
                onChange={(event) => setValues({ ...values, [field.name]: event.currentTarget.value })}
                error={errors[field.name]}
                autoComplete="off"
                {...(field.secret && { visibilityToggleButtonProps: { "aria-label": t("action.reveal") } })}
              />
            );
          })}
          <Button type="submit" loading={busy} disabled={!!denied} title={denied}>
            {t("login.send")}
          </Button>
        </Stack>
      </form>
    </Paper>
  );
}
