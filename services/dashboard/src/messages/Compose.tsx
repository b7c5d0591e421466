import { Button, CloseButton, FileInput, Group, NativeSelect, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Instance, MediaKind, SendBody, StoredMessage } from "../api/types";
import { problemWith, problemWithUrl } from "../editor/rules";
import { useLacking } from "../instances/useLacking";
import { Icon } from "../ui/Icon";
import { useDenied } from "../ui/session";
import { usePhone } from "../ui/usePhone";
import { kindOf, kindOfType, kindOfUrl, MEDIA_KINDS } from "./chats";
import classes from "./messages.module.css";

type Props = {
  instance: Instance;
  chat: string;
  replyTo: StoredMessage | null;
  onNoReply: () => void;
  onSend: (body: SendBody, file: File | null) => void;
};

/** A text, or a file of this device or from a URL, with a text beside it. */
export function Compose({ instance, chat, replyTo, onNoReply, onSend }: Props) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const [text, setText] = useState("");
  const [url, setUrl] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [chosen, setChosen] = useState<MediaKind | null>(null);
  const [hasFile, { toggle, close }] = useDisclosure();
  const isPhone = usePhone();
  const size = isPhone ? "xs" : "sm";
  const box = useRef<HTMLTextAreaElement>(null);
  const kind = chosen ?? (file ? kindOfType(file.type) : kindOfUrl(url.trim()));
  const lacking = useLacking(instance);
  const isWrong = hasFile
    ? (!file && problemWithUrl(url.trim()) !== null) || lacking(kind) !== undefined
    : problemWith("SendMessageBody", "message", text.trim()) !== null;
  const isOff = isWrong || !!denied;

  function send(event?: FormEvent): void {
    event?.preventDefault();
    if (isOff) return;
    const source = file ? { file_name: file.name.slice(-MOST_NAME) } : { source: url.trim() };
    const body = {
      to: chat,
      text: text.trim(),
      ...(hasFile && { kind, media: { kind, ...source } }),
      ...(replyTo && { reply_to: referenceOf(replyTo) }),
    };
    onSend(body, hasFile ? file : null);
    setText("");
    setFile(null);
    setUrl("");
    setChosen(null);
    close();
    box.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  }

  return (
    <form onSubmit={send} className={classes.bar}>
      <Stack gap="xs">
        {replyTo && <Answered message={replyTo} onNoReply={onNoReply} />}
        {hasFile && (
          <FileFields {...{ instance, file, url, kind }} onFile={setFile} onUrl={setUrl} onKind={setChosen} />
        )}
        <Textarea
          ref={box}
          autoFocus={!isPhone} // there a keyboard would cover what is read
          aria-label={hasFile ? t("messages.caption") : t("send.text")}
          placeholder={hasFile ? t("messages.caption") : t("send.text")}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          autosize
          minRows={2}
          maxRows={8}
          disabled={!!denied}
        />
        <Group justify="flex-end" gap="xs">
          <Text size="xs" c="dimmed" visibleFrom={denied ? undefined : "sm"} style={{ flex: "1 1 180px" }}>
            {denied ?? t("messages.keys")}
          </Text>
          <Group gap="xs" wrap="nowrap">
            <Button variant="default" size={size} aria-expanded={hasFile} onClick={toggle} disabled={!!denied} title={denied}>
              {t("messages.file")}
            </Button>
            <Button type="submit" size={size} disabled={isOff} title={denied} leftSection={<Icon name="send" size={16} />}>
              {t("send.submit")}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

/** The longest name of a file that the gateway takes. */
const MOST_NAME = 128;

/** A message as the messengers want to be told of it. */
function referenceOf({ id, fromMe, isGroup, contactId }: StoredMessage) {
  return { id, chat_id: null, from_me: fromMe, sender: isGroup && !fromMe ? contactId : null };
}

function Answered({ message, onNoReply }: { message: StoredMessage; onNoReply: () => void }) {
  const { t } = useTranslation();
  return (
    <Group justify="space-between" wrap="nowrap" gap="xs">
      <blockquote className={classes.quote}>
        <Text size="xs" lineClamp={2}>
          {message.body || t(`kind.${kindOf(message.type)}`)}
        </Text>
      </blockquote>
      <CloseButton size="sm" aria-label={t("messages.noReply")} onClick={onNoReply} />
    </Group>
  );
}

type FileProps = {
  instance: Instance;
  file: File | null;
  onFile: (file: File | null) => void;
  url: string;
  kind: MediaKind;
  onUrl: (url: string) => void;
  onKind: (kind: MediaKind) => void;
};

function FileFields({ instance, file, url, kind, onFile, onUrl, onKind }: FileProps) {
  const { t } = useTranslation();
  const lacking = useLacking(instance);
  const reasons = MEDIA_KINDS.map((each) => lacking(each)).filter((each) => each !== undefined);
  return (
    <Stack gap={4}>
      <Group gap="xs" align="end">
        <FileInput
          label={t("messages.fileHere")}
          placeholder={t("messages.fileChoose")}
          value={file}
          onChange={onFile}
          clearable
          clearButtonProps={{ "aria-label": t("messages.fileNone") }}
          style={{ flex: "1 1 170px", minWidth: 0 }}
        />
        <TextInput
          type="url"
          label={t("messages.fileUrl")}
          placeholder="https://example.com/price-list.pdf"
          value={url}
          onChange={(event) => onUrl(event.currentTarget.value)}
          error={url && problemWithUrl(url.trim()) ? t("wrong.form") : null}
          disabled={file !== null}
          style={{ flex: "1 1 190px" }}
        />
        <NativeSelect
          label={t("messages.fileKind")}
          data={MEDIA_KINDS.map((value) => ({ value, label: t(`kind.${value}`), disabled: lacking(value) !== undefined }))}
          value={kind}
          onChange={(event) => onKind(event.currentTarget.value as MediaKind)}
          style={{ flex: "0 1 150px" }}
        />
      </Group>
      {reasons.map((reason) => (
        <Text key={reason} size="xs">
          {reason}
        </Text>
      ))}
    </Stack>
  );
}
