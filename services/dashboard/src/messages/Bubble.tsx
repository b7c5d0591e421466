import { ActionIcon, Button, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Instance, StoredMessage } from "../api/types";
import { Icon } from "../ui/Icon";
import { useFormats, useReason } from "../ui/words";
import { kindOf } from "./chats";
import classes from "./messages.module.css";
import { WAITS_S } from "./outbox";
import type { Outgoing } from "./outgoing";
import { SaveFile } from "./SaveFile";

type Props = {
  instance: Instance;
  message: StoredMessage;
  /** The message that this one answers, if it is here. */
  answered: StoredMessage | null;
  /** Why it cannot be answered. */
  denied: string | undefined;
  onReply: (message: StoredMessage) => void;
};

/** One message as it is now. Texts are text: nothing in them is markup. */
export function Bubble({ instance, message, answered, denied, onReply }: Props) {
  const { t } = useTranslation();
  const { short, time } = useFormats();
  const { fromMe, isGroup, deleted } = message;
  return (
    <li className={classes.message} data-mine={fromMe || undefined} data-message={message.id}>
      <div className={classes.bubble}>
        {isGroup && !fromMe && (
          <Text size="xs" fw={600}>
            {message.contact ?? message.contactId}
          </Text>
        )}
        {message.replyTo !== null && <Quote message={answered} />}
        {message.forwarded && <Mark>{t("messages.forwarded")}</Mark>}
        {deleted ? <Mark>{t("messages.deleted")}</Mark> : <Content message={message} />}
        {message.media && <SaveFile instance={instance} message={message} />}
        <Text size="xs" c="dimmed" className={classes.foot}>
          {message.edited && !deleted && <span>{t("messages.edited")}</span>}
          <time dateTime={message.timestamp} title={time(message.timestamp)}>
            {short(message.timestamp)}
          </time>
          {fromMe && message.status !== "received" && <State state={message.status} />}
        </Text>
        <Reactions reactions={message.reactions} />
      </div>
      {!deleted && (
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t("messages.reply")}
          disabled={!!denied}
          title={denied}
          onClick={() => onReply(message)}
        >
          <Icon name="reply" size={15} />
        </ActionIcon>
      )}
    </li>
  );
}

function Mark({ children }: { children: ReactNode }) {
  return (
    <Text size="sm" c="dimmed" fs="italic">
      {children}
    </Text>
  );
}

function Quote({ message }: { message: StoredMessage | null }) {
  const { t } = useTranslation();
  const said = message && (message.deleted ? t("messages.deleted") : message.body || t(`kind.${kindOf(message.type)}`));
  return (
    <blockquote className={classes.quote}>
      <Text size="xs" lineClamp={2}>
        {said ?? t("messages.answersEarlier")}
      </Text>
    </blockquote>
  );
}

function Content({ message: { type, media, body } }: { message: Pick<StoredMessage, "type" | "media" | "body"> }) {
  const kind = kindOf(media?.kind ?? type);
  return (
    <>
      {kind !== "text" && kind !== "forward" && (
        <Attachment kind={kind} name={media?.fileName ?? null} bytes={media?.sizeBytes ?? null} />
      )}
      {body && <div className={classes.text}>{body}</div>}
    </>
  );
}

/** What stands for a file or anything else that is no text. */
function Attachment({ kind, name, bytes }: { kind: ReturnType<typeof kindOf>; name: string | null; bytes: number | null }) {
  const { t } = useTranslation();
  const { size } = useFormats();
  const facts = [t(`kind.${kind}`), name, bytes === null ? null : size(bytes)].filter(Boolean);
  return (
    <div className={classes.attachment} data-kind={kind}>
      <Icon name="file" size={16} />
      <Text size="sm">{facts.join(" · ")}</Text>
    </div>
  );
}

function Reactions({ reactions }: { reactions: StoredMessage["reactions"] }) {
  const { t } = useTranslation();
  const all = Object.values(reactions);
  if (all.length === 0) return null;
  return (
    <ul className={classes.reactions} aria-label={t("messages.reactions")}>
      {[...new Set(all)].map((emoji) => {
        const count = all.filter((each) => each === emoji).length;
        return <li key={emoji}>{count > 1 ? `${emoji} ${count}` : emoji}</li>;
      })}
    </ul>
  );
}

function State({ state }: { state: Outgoing["state"] | "delivered" | "read" }) {
  const { t } = useTranslation();
  return (
    <span className={classes.state} data-state={state}>
      {t(`message.${state}`)}
    </span>
  );
}

type OutgoingProps = { message: Outgoing; onAgain: (message: Outgoing) => void; onForget: (message: Outgoing) => void };

/** A message that is on its way, waits, or was not sent: why, until when, and what to do. */
export function OutgoingBubble({ message, onAgain, onForget }: OutgoingProps) {
  const { t } = useTranslation();
  const { short, time } = useFormats();
  const reason = useReason();
  const { state, why, until, media } = message;
  const shown = media && { ...media, mimeType: null };
  const isOver = state === "failed" || state === "uncertain";
  const latest = time(until ?? message.since + WAITS_S * 1000);
  return (
    <li className={classes.message} data-mine data-outgoing={state}>
      <div className={classes.bubble}>
        <Content message={{ type: message.kind, media: shown, body: message.body }} />
        <Text size="xs" c="dimmed" className={classes.foot}>
          <time>{short(message.since)}</time>
          <State state={state} />
        </Text>
        {why && <Text size="xs">{reason(why)}</Text>}
        {state === "queued" && (
          <Text size="xs">{until ? t("messages.until", { time: latest }) : t("messages.atMost", { time: latest })}</Text>
        )}
        {isOver && (
          <Group gap="xs" mt={4}>
            <Button size="compact-xs" variant="default" onClick={() => onAgain(message)}>
              {t("action.retry")}
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => onForget(message)}>
              {t("messages.forget")}
            </Button>
          </Group>
        )}
      </div>
    </li>
  );
}
