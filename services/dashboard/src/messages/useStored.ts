/** The chats and threads as they are now: what is stored, with the events since then on top. */
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { Chat, Instance } from "../api/types";
import { useLive } from "../app/LiveContext";
import { messageEvent, type MessageEvent } from "./events";
import { chatsQuery, storedKey, threadQuery } from "./queries";
import { chatsWith, withEvents } from "./thread";

type Events = readonly MessageEvent[];

const KEPT = 500;
const RENEW_MS = 1000;
const NONE: Events = [];

/** What was told of this instance's messages since the page shows them. */
export function useMessageEvents(instanceId: string): Events {
  const { listen } = useLive();
  const queries = useQueryClient();
  const [events, setEvents] = useState(NONE);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let count = 0;
    setEvents(NONE);
    const deaf = listen((batch) => {
      const news = batch.map((each) => messageEvent(each, instanceId)).filter((each) => each !== null);
      if (news.length === 0) return;
      count += news.length;
      setEvents((before) => [...before, ...news].slice(-KEPT));
      // The list of chats is asked for again in a while; threads only if more was told than is remembered.
      timer ??= setTimeout(() => {
        timer = undefined;
        const some = count > KEPT ? [] : ["chats"];
        count = count > KEPT ? 0 : count;
        void queries.invalidateQueries({ queryKey: [...storedKey(instanceId), ...some] });
      }, RENEW_MS);
    });
    return () => {
      clearTimeout(timer);
      deaf();
    };
  }, [instanceId, listen, queries]);
  return events;
}

export function useChats(instance: Instance, search: string, limit: number, events: Events) {
  const query = useQuery(chatsQuery(instance, search, limit));
  const { data } = query;
  const chats = useMemo(() => {
    // What a search finds is the gateway's to say.
    return data && (search ? data.chats : events.reduce<readonly Chat[]>(chatsWith, data.chats));
  }, [data, search, events]);
  return { ...query, chats };
}

/** The messages of a chat, oldest first. */
export function useThread(instance: Instance, chat: string, events: Events) {
  const query = useInfiniteQuery(threadQuery(instance, chat));
  const { data } = query;
  const messages = useMemo(() => {
    if (!data) return undefined;
    const stored = new Map(data.pages.flatMap((page) => page.messages).map((each) => [each.id, each]));
    return withEvents([...stored.values()].reverse(), chat, events);
  }, [data, events, chat]);
  return { ...query, messages };
}
