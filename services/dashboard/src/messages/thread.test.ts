import { expect, test } from "vitest";
import type { Chat } from "../api/types";
import { chatNamed, kindOfUrl, titleOfChat } from "./chats";
import { messageEvent, type Incoming, type MessageEvent } from "./events";
import { newOutgoing, outgoingAfter, type Outgoing } from "./outgoing";
import { chatsWith, unseen, withEvents, type Messages } from "./thread";

const CHAT = "15550002@s.whatsapp.net";
const AT = "2026-01-02T03:04:05.000Z";

function incoming(id: string, more: Partial<Incoming> = {}): MessageEvent {
  const contact = { id: "15550002", name: "Ann", username: null };
  const message = { id, chat_id: CHAT, from_me: false, body: "hi", type: "text", is_group: false, timestamp: AT, contact, media: null };
  return { name: "received", at: AT, data: { message: { ...message, reply_to: null, forwarded: false, ...more } } };
}

function sent(id: string, messengerId: string, more: object = {}): MessageEvent {
  const data = { id, to: CHAT, messenger_id: messengerId, chat_id: CHAT, type: "text", body: "hello", target: null, reply_to: null };
  return { name: "sent", at: AT, data: { ...data, ...more } };
}

const receipt = (name: "delivered" | "read", id: string): MessageEvent => ({
  name,
  at: AT,
  data: { messenger_ids: [id], ids: [], chat_id: CHAT },
});
const fold = (...events: MessageEvent[]): Messages => withEvents([], CHAT, events);

test("a message is there once, however often it is told, and other chats' are not", () => {
  const all = fold(incoming("A"), incoming("A"), sent("m1", "B"), sent("m1", "B"), incoming("C", { chat_id: "other" }));
  expect(all.map(({ id, fromMe, status }) => [id, fromMe, status])).toEqual([
    ["A", false, "received"],
    ["B", true, "sent"],
  ]);
});

test("a receipt never takes a status back, and is for own messages only", () => {
  const all = fold(incoming("A"), sent("m1", "B"), receipt("read", "B"), receipt("delivered", "B"), receipt("read", "A"));
  expect(all.map((each) => each.status)).toEqual(["received", "read"]);
  expect(fold(receipt("delivered", "B"), receipt("read", "B"), sent("m1", "B"))[0]?.status).toBe("read");
});

test("a file that was sent shows as what it is, and so does one that was forwarded", () => {
  const media = { kind: "document" as const, mime_type: "application/pdf", file_name: "list.pdf", size_bytes: 9 };
  const all = fold(sent("m1", "A", { type: "document", media }), sent("m2", "B", { type: "forward", media }), sent("m3", "C"));
  const shown = { kind: "document", mimeType: "application/pdf", fileName: "list.pdf", sizeBytes: 9 };
  expect(all.map((each) => [each.type, each.forwarded, each.media])).toEqual([
    ["document", false, shown],
    ["document", true, shown],
    ["text", false, null],
  ]);
});

test("edits, deletions and reactions change the message, whoever did them", () => {
  const change = { messenger_id: "A", chat_id: CHAT, from_me: false, contact: { id: "c1", name: null, username: null } };
  const all = fold(
    incoming("A"),
    { name: "edited", at: AT, data: { ...change, body: "hi!" } },
    { name: "reaction", at: AT, data: { ...change, emoji: "👍" } },
    sent("m2", "A", { type: "reaction", target: "A", body: "🎉" }),
    sent("m1", "B"),
    sent("m3", "B", { type: "edit", target: "B", body: "hello!" }),
  );
  expect(all[0]).toMatchObject({ body: "hi!", edited: true, reactions: { c1: "👍", me: "🎉" } });
  expect(all[1]).toMatchObject({ body: "hello!", edited: true });
  const later = withEvents(all, CHAT, [
    { name: "reaction", at: AT, data: { ...change, emoji: "" } },
    { name: "deleted", at: AT, data: change },
  ]);
  expect(later[0]).toMatchObject({ body: "", deleted: true, reactions: { me: "🎉" } });
});

const chat = (id: string, more: Partial<Chat> = {}): Chat => ({
  ...{ id, name: null, isGroup: false, lastMessage: "old", lastMessageAt: "2026-01-01T00:00:00.000Z", lastFromMe: false },
  ...{ unread: 0, messageCount: 1, ...more },
});

test("the chat that something was said in comes first, and counts what nobody has read", () => {
  const chats = [chat("first"), chat(CHAT, { name: "Ann B.", unread: 1 })];
  const after = chatsWith(chats, incoming("A"));
  expect(after[0]).toMatchObject({ id: CHAT, name: "Ann B.", lastMessage: "hi", unread: 2 });
  expect(chatsWith(after, incoming("A"))).toBe(after);
  expect(chatsWith(after, { ...sent("m1", "B"), at: "2026-01-02T03:05:00.000Z" })[0]).toMatchObject({ unread: 0, lastFromMe: true });
  expect(chatsWith(after, sent("m2", "A", { type: "read", target: "A" }))[0]).toMatchObject({ unread: 0, lastMessage: "hi" });
  expect(chatsWith([], incoming("N", { chat_id: "new" }))).toMatchObject([{ id: "new", name: "Ann", unread: 1 }]);
});

const outgoing = (id: string | null, more: Partial<Outgoing> = {}): Outgoing => ({
  ...newOutgoing({ to: CHAT, text: "hello" }, `key-${id}`, Date.parse(AT)),
  id,
  ...more,
});

test("what was sent is told to wait and why, and is gone from there when it is sent", () => {
  const queued = { id: "m1", to: CHAT, code: "NOT_READY", message: "it is stopped", until: null };
  const waiting = outgoingAfter([outgoing("m1"), outgoing("m2")], { name: "queued", at: AT, data: queued });
  expect(waiting.map((each) => [each.state, each.why?.message])).toEqual([
    ["queued", "it is stopped"],
    ["sending", undefined],
  ]);
  expect(outgoingAfter(waiting, sent("m1", "B")).map((each) => each.id)).toEqual(["m2"]);
  const failed = (code: string): MessageEvent => ({ name: "failed", at: AT, data: { id: "m2", to: CHAT, code, message: "" } });
  expect(outgoingAfter(waiting, failed("RECIPIENT_UNKNOWN"))[1]?.state).toBe("failed");
  expect(outgoingAfter(waiting, failed("UNCERTAIN"))[1]?.state).toBe("uncertain");
});

test("what is on its way is never shown beside the same message that has arrived", () => {
  const stored = fold(sent("m1", "B"));
  expect(unseen(stored, [outgoing("m1")])).toEqual([]);
  expect(unseen(stored, [outgoing(null)])).toEqual([]);
  expect(unseen(stored, [outgoing("m1"), outgoing(null)]).map((each) => each.id)).toEqual([null]);
  expect(unseen(stored, [outgoing(null, { key: "a" }), outgoing(null, { key: "b" })])).toHaveLength(1);
  expect(unseen(stored, [outgoing(null, { body: "another" })])).toHaveLength(1);
  expect(unseen(stored, [outgoing(null, { since: Date.parse(AT) + 600_000 })])).toHaveLength(1);
  const refused = { state: "failed" as const, why: { code: "RECIPIENT_UNKNOWN", message: "" } };
  expect(unseen(stored, [outgoing(null, refused)])).toHaveLength(1);
});

test("only events about messages of this instance are heard", () => {
  const event = (name: string, subject = "i1") => ({ id: "1", name, data: JSON.stringify({ subject, time: AT, data: { id: "m1" } }) });
  expect(messageEvent(event("message.queued"), "i1")).toEqual({ name: "queued", at: AT, data: { id: "m1" } });
  expect(messageEvent(event("message.queued", "i2"), "i1")).toBeNull();
  expect(messageEvent(event("message.typing"), "i1")).toBeNull();
  expect(messageEvent(event("client_ready"), "i1")).toBeNull();
});

test("chats and files are called by what they are", () => {
  const known = [chat(CHAT), chat("-1001")];
  expect(chatNamed(known, "+1 555-0002")).toBe(CHAT);
  expect(chatNamed(known, "-1001")).toBe("-1001");
  expect(chatNamed(known, "@ann")).toBe("@ann");
  expect(titleOfChat(CHAT)).toBe("+15550002");
  expect(titleOfChat("12@g.us")).toBe("12@g.us");
  expect(kindOfUrl("https://example.com/a/Photo.JPG?x=1")).toBe("image");
  expect(kindOfUrl("https://example.com/list.pdf")).toBe("document");
  expect(kindOfUrl("no address")).toBe("document");
  const media = { kind: "document" as const, source: "https://example.com/list.pdf", file_name: null };
  expect(newOutgoing({ to: "1", kind: "document", media }, "k", 0).media).toEqual({ kind: "document", fileName: "list.pdf", sizeBytes: null });
});
