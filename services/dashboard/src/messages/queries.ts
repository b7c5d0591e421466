/** What the gateway stores of an instance's messages. Events are shown on top of it: see `thread.ts`. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { askPort } from "../api/instancePort";
import { messengerAPI } from "../api/messengerAPI";
import type { Instance } from "../api/types";

const PAGE = 50;
/** So many chats are listed at first; the gateway lists no more than the other at once. */
export const CHATS = 100;
export const MOST_CHATS = 1000;
const FOUND = 30;
const WAITING_MS = 5000;

/** All that is stored of an instance's messages begins so. */
export const storedKey = (id: string) => ["messages", id];

export const chatsQuery = (instance: Instance, search: string, limit = CHATS) =>
  queryOptions({
    queryKey: [...storedKey(instance.id), "chats", search, limit],
    queryFn: ({ client, signal }) =>
      askPort(client, instance, signal, ({ params, ...how }) => {
        const query = { limit, ...(search && { search }) };
        return messengerAPI.GET("/{port}/api/v1/chats", { params: { ...params, query }, ...how });
      }),
    staleTime: 0,
    placeholderData: keepPreviousData,
  });

export const foundQuery = (instance: Instance, search: string) =>
  queryOptions({
    queryKey: [...storedKey(instance.id), "found", search],
    queryFn: ({ client, signal }) =>
      askPort(client, instance, signal, ({ params, ...how }) => {
        const query = { limit: FOUND, search };
        return messengerAPI.GET("/{port}/api/v1/stored-messages", { params: { ...params, query }, ...how });
      }),
    enabled: search !== "",
    staleTime: 0,
  });

/** The messages of a chat, a page of the newest at first. */
export const threadQuery = (instance: Instance, chat: string) =>
  infiniteQueryOptions({
    queryKey: [...storedKey(instance.id), "thread", chat],
    queryFn: ({ client, signal, pageParam }) =>
      askPort(client, instance, signal, ({ params: { path }, ...how }) => {
        const params = { path: { ...path, chat }, query: { limit: PAGE, offset: pageParam } };
        return messengerAPI.GET("/{port}/api/v1/messages/{chat}", { params, ...how });
      }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => (pages.length * PAGE < last.total ? pages.length * PAGE : undefined),
    staleTime: 0,
  });

/** How much waits to be sent: every event of the instance renews it, as its key begins with "of". */
export const waitingQuery = (instance: Instance) =>
  queryOptions({
    queryKey: ["of", instance.id, "waiting"],
    queryFn: async ({ client, signal }) =>
      (await askPort(client, instance, signal, (how) => messengerAPI.GET("/{port}/api/v1/status", how))).queue,
    refetchInterval: ({ state }) => (state.data?.depth ? WAITING_MS : false),
    staleTime: 0,
  });
