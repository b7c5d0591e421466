import { ActionIcon, Button, Group, Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Fragment, useState, type UIEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Instance, StoredMessage } from "../api/types";
import { useLacking } from "../instances/useLacking";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { useAct } from "../ui/useAct";
import { usePhone } from "../ui/usePhone";
import { useFormats } from "../ui/words";
import { messengerAPI } from "../api/messengerAPI";
import { Bubble, OutgoingBubble } from "./Bubble";
import { titleOfChat } from "./chats";
import { Compose } from "./Compose";
import type { MessageEvent } from "./events";
import classes from "./messages.module.css";
import { useOutbox } from "./outbox";
import { chatsQuery } from "./queries";
import { unseen, type Messages } from "./thread";
import { useThread } from "./useStored";

type Props = { instance: Instance; events: readonly MessageEvent[]; chat: string; onBack: () => void };

/** Nearer to the top than this (px), earlier messages are asked for. */
const NEAR = 120;

/** One chat: what was said, what is on its way, and a box to say more. */
export function Thread({ instance, events, chat, onBack }: Props) {
  const { t } = useTranslation();
  const { messages, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useThread(instance, chat, events);
  const outbox = useOutbox(instance.id);
  const [replyTo, setReplyTo] = useState<StoredMessage | null>(null);
  const waiting = unseen(messages ?? [], outbox.messages.filter((each) => each.chatId === chat));
  const isEmpty = messages?.length === 0 && waiting.length === 0;

  function onScroll({ currentTarget: { scrollTop, clientHeight, scrollHeight } }: UIEvent): void {
    // The newest is at the bottom, where this box begins to count: further up is below zero.
    const isNearTop = scrollHeight > clientHeight && scrollHeight - clientHeight + scrollTop < NEAR;
    if (isNearTop && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }

  return (
    <section className={classes.pane} aria-labelledby="chat-title">
      <Head instance={instance} chat={chat} messages={messages ?? []} onBack={onBack} />
      <div className={classes.scroll} onScroll={onScroll} role="log" aria-label={t("messages.conversation")} tabIndex={0}>
        <div>
          {error && <ProblemAlert error={error} onRetry={() => void refetch()} />}
          {!messages && !error && <Skeleton h={240} />}
          {isEmpty && <Empty title={t("messages.noneHere")} hint={t("messages.noneHereHint")} />}
          {hasNextPage && (
            <Button size="xs" variant="default" mx="auto" display="block" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              {t("messages.earlier")}
            </Button>
          )}
          <ol className={classes.messages}>
            <Said instance={instance} messages={messages ?? []} onReply={setReplyTo} />
            {waiting.map((each) => (
              <OutgoingBubble key={each.key} message={each} onAgain={outbox.again} onForget={outbox.forget} />
            ))}
          </ol>
        </div>
      </div>
      <Compose
        instance={instance}
        chat={chat}
        replyTo={replyTo}
        onNoReply={() => setReplyTo(null)}
        onSend={(body, file) => {
          outbox.send(body, file);
          setReplyTo(null);
        }}
      />
    </section>
  );
}

type SaidProps = { instance: Instance; messages: Messages; onReply: (message: StoredMessage) => void };

/** The messages, a heading over each day. */
function Said({ instance, messages, onReply }: SaidProps) {
  const { day } = useFormats();
  const lacking = useLacking(instance);
  const denied = useDenied()("operator") ?? lacking("reply");
  const days = messages.map(({ timestamp }) => day(timestamp));
  return messages.map((message, index) => (
    <Fragment key={message.id}>
      {days[index] !== days[index - 1] && (
        <li className={classes.day}>
          <Text size="xs" c="dimmed">
            {days[index]}
          </Text>
        </li>
      )}
      <Bubble
        instance={instance}
        message={message}
        answered={message.replyTo === null ? null : (messages.find(({ id }) => id === message.replyTo) ?? null)}
        denied={denied}
        onReply={onReply}
      />
    </Fragment>
  ));
}

type HeadProps = { instance: Instance; chat: string; messages: Messages; onBack: () => void };

function Head({ instance, chat, messages, onBack }: HeadProps) {
  const { t } = useTranslation();
  const isPhone = usePhone();
  const lacking = useLacking(instance);
  const denied = useDenied()("operator") ?? lacking("read");
  const { act, busy } = useAct();
  const { data } = useQuery(chatsQuery(instance, ""));
  const known = data?.chats.find((each) => each.id === chat);
  const last = messages.findLast((each) => !each.fromMe && !each.deleted);

  async function markRead(message: StoredMessage): Promise<void> {
    const target = { id: message.id, from_me: false, sender: message.isGroup ? message.contactId : null };
    const body = { kind: "read" as const, to: chat, target };
    await messengerAPI.POST("/api/v1/instances/{id}/messages", { params: { path: { id: instance.id } }, body });
  }

  return (
    <Group gap="xs" wrap="nowrap" className={classes.bar}>
      {isPhone && (
        <ActionIcon variant="default" size={36} aria-label={t("messages.back")} onClick={onBack}>
          <Icon name="back" />
        </ActionIcon>
      )}
      <div className={classes.heading}>
        <Title order={2} size="h5" id="chat-title">
          {known?.name ?? titleOfChat(chat)}
        </Title>
        <Text size="xs" c="dimmed" truncate>
          {chat}
        </Text>
      </div>
      {!!known?.unread && last && (
        <Button
          size="xs"
          variant="default"
          loading={busy !== null}
          disabled={!!denied}
          title={denied}
          onClick={() => void act("read", () => markRead(last))}
        >
          {t("messages.markRead")}
        </Button>
      )}
    </Group>
  );
}
