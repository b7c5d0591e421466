/** What was sent from this page, until it is among the stored messages. Pure. */
import type { MediaKind, SendBody } from "../api/types";
import type { MessageEvent } from "./events";

export type Told = { code: string; message: string };
export type OutgoingState = "sending" | "queued" | "sent" | "failed" | "uncertain";
export type Outgoing = {
  /** Also the key with which it is sent again without being sent twice. */
  key: string;
  /** The gateway's id of it, once it is known. */
  id: string | null;
  chatId: string;
  body: string;
  kind: string;
  media: { kind: MediaKind; fileName: string | null; sizeBytes: number | null } | null;
  replyTo: string | null;
  /** Ms of this machine's clock. */
  since: number;
  state: OutgoingState;
  /** Why it waits, or was not sent. */
  why: Told | null;
  until: string | null;
  request: SendBody;
  /** What is uploaded before, and sent as the media of the request. */
  file: File | null;
};

/** The messages after an event; one that was sent is among the stored ones from then on. */
export function outgoingAfter(before: readonly Outgoing[], event: MessageEvent): readonly Outgoing[] {
  const { name, data } = event;
  if (name !== "queued" && name !== "sent" && name !== "failed") return before;
  if (name === "sent") return before.filter((each) => each.id !== data.id);
  const why = { code: data.code, message: data.message };
  const news = name === "queued" ? { state: "queued" as const, why, until: data.until } : refused(why);
  return before.map((each) => (each.id === data.id ? { ...each, ...news } : each));
}

/** Whether nobody here knows what became of it: it may be sent, under an id that was never told. */
export function isOpen({ id, state, why }: Outgoing): boolean {
  return id === null && (state === "sending" || why?.code === "NO_ANSWER" || why?.code === "UNREACHABLE");
}

export function refused(why: Told): Pick<Outgoing, "state" | "why" | "until"> {
  return { state: why.code === "UNCERTAIN" ? "uncertain" : "failed", why, until: null };
}

/** A message that is about to be sent. */
export function newOutgoing(body: SendBody, key: string, now: number, file: File | null = null): Outgoing {
  const { text = "", media, reply_to } = body;
  const fileName = file?.name ?? fileNameOf(media?.source ?? "");
  return {
    key,
    id: null,
    chatId: body.to,
    body: text,
    kind: body.kind ?? "text",
    media: media ? { kind: media.kind, fileName, sizeBytes: file?.size ?? null } : null,
    replyTo: reply_to?.id ?? null,
    since: now,
    state: "sending",
    why: null,
    until: null,
    request: body,
    file,
  };
}

/** The last part of a URL's path. */
export function fileNameOf(url: string): string | null {
  const path = URL.canParse(url) ? new URL(url).pathname : "";
  return path.split("/").at(-1) || null;
}
