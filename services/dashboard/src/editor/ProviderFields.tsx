import { Checkbox, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Instance, ProviderField } from "../api/types";
import type { Form } from "./form";

type Props = Form & { fields: readonly ProviderField[]; instance: Instance | null };

/** The fields that the provider describes. Secrets can be written, never read. */
export function ProviderFields({ fields, ...rest }: Props) {
  return fields.map((field) => <Field key={field.name} field={field} {...rest} />);
}

function Field({ field, instance, draft, change, message }: Omit<Props, "fields"> & { field: ProviderField }) {
  const { t, i18n } = useTranslation();
  const Input = field.secret ? PasswordInput : TextInput;
  const isNew = instance === null;
  const isRemoved = draft.removed.includes(field.name);
  const words = i18n.exists(`field.${field.name}`);
  const stored = storedOf(field, instance);

  const said = stored === null ? "" : t(`editor.stored.${field.name}`, { hint: stored });

  function remove(yes: boolean): void {
    const removed = draft.removed.filter((name) => name !== field.name);
    change({ removed: yes ? [...removed, field.name] : removed, fields: { ...draft.fields, [field.name]: "" } }, field.name);
  }

  return (
    <Stack gap={6}>
      <Input
        label={words ? t(`field.${field.name}`) : field.label}
        description={[words ? t(`fieldHelp.${field.name}`) : field.help, said].filter(Boolean).join(". ")}
        placeholder={field.example}
        value={draft.fields[field.name] ?? ""}
        onChange={(event) => change({ fields: { ...draft.fields, [field.name]: event.currentTarget.value } }, field.name)}
        error={message(field.name)}
        required={field.required && isNew}
        disabled={isRemoved}
        autoComplete="off"
        spellCheck={false}
        {...(field.secret && { visibilityToggleButtonProps: { "aria-label": t("action.reveal") } })}
      />
      {stored !== null && !field.required && (
        <Checkbox
          size="xs"
          label={t(`editor.remove.${field.name}`)}
          checked={isRemoved}
          onChange={(event) => remove(event.currentTarget.checked)}
        />
      )}
    </Stack>
  );
}

/** What may be said of a stored value: the end of a token, nothing of a proxy; null if nothing is stored. */
function storedOf(field: ProviderField, instance: Instance | null): string | null {
  if (instance === null) return null;
  return field.name === "token" ? instance.token_hint : instance.has_proxy ? "" : null;
}
