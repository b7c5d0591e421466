import { ActionIcon, Badge, Button, Group, Skeleton, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Chat, Instance } from "../api/types";
import { problemWith } from "../editor/rules";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { ProblemAlert } from "../ui/ProblemAlert";
import { useDenied } from "../ui/session";
import { When } from "../ui/When";
import { chatNamed, kindOf, titleOfChat } from "./chats";
import type { MessageEvent } from "./events";
import classes from "./messages.module.css";
import { CHATS, foundQuery, MOST_CHATS } from "./queries";
import { useChats } from "./useStored";

const TYPING_MS = 250;

type Props = {
  instance: Instance;
  events: readonly MessageEvent[];
  chat: string | null;
  onOpen: (chat: string) => void;
};

/** The chats, the latest first, and a way to begin one. */
export function ChatList({ instance, events, chat, onOpen }: Props) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim(), TYPING_MS);
  const [limit, setLimit] = useState(CHATS);
  const { data, chats, error, refetch } = useChats(instance, search, limit, events);
  const [isNew, { toggle, close }] = useDisclosure();
  const isEmpty = chats?.length === 0 && search === "";

  function begin(to: string): void {
    close();
    onOpen(chatNamed(chats ?? [], to));
  }

  return (
    <nav className={classes.pane} aria-label={t("messages.chats")}>
      <Group gap="xs" wrap="nowrap" className={classes.bar}>
        <TextInput
          type="search"
          role="searchbox"
          aria-label={t("messages.search")}
          placeholder={t("messages.search")}
          leftSection={<Icon name="search" size={16} />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          style={{ flex: 1 }}
        />
        <ActionIcon variant="default" size={36} aria-label={t("messages.new")} aria-expanded={isNew} onClick={toggle}>
          <Icon name="plus" />
        </ActionIcon>
      </Group>
      {(isNew || isEmpty) && <NewChat onBegin={begin} />}
      {error && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {!chats && !error && <Skeleton h={220} m="xs" />}
      {isEmpty && <Empty title={t("messages.none")} hint={t("messages.noneHint")} />}
      <ul className={classes.list}>
        {chats?.map((each) => (
          <Entry key={each.id} isOpen={each.id === chat} onOpen={() => onOpen(each.id)} at={each.lastMessageAt} {...shown(each)}>
            <LastMessage chat={each} />
          </Entry>
        ))}
      </ul>
      {data && data.total > data.chats.length && limit < MOST_CHATS && (
        <Button size="xs" variant="default" m="sm" onClick={() => setLimit(Math.min(MOST_CHATS, limit + CHATS))}>
          {t("history.more")}
        </Button>
      )}
      {search !== "" && <Found instance={instance} search={search} isAlone={chats?.length === 0} onOpen={onOpen} />}
    </nav>
  );
}

const shown = (chat: Chat) => ({ title: chat.name ?? titleOfChat(chat.id), unread: chat.unread });

type EntryProps = {
  title: string;
  at: string;
  unread?: number;
  isOpen?: boolean;
  onOpen: () => void;
  children: ReactNode;
};

function Entry({ title, at, unread = 0, isOpen, onOpen, children }: EntryProps) {
  const { t } = useTranslation();
  return (
    <li>
      <button type="button" className={classes.chat} aria-current={isOpen ? "true" : undefined} onClick={onOpen}>
        <span className={classes.chatTitle}>{title}</span>
        <Text component="span" size="xs" c="dimmed">
          <When at={at} />
        </Text>
        <Text component="span" size="sm" c="dimmed" truncate>
          {children}
        </Text>
        {unread > 0 && (
          <Badge
            size="sm"
            className={classes.unread}
            circle={unread < 10}
            role="img"
            aria-label={t("messages.unread", { count: unread })}
          >
            {unread}
          </Badge>
        )}
      </button>
    </li>
  );
}

function LastMessage({ chat }: { chat: Chat }) {
  const { t } = useTranslation();
  const said = chat.lastMessage || t("messages.noText");
  return <>{chat.lastFromMe ? t("messages.you", { said }) : said}</>;
}

/** Messages that have the text which is looked for, in whatever chat. */
function Found({ instance, search, isAlone, onOpen }: Pick<Props, "instance" | "onOpen"> & { search: string; isAlone?: boolean }) {
  const { t } = useTranslation();
  const { data } = useQuery(foundQuery(instance, search));
  if (!data) return null;
  if (data.messages.length === 0) {
    return isAlone ? <Empty title={t("messages.noMatch")} hint={t("messages.noMatchHint")} /> : null;
  }
  return (
    <>
      <Title order={2} size="h6" px="sm" pt="sm">
        {t("messages.found", { count: data.total })}
      </Title>
      <ul className={classes.list}>
        {data.messages.map((each) => (
          <Entry
            key={each.id}
            title={each.contact ?? titleOfChat(each.chatId)}
            at={each.timestamp}
            onOpen={() => onOpen(each.chatId)}
          >
            {each.body || t(`kind.${kindOf(each.type)}`)}
          </Entry>
        ))}
      </ul>
    </>
  );
}

/** Somebody who is not among the chats yet. */
function NewChat({ onBegin }: { onBegin: (to: string) => void }) {
  const { t } = useTranslation();
  const denied = useDenied()("operator");
  const [to, setTo] = useState("");
  const isWrong = problemWith("SendMessageBody", "to", to.trim()) !== null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    onBegin(to.trim());
  }

  return (
    <form onSubmit={submit} className={classes.bar}>
      <TextInput
        label={t("send.to")}
        description={t("send.toHint")}
        value={to}
        onChange={(event) => setTo(event.currentTarget.value)}
        autoComplete="off"
      />
      <Button type="submit" mt="xs" size="xs" disabled={isWrong || !!denied} title={denied}>
        {t("messages.begin")}
      </Button>
    </form>
  );
}
