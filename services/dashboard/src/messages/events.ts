/** What the gateway tells of messages, as far as this page uses it. Pure. */
import type { ServerEvent } from "../api/sse";
import type { MediaKind } from "../api/types";

type Contact = { id: string; name: string | null; username: string | null };
type IncomingMedia = {
  kind: MediaKind;
  mime_type?: string | null;
  file_name?: string | null;
  size_bytes?: number | null;
};
export type Incoming = {
  id: string;
  chat_id: string;
  from_me: boolean;
  body: string;
  type: string;
  is_group: boolean;
  timestamp: string;
  contact: Contact;
  media: IncomingMedia | null;
  reply_to: string | null;
  forwarded: boolean;
};
type Change = { messenger_id: string; chat_id: string; from_me: boolean; contact: Contact | null };
type Receipt = { messenger_ids: string[]; ids: (string | null)[]; chat_id: string };
export type Sent = {
  id: string;
  to: string;
  messenger_id: string;
  chat_id: string | null;
  type: string;
  body: string;
  target: string | null;
  reply_to: string | null;
  media?: IncomingMedia | null;
};

type Data = {
  queued: { id: string; to: string; code: string; message: string; until: string | null };
  sent: Sent;
  failed: { id: string; to: string; code: string; message: string };
  received: { message: Incoming };
  delivered: Receipt;
  read: Receipt;
  edited: Change & { body: string };
  deleted: Change;
  reaction: Change & { emoji: string };
  group: { chat_id: string; title: string | null };
};
type Name = keyof Data;
export type MessageEvent = { [Each in Name]: { name: Each; at: string; data: Data[Each] } }[Name];

const NAMES: ReadonlySet<string> = new Set<Name>([
  ...(["queued", "sent", "failed", "received", "delivered", "read"] as const),
  ...(["edited", "deleted", "reaction", "group"] as const),
]);
/** What changes another message rather than being one. */
const ACTS: ReadonlySet<string> = new Set(["edit", "delete", "reaction", "read", "typing"]);

export const isAct = (kind: string): boolean => ACTS.has(kind);

/** The event about a message of this instance; null for every other. */
export function messageEvent(event: ServerEvent, instanceId: string): MessageEvent | null {
  const [family, name = ""] = event.name.split(".");
  if (family !== "message" || !NAMES.has(name)) return null;
  const { subject, time, data } = JSON.parse(event.data) as { subject: string; time: string; data: never };
  return subject === instanceId ? ({ name, at: time, data } as MessageEvent) : null;
}
