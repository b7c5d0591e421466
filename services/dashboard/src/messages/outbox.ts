/**
 * Sends messages and keeps what was sent until it is among the stored ones. It outlives the tab that a message was
 * written in: what becomes of it is heard wherever the person looks meanwhile.
 */
import { useMemo, useSyncExternalStore } from "react";
import { messengerAPI, ok } from "../api/messengerAPI";
import { asProblem } from "../api/problem";
import { newKey } from "../api/send";
import type { ServerEvent } from "../api/sse";
import { accessToken } from "../api/token";
import type { SendBody } from "../api/types";
import { useLive } from "../app/LiveContext";
import { messageEvent, type MessageEvent } from "./events";
import { isOpen, newOutgoing, outgoingAfter, refused, type Outgoing } from "./outgoing";

/** How long a message may wait for its instance. */
export const WAITS_S = 3600;
const MOST = 200;

type Listen = (listener: (events: ServerEvent[]) => void) => () => void;
type Box = {
  messages: readonly Outgoing[];
  /** What was told last: of a message whose id is not known yet, too. */
  told: readonly MessageEvent[];
};

const EMPTY: Box = { messages: [], told: [] };
let boxes: ReadonlyMap<string, Box> = new Map();
const listeners = new Set<() => void>();
const heard = new Map<string, Listen>();

function change(instanceId: string, how: (before: Box) => Box): void {
  const { messages, told } = how(boxes.get(instanceId) ?? EMPTY);
  boxes = new Map(boxes).set(instanceId, { messages: messages.slice(-MOST), told: told.slice(-MOST) });
  listeners.forEach((tell) => tell());
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => void listeners.delete(tell);
}

/** Hear what becomes of an instance's messages, as long as this link lives. */
function hear(instanceId: string, listen: Listen): void {
  if (heard.get(instanceId) === listen) return;
  heard.set(instanceId, listen);
  listen((events) => {
    const news = events.map((each) => messageEvent(each, instanceId)).filter((each) => each !== null);
    if (news.length === 0 || heard.get(instanceId) !== listen) return;
    change(instanceId, ({ messages, told }) => ({
      messages: news.reduce(outgoingAfter, messages),
      told: [...told, ...news],
    }));
  });
}

async function post(instanceId: string, message: Outgoing): Promise<void> {
  const known = (news: (each: Outgoing) => Partial<Outgoing>): void =>
    change(instanceId, ({ messages, told }) => {
      const renewed = messages.map((each) => (each.key === message.key ? { ...each, ...news(each) } : each));
      return { messages: told.reduce(outgoingAfter, renewed), told };
    });
  try {
    const params = { path: { id: instanceId }, header: { "Idempotency-Key": message.key } };
    const body = await requestOf(instanceId, message);
    const answer = await ok(messengerAPI.POST("/api/v1/instances/{id}/messages", { params, body }));
    known(() => ({ id: answer.id, state: "messageId" in answer ? "sent" : "queued" }));
  } catch (error) {
    const { code, message: text } = asProblem(error);
    known(() => refused({ code, message: text }));
  }
}

/** What is to be sent, its file uploaded. The same file always has the same id: to do it again changes nothing. */
async function requestOf(id: string, { request, file }: Outgoing): Promise<SendBody> {
  if (!file || !request.media) return request;
  const sent = messengerAPI.PUT("/api/v1/instances/{id}/media", {
    params: { path: { id } },
    headers: { "Content-Type": "application/octet-stream" },
    body: (await file.arrayBuffer()) as never, // the document calls it a text
    bodySerializer: (bytes: BodyInit) => bytes,
  });
  return { ...request, media: { ...request.media, upload: (await ok(sent)).upload } };
}

async function start(instanceId: string, message: Outgoing, before: Outgoing | null): Promise<void> {
  change(instanceId, ({ messages, told }) => ({
    messages: [...messages.filter((each) => each.key !== before?.key), message],
    told,
  }));
  await post(instanceId, message);
}

/** What was sent and is not stored yet, and how more is sent. A message waits for an instance that is not ready. */
export function useOutbox(instanceId: string) {
  const { listen } = useLive();
  const messages = useSyncExternalStore(subscribe, () => (boxes.get(instanceId) ?? EMPTY).messages);
  const acts = useMemo(
    () => ({
      send(body: SendBody, file: File | null): void {
        hear(instanceId, listen);
        const request = { ...body, queue: true, expires_in_s: WAITS_S };
        void start(instanceId, newOutgoing(request, newKey(), Date.now(), file), null);
      },
      /** Where no answer came, the same key keeps a message from being sent twice. */
      again(message: Outgoing): void {
        hear(instanceId, listen);
        const key = isOpen(message) ? message.key : newKey();
        void start(instanceId, newOutgoing(message.request, key, Date.now(), message.file), message);
      },
      forget: (message: Outgoing): void =>
        change(instanceId, ({ messages, told }) => ({ messages: messages.filter(({ key }) => key !== message.key), told })),
    }),
    [instanceId, listen],
  );
  return { messages, ...acts };
}

// Another caller sees other things.
accessToken.subscribe(() => {
  boxes = new Map();
  heard.clear();
  listeners.forEach((tell) => tell());
});
