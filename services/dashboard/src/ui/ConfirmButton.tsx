import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

type Props = {
  label: string;
  title: string;
  consequence: string;
  /** What has to be typed, for what can never be brought back. */
  typed?: string;
  disabled?: boolean;
  onConfirm: () => Promise<unknown>;
};

/** Only for what cannot be undone. */
export function ConfirmButton({ label, title, consequence, typed, disabled, onConfirm }: Props) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);

  async function confirm(): Promise<void> {
    setBusy(true);
    try {
      await onConfirm();
    } finally {
      setBusy(false);
      close();
      setText("");
    }
  }

  return (
    <>
      <Button color="red" variant="outline" c="light-dark(#c92a2a, #ff8787)" onClick={open} disabled={disabled}>
        {label}
      </Button>
      <Modal opened={opened} onClose={close} title={title} closeButtonProps={{ "aria-label": t("action.close") }}>
        <Stack>
          <Text>{consequence}</Text>
          {typed && (
            <TextInput
              label={t("confirm.type", { text: typed })}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              data-autofocus
            />
          )}
          <Group justify="end">
            <Button variant="default" onClick={close}>
              {t("action.cancel")}
            </Button>
            <Button color="red" loading={busy} disabled={typed !== undefined && text !== typed} onClick={confirm}>
              {label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
