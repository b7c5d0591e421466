/** Messages and chats as they are after an event: what is stored already stays as it is, however often it is told. Pure. */
import type { Chat, StoredMessage } from "../api/types";
import { isAct, type Incoming, type MessageEvent, type Sent } from "./events";
import { isOpen, type Outgoing } from "./outgoing";

export type Messages = readonly StoredMessage[];

const RANKS = ["received", "sent", "delivered", "read"] as const;
/** Under this name the account's own reaction stands. */
const ME = "me";

/** The messages of a chat, oldest first, after events. A receipt may be told before the sending that it is about. */
export function withEvents(stored: Messages, chatId: string, events: readonly MessageEvent[]): Messages {
  const receipts = events.filter(isReceipt);
  const others = events.filter((each) => !isReceipt(each));
  return [...others, ...receipts].reduce((before, event) => withEvent(before, chatId, event), stored);
}

const isReceipt = ({ name }: MessageEvent): boolean => name === "delivered" || name === "read";

function withEvent(before: Messages, chatId: string, event: MessageEvent): Messages {
  const { name, data } = event;
  switch (name) {
    case "received":
      return data.message.chat_id === chatId ? added(before, received(data.message)) : before;
    case "sent":
      return isAct(data.type) ? acted(before, data) : isIn(data, chatId) ? added(before, sent(data, event.at)) : before;
    case "delivered":
    case "read":
      return before.map((each) => (data.messenger_ids.includes(each.id) ? confirmed(each, name) : each));
    case "edited":
      return changed(before, data.messenger_id, (each) => ({ ...each, body: data.body, edited: true }));
    case "deleted":
      return changed(before, data.messenger_id, deleted);
    case "reaction":
      return reacted(before, data.messenger_id, data.from_me ? ME : (data.contact?.id ?? ME), data.emoji);
    default:
      return before;
  }
}

const isIn = (sent: Sent, chatId: string): boolean => (sent.chat_id ?? sent.to) === chatId;

function added(before: Messages, message: StoredMessage): Messages {
  return before.some((each) => each.id === message.id) ? before : [...before, message];
}

function changed(before: Messages, id: string | null, change: (each: StoredMessage) => StoredMessage): Messages {
  return before.map((each) => (each.id === id ? change(each) : each));
}

function deleted(message: StoredMessage): StoredMessage {
  return { ...message, body: "", media: null, deleted: true };
}

function reacted(before: Messages, id: string | null, who: string, emoji: string): Messages {
  return changed(before, id, (each) => {
    const { [who]: _, ...others } = each.reactions;
    return { ...each, reactions: emoji ? { ...others, [who]: emoji } : others };
  });
}

/** What the account itself did to a message. */
function acted(before: Messages, act: Sent): Messages {
  if (act.type === "edit") return changed(before, act.target, (each) => ({ ...each, body: act.body, edited: true }));
  if (act.type === "delete") return changed(before, act.target, deleted);
  return act.type === "reaction" ? reacted(before, act.target, ME, act.body) : before;
}

/** A receipt never takes a status back. */
function confirmed(message: StoredMessage, status: "delivered" | "read"): StoredMessage {
  const isNews = message.fromMe && RANKS.indexOf(status) > RANKS.indexOf(message.status);
  return isNews ? { ...message, status } : message;
}

const PLAIN = { messageId: null, edited: false, deleted: false, reactions: {} };

function received(message: Incoming): StoredMessage {
  const { contact, media } = message;
  return {
    ...PLAIN,
    id: message.id,
    chatId: message.chat_id,
    fromMe: message.from_me,
    body: message.body,
    type: message.type,
    isGroup: message.is_group,
    timestamp: message.timestamp,
    contact: message.from_me ? null : (contact.name ?? contact.username),
    contactId: message.from_me ? null : contact.id,
    status: message.from_me ? "sent" : "received",
    replyTo: message.reply_to,
    forwarded: message.forwarded,
    media: fileOf(media),
  };
}

function fileOf(media: Incoming["media"]): StoredMessage["media"] {
  return (
    media && {
      kind: media.kind,
      mimeType: media.mime_type ?? null,
      fileName: media.file_name ?? null,
      sizeBytes: media.size_bytes ?? null,
    }
  );
}

function sent(message: Sent, at: string): StoredMessage {
  const chatId = message.chat_id ?? message.to;
  return {
    ...PLAIN,
    id: message.messenger_id,
    messageId: message.id,
    chatId,
    fromMe: true,
    body: message.body,
    type: message.type === "forward" ? (message.media?.kind ?? "text") : message.type,
    isGroup: chatId.endsWith("@g.us") || chatId.startsWith("-"),
    timestamp: at,
    contact: null,
    contactId: null,
    status: "sent",
    replyTo: message.reply_to,
    forwarded: message.type === "forward",
    media: fileOf(message.media ?? null),
  };
}

/**
 * What was sent here and is not among the messages yet. One whose answer is still awaited may be there already, under
 * an id that nobody here knows: then it is the one with the same text that came since and that no other one claims.
 */
export function unseen(messages: Messages, outgoing: readonly Outgoing[]): Outgoing[] {
  const claimed = new Set(outgoing.map((each) => each.id));
  return outgoing.filter((each) => {
    if (each.id !== null) return !messages.some((message) => message.messageId === each.id);
    if (!isOpen(each)) return true;
    const same = messages.find(
      ({ messageId, body, timestamp }) =>
        messageId !== null && !claimed.has(messageId) && body === each.body && Date.parse(timestamp) >= each.since - SLACK_MS,
    );
    if (same) claimed.add(same.messageId);
    return same === undefined;
  });
}

/** By how much the clocks of this machine and the gateway's may differ. */
const SLACK_MS = 60_000;

/** The chats, the latest first, after an event. */
export function chatsWith(before: readonly Chat[], event: MessageEvent): readonly Chat[] {
  if (event.name === "received") return chatsAfter(before, received(event.data.message));
  if (event.name === "sent" && !isAct(event.data.type)) return chatsAfter(before, sent(event.data, event.at));
  if (event.name !== "sent" || event.data.type !== "read") return before;
  const chat = event.data.chat_id ?? event.data.to;
  return before.map((each) => (each.id === chat ? { ...each, unread: 0 } : each));
}

function chatsAfter(before: readonly Chat[], message: StoredMessage): readonly Chat[] {
  const known = before.find((each) => each.id === message.chatId);
  if (known && Date.parse(known.lastMessageAt) >= Date.parse(message.timestamp)) return before;
  const chat: Chat = {
    id: message.chatId,
    name: known?.name ?? (message.isGroup ? null : message.contact),
    isGroup: message.isGroup,
    lastMessage: message.body,
    lastMessageAt: message.timestamp,
    lastFromMe: message.fromMe,
    unread: message.fromMe ? 0 : (known?.unread ?? 0) + 1,
    messageCount: (known?.messageCount ?? 0) + 1,
  };
  return [chat, ...before.filter((each) => each !== known)];
}
