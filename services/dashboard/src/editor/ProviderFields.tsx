import { Checkbox, NativeSelect, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Instance, LoginKind, ProviderField } from "../api/types";
import type { Form } from "./form";

type Props = Form & { fields: readonly ProviderField[]; instance: Instance | null };

/** The fields that the provider describes. Secrets can be written, never read. */
export function ProviderFields({ fields, ...rest }: Props) {
  return fields.map((field) => <Field key={field.name} field={field} {...rest} />);
}

type FieldProps = Omit<Props, "fields"> & { field: ProviderField };

function Field({ field, ...rest }: FieldProps) {
  if (field.name === "login") return <Choice field={field} {...rest} />;
  return <Value field={field} name={field.name} {...rest} />;
}

function Choice({ field, draft, change, message }: FieldProps) {
  const { t, i18n } = useTranslation();
  const data = field.choices.map((value) => {
    const label = i18n.exists(`choice.${value}`) ? t(`choice.${value as LoginKind}`) : value;
    return { value, label };
  });
  return (
    <NativeSelect
      label={t("field.login")}
      description={t("fieldHelp.login")}
      data={data}
      value={draft.fields.login ?? field.choices[0] ?? ""}
      onChange={(event) => change({ fields: { ...draft.fields, login: event.currentTarget.value } }, "login")}
      error={message("login")}
    />
  );
}

/** A value that is typed. */
function Value({ field, name, instance, draft, change, message }: FieldProps & { name: "token" | "proxy" }) {
  const { t, i18n } = useTranslation();
  const Input = field.secret ? PasswordInput : TextInput;
  const isNew = instance === null;
  const isRemoved = draft.removed.includes(name);
  const words = i18n.exists(`field.${name}`);
  const stored = storedOf(name, instance);

  const said = stored === null ? "" : t(`editor.stored.${name}`, { hint: stored });

  function remove(yes: boolean): void {
    const removed = draft.removed.filter((name) => name !== name);
    change({ removed: yes ? [...removed, name] : removed, fields: { ...draft.fields, [name]: "" } }, name);
  }

  return (
    <Stack gap={6}>
      <Input
        label={words ? t(`field.${name}`) : field.label}
        description={[words ? t(`fieldHelp.${name}`) : field.help, said].filter(Boolean).join(". ")}
        placeholder={field.example}
        value={draft.fields[name] ?? ""}
        onChange={(event) => change({ fields: { ...draft.fields, [name]: event.currentTarget.value } }, name)}
        error={message(name)}
        required={field.required && isNew}
        disabled={isRemoved}
        autoComplete="off"
        spellCheck={false}
        {...(field.secret && { visibilityToggleButtonProps: { "aria-label": t("action.reveal") } })}
      />
      {stored !== null && !field.required && (
        <Checkbox
          size="xs"
          label={t(`editor.remove.${name}`)}
          checked={isRemoved}
          onChange={(event) => remove(event.currentTarget.checked)}
        />
      )}
    </Stack>
  );
}

/** What may be said of a stored value: the end of a token, nothing of a proxy; null if nothing is stored. */
function storedOf(name: string, instance: Instance | null): string | null {
  if (instance === null) return null;
  return name === "token" ? instance.token_hint : instance.has_proxy ? "" : null;
}
