import { Alert, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Instance } from "../api/types";
import { Empty } from "../ui/Empty";
import { Icon } from "../ui/Icon";
import { useFormats, useReason } from "../ui/words";
import { usePhone } from "../ui/usePhone";
import { ChatList } from "./ChatList";
import classes from "./messages.module.css";
import { waitingQuery } from "./queries";
import { Thread } from "./Thread";
import { useMessageEvents } from "./useStored";

/** What is said in the account's chats, and a box to say more. On a phone the list and a chat take turns. */
export function Messages({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  if (instance.port_api === null && instance.expose === "port") return <Empty title={t("messages.noPort")} hint={t("messages.noPortHint")} />;
  return (
    <Stack>
      <Waiting instance={instance} />
      <Chats instance={instance} />
    </Stack>
  );
}

function Chats({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const isPhone = usePhone();
  const { chat } = useSearch({ from: "/instances/$id" });
  const navigate = useNavigate({ from: "/instances/$id" });
  const events = useMessageEvents(instance.id);
  const open = (id?: string): void =>
    void navigate({ search: { tab: "messages", ...(id !== undefined && { chat: id }) }, resetScroll: false });

  // Whoever is written to by number or name is known by the chat's own id from then on.
  const moved = events.findLast((each) => each.name === "sent" && each.data.to === chat)?.data as { chat_id?: string };
  const newId = moved?.chat_id;
  useEffect(() => {
    if (newId && newId !== chat) {
      void navigate({ search: { tab: "messages", chat: newId }, replace: true, resetScroll: false });
    }
  }, [newId, chat, navigate]);

  return (
    <div className={classes.panes}>
      {!(isPhone && chat) && <ChatList instance={instance} events={events} chat={chat ?? null} onOpen={open} />}
      {chat && <Thread key={chat} instance={instance} events={events} chat={chat} onBack={() => open()} />}
      {!chat && !isPhone && (
        <div className={classes.pane}>
          <Empty title={t("messages.choose")} hint={t("messages.chooseHint")} />
        </div>
      )}
    </div>
  );
}

/** What holds all messages up, and how many there are. */
function Waiting({ instance }: { instance: Instance }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const reason = useReason();
  const { data: queue } = useQuery(waitingQuery(instance));
  const limit = instance.restriction;
  const count = queue && queue.oldest_age_s >= SLOW_S ? queue.depth : 0;
  if (instance.is_ready_for_messages && !limit && count === 0) return null;
  const until = limit?.until ? t("restriction.until", { time: time(limit.until) }) : t("restriction.open");
  return (
    <Alert
      color="orange"
      icon={<Icon name="warning" />}
      title={limit ? t("restriction.title", { kind: limit.kind }) : !instance.is_ready_for_messages && t("send.notReady")}
    >
      {limit ? until : !instance.is_ready_for_messages && reason(instance.reason)}
      {count > 0 && <div>{t("messages.waiting", { count })}</div>}
    </Alert>
  );
}

/** Shorter waits are not worth a word. */
const SLOW_S = 2;
