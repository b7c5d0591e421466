import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { beforeEach, expect, test } from "vitest";
import { accessToken } from "../api/token";
import type { StoredMessage } from "../api/types";
import { instance, providers } from "../test/data";
import { answerWith, at, emit, listening, problem, server } from "../test/gateway";
import { open } from "../test/render";

const ONE = instance(1);
const CHAT = "15550002@s.whatsapp.net";
const TAB = `/instances/${ONE.id}?tab=messages`;
const AT = "2026-01-02T03:04:05.000Z";
const SEND = at("/api/v1/instances/:id/messages");

const stored = (id: string, more: Partial<StoredMessage> = {}): StoredMessage => ({
  ...{ id, messageId: null, chatId: CHAT, fromMe: false, body: `text ${id}`, type: "text", isGroup: false, timestamp: AT },
  ...{ contact: "Ann", contactId: "15550002", status: "received", replyTo: null, forwarded: false, edited: false },
  ...{ deleted: false, media: null, reactions: {}, ...more },
});
const chat = { id: CHAT, name: "Ann", isGroup: false, lastMessage: "text A", lastMessageAt: AT, lastFromMe: false, unread: 1, messageCount: 1 };
const answerChats = (chats: object[]) =>
  http.get(at("/3001/api/v1/chats"), () => HttpResponse.json({ success: true, chats, total: chats.length }));
const answerThread = (messages: StoredMessage[]) =>
  http.get(at("/3001/api/v1/messages/:chat"), ({ request, params }) => {
    const offset = Number(new URL(request.url).searchParams.get("offset"));
    const page = messages.slice(offset, offset + 50);
    return HttpResponse.json({ success: true, messages: page, chatId: params.chat, total: messages.length });
  });
const received = (id: string, body: string) => ({
  message: { id, chat_id: CHAT, from_me: false, body, type: "text", is_group: false, timestamp: "2026-01-02T03:05:00.000Z",
    contact: { id: "15550002", name: "Ann", username: null }, media: null, reply_to: null, forwarded: false },
});
const sentAs = (id: string, messenger_id: string, body: string) => ({ id, to: CHAT, messenger_id, chat_id: CHAT, type: "text", body, target: null, reply_to: null });
const [whatsapp] = providers;
const can = (...capabilities: string[]) =>
  http.get(at("/api/v1/providers"), () => {
    const description = { ...whatsapp?.description, capabilities };
    return HttpResponse.json({ success: true, providers: [{ ...whatsapp, description }] });
  });
const log = () => screen.findByRole("log");
const connected = () => waitFor(() => expect(listening()).toBeGreaterThan(0));

let keys = 0;
beforeEach(() => {
  keys = 0;
  server.use(
    http.get(at("/api/v1/instances/:id/credentials"), () => {
      keys += 1;
      return HttpResponse.json({ success: true, api_key: "mim_key", api_url: null });
    }),
    http.get(at("/3001/api/v1/status"), () => HttpResponse.json({ success: true, queue: { depth: 0, oldest_age_s: 0 } })),
    answerChats([chat]),
    answerThread([stored("A")]),
  );
  accessToken.clear(); // what an earlier test sent is nobody's now
});

test("a message that comes is shown in list and thread, without anybody asking", async () => {
  const user = userEvent.setup();
  open(TAB);
  await user.click(await screen.findByRole("button", { name: /Ann/ }));
  expect(await within(await log()).findByText("text A")).toBeTruthy();
  await connected();
  server.use(answerChats([{ ...chat, lastMessage: "another", lastMessageAt: "2026-01-02T03:05:00.000Z", unread: 2 }]));
  emit("message.received", ONE.id, received("B", "another"));
  emit("message.received", ONE.id, received("B", "another"));
  expect(await within(await log()).findAllByText("another")).toHaveLength(1);
  expect(await within(screen.getByRole("navigation", { name: "Chats" })).findByText("another")).toBeTruthy();
  expect(await screen.findByRole("img", { name: "2 unread" })).toBeTruthy();
  expect(keys).toBe(1);
});

test("what is sent is there at once, once only, and turns to read", async () => {
  const user = userEvent.setup();
  const bodies: unknown[] = [];
  let answer = (_: Response): void => undefined;
  server.use(
    http.post(SEND, async ({ request }) => {
      bodies.push(await request.json());
      return new Promise<Response>((resolve) => void (answer = resolve));
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.type(await screen.findByRole("textbox", { name: "Text" }), "hello{Enter}");
  expect(await screen.findByText("Sending…")).toBeTruthy();
  await connected();
  // The event is here before the answer: nobody knows yet that it is about this message.
  emit("message.sent", ONE.id, sentAs("m1", "B", "hello"));
  expect(await screen.findByText("Sent")).toBeTruthy();
  expect(within(await log()).getAllByText("hello")).toHaveLength(1);
  answer(HttpResponse.json({ success: true, id: "m1", messageId: "B", to: CHAT }));
  emit("message.read", ONE.id, { messenger_ids: ["B"], ids: ["m1"], chat_id: CHAT });
  expect(await screen.findByText("Read")).toBeTruthy();
  expect(within(await log()).getAllByText("hello")).toHaveLength(1);
  expect(bodies).toEqual([{ to: CHAT, text: "hello", queue: true, expires_in_s: 3600 }]);
});

test("a message that waits says why and until when; one that failed says why and can be sent again", async () => {
  const user = userEvent.setup();
  const used: (string | null)[] = [];
  server.use(
    ...answerWith([instance(1, "stopped")]),
    http.get(at("/3001/api/v1/status"), () => HttpResponse.json({ success: true, queue: { depth: 1, oldest_age_s: 9 } })),
    http.post(SEND, ({ request }) => {
      used.push(request.headers.get("Idempotency-Key"));
      return HttpResponse.json({ success: true, id: `m${used.length}`, status: "queued", to: CHAT }, { status: 202 });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  expect(await screen.findByText(/The instance is not ready: a message waits/)).toBeTruthy();
  expect(await screen.findByText("1 message waits to be sent.")).toBeTruthy();
  await connected();
  await user.type(await screen.findByRole("textbox", { name: "Text" }), "later{Enter}");
  expect(await screen.findByText(/^It waits until .* at the latest/)).toBeTruthy();
  emit("message.queued", ONE.id, { id: "m1", to: CHAT, code: "FLOOD", message: "the messenger asks to wait", until: AT });
  expect(await screen.findByText("the messenger asks to wait")).toBeTruthy();
  expect(screen.getByText(/^Until Jan 2, 2026/)).toBeTruthy();
  emit("message.failed", ONE.id, { id: "m1", to: CHAT, code: "UNCERTAIN", message: "perhaps it went out" });
  expect(await screen.findByText("Perhaps sent")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(used).toHaveLength(2));
  expect(used[0]).not.toBe(used[1]);
  expect(await screen.findByText("Waiting")).toBeTruthy();
});

test("where no answer came, trying again cannot send it twice", async () => {
  const user = userEvent.setup();
  const used: (string | null)[] = [];
  server.use(
    http.post(SEND, ({ request }) => {
      used.push(request.headers.get("Idempotency-Key"));
      return HttpResponse.error();
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.type(await screen.findByRole("textbox", { name: "Text" }), "hello{Enter}");
  await user.click(await screen.findByRole("button", { name: "Try again" }));
  await waitFor(() => expect(used.length).toBeGreaterThan(3));
  expect(new Set(used).size).toBe(1);
  await user.click(await screen.findByRole("button", { name: "Remove from this list" }));
  await waitFor(() => expect(screen.queryByText("hello")).toBeNull());
});

test("messages show what became of them, and what stands for a file", async () => {
  const media = { kind: "document" as const, mimeType: "application/pdf", fileName: "list.pdf", sizeBytes: 1_234_567 };
  server.use(
    answerThread([
      stored("D", { body: "<b>bold</b>", replyTo: "A", edited: true, reactions: { a: "👍", b: "👍", me: "🎉" } }),
      stored("C", { body: "", deleted: true }),
      stored("B", { body: "our prices", type: "document", media, fromMe: true, status: "delivered" }),
      stored("A", { isGroup: true }),
    ]),
  );
  open(`${TAB}&chat=${CHAT}`);
  const all = await log();
  expect(await within(all).findByText("<b>bold</b>")).toBeTruthy();
  expect(within(all).getByText("edited")).toBeTruthy();
  expect(within(all).getByText("This message was deleted")).toBeTruthy();
  expect(within(all).getByText("Document · list.pdf · 1.2 MB")).toBeTruthy();
  expect(within(all).getByText("Delivered")).toBeTruthy();
  expect(within(all).getByText("👍 2")).toBeTruthy();
  expect(within(all).getByText("Ann")).toBeTruthy();
  expect(within(all).getAllByText("text A")).toHaveLength(2); // and as what D answers
  const bodies = [...all.querySelectorAll("[data-message]")].map((each) => each.getAttribute("data-message"));
  expect(bodies).toEqual(["A", "B", "C", "D"]);
});

test("earlier messages come when they are asked for", async () => {
  const user = userEvent.setup();
  server.use(answerThread(Array.from({ length: 60 }, (_, number) => stored(`N${60 - number}`))));
  open(`${TAB}&chat=${CHAT}`);
  expect(await screen.findByText("text N60")).toBeTruthy();
  expect(screen.queryByText("text N1")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Earlier messages" }));
  expect(await screen.findByText("text N1")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Earlier messages" })).toBeNull();
  expect(document.querySelectorAll("[data-message]")).toHaveLength(60);
});

test("a reply names the message that it answers", async () => {
  const user = userEvent.setup();
  let body: unknown;
  server.use(
    can("text", "reply"),
    http.post(SEND, async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ success: true, id: "m1", messageId: "B", to: CHAT });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.click(await screen.findByRole("button", { name: "Reply" }));
  expect(screen.getByRole("button", { name: "Do not reply to it" })).toBeTruthy();
  await user.type(screen.getByRole("textbox", { name: "Text" }), "sure{Enter}");
  await waitFor(() => expect(body).toMatchObject({ reply_to: { id: "A", from_me: false, sender: null } }));
  expect(screen.queryByRole("button", { name: "Do not reply to it" })).toBeNull();
});

test("a file is sent by its URL, as what its ending says; what the account cannot send is off and says why", async () => {
  const user = userEvent.setup();
  let body: unknown;
  server.use(
    can("text", "image", "document", "audio", "voice", "video"),
    http.post(SEND, async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ success: true, id: "m1", status: "queued", to: CHAT }, { status: 202 });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.click(await screen.findByRole("button", { name: "Attach a file" }));
  expect((await screen.findByRole<HTMLOptionElement>("option", { name: "Sticker" })).disabled).toBe(true);
  expect(screen.getByText("Accounts of this kind (WhatsApp Web) cannot do this: stickers")).toBeTruthy();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Reply" }).title).toContain("cannot do this: replies");
  await user.type(screen.getByRole("textbox", { name: "Or its URL" }), "https://example.com/shop.png");
  expect(screen.getByRole<HTMLSelectElement>("combobox", { name: "Send as" }).value).toBe("image");
  await user.type(screen.getByRole("textbox", { name: /Text beside/ }), "our shop");
  await user.click(screen.getByRole("button", { name: "Send" }));
  expect(await screen.findByText("Image · shop.png")).toBeTruthy();
  const media = { kind: "image", source: "https://example.com/shop.png" };
  expect(body).toEqual({ to: CHAT, text: "our shop", kind: "image", media, queue: true, expires_in_s: 3600 });
});

test("a file of this device is uploaded and sent as what it is; tried again, it is the same message", async () => {
  const user = userEvent.setup();
  const uploads: string[] = [];
  const bodies: unknown[] = [];
  const upload = "a".repeat(64);
  server.use(
    can("text", "image", "document", "audio", "voice", "video", "sticker"),
    http.put(at("/api/v1/instances/:id/media"), async ({ request }) => {
      uploads.push(`${request.headers.get("Content-Type")} ${await request.text()}`);
      return HttpResponse.json({ success: true, upload, content_type: "image/png", size_bytes: 8, expires_at: AT }, { status: 201 });
    }),
    http.post(SEND, async ({ request }) => {
      bodies.push(await request.json());
      if (bodies.length === 1) return problem(400, "MEDIA_REFUSED", "this is no image");
      return HttpResponse.json({ success: true, id: "m1", status: "queued", to: CHAT }, { status: 202 });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.click(await screen.findByRole("button", { name: "Attach a file" }));
  const input = document.querySelector<HTMLInputElement>("input[type=file]") as HTMLInputElement;
  await user.upload(input, new File(["\u0001picture"], "shop.png", { type: "image/png" }));
  expect(screen.getByRole<HTMLSelectElement>("combobox", { name: "Send as" }).value).toBe("image");
  await user.click(screen.getByRole("button", { name: "Send" }));
  expect(await screen.findByText("this is no image")).toBeTruthy();
  expect(screen.getByText("Image · shop.png · 8 byte")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Waiting")).toBeTruthy();
  expect(uploads).toEqual(Array(2).fill("application/octet-stream \u0001picture"));
  const media = { kind: "image", file_name: "shop.png", upload };
  expect(bodies).toEqual(Array(2).fill({ to: CHAT, text: "", kind: "image", media, queue: true, expires_in_s: 3600 }));
});

test("the file of a message that came is fetched when somebody wants it", async () => {
  const user = userEvent.setup();
  const media = { kind: "document" as const, mimeType: "application/pdf", fileName: "list.pdf", sizeBytes: 8 };
  const saved: [string, Blob][] = [];
  let asked: string | null = null;
  Object.assign(URL, { createObjectURL: (blob: Blob) => (saved.push(["", blob]), "blob:one"), revokeObjectURL: () => undefined });
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function (this: HTMLAnchorElement) {
    saved.at(-1)?.splice(0, 1, this.download);
  };
  server.use(
    answerThread([stored("A", { type: "document", media })]),
    http.get(at("/3001/api/v1/messages/:chat/:message/media"), ({ request, params }) => {
      asked = `${params.chat as string} ${params.message as string} ${request.headers.get("Authorization")}`;
      return new HttpResponse("contents", { headers: { "Content-Type": "application/pdf" } });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.click(await screen.findByRole("button", { name: "Save: list.pdf" }));
  await waitFor(() => expect(saved).toHaveLength(1));
  expect(saved[0]?.[0]).toBe("list.pdf");
  expect(saved[0]?.[1].size).toBe(8);
  expect(asked).toBe(`${CHAT} A Bearer mim_key`);
  HTMLAnchorElement.prototype.click = click;
});

test("whoever is written to first is known by the chat's own id from then on", async () => {
  const user = userEvent.setup();
  server.use(
    answerChats([]),
    answerThread([]),
    http.post(SEND, () => HttpResponse.json({ success: true, id: "m1", messageId: "B", to: "+1 555 0002" })),
  );
  open(TAB);
  expect(await screen.findByText("No chats yet")).toBeTruthy();
  await user.type(screen.getByRole("textbox", { name: /^To/ }), "+1 555 0002");
  await user.click(screen.getByRole("button", { name: "Open the chat" }));
  expect(await screen.findByText("No messages here yet")).toBeTruthy();
  await connected();
  await user.type(screen.getByRole("textbox", { name: "Text" }), "hello{Enter}");
  emit("message.sent", ONE.id, { ...sentAs("m1", "B", "hello"), to: "+1 555 0002" });
  expect(await screen.findByRole("heading", { name: "+15550002" })).toBeTruthy();
  await waitFor(() => expect(within(screen.getByRole("log")).getAllByText("hello")).toHaveLength(1));
});

test("more chats are listed when they are asked for", async () => {
  const user = userEvent.setup();
  const all = Array.from({ length: 120 }, (_, number) => ({ ...chat, id: `c${number}`, name: `Somebody ${number}` }));
  server.use(
    http.get(at("/3001/api/v1/chats"), ({ request }) => {
      const limit = Number(new URL(request.url).searchParams.get("limit"));
      return HttpResponse.json({ success: true, chats: all.slice(0, limit), total: all.length });
    }),
  );
  open(TAB);
  expect(await screen.findByText("Somebody 99")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Show more" }));
  expect(await screen.findByText("Somebody 119")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
});

test("a search finds chats and texts, or says that there is none", async () => {
  const user = userEvent.setup();
  const found = (messages: StoredMessage[]) =>
    http.get(at("/3001/api/v1/stored-messages"), () =>
      HttpResponse.json({ success: true, messages, total: messages.length, limit: 30, offset: 0 }),
    );
  server.use(found([stored("F", { body: "the price list", contact: "Bob", chatId: "bob" })]));
  open(TAB);
  await screen.findByRole("button", { name: /Ann/ });
  server.use(answerChats([]));
  await user.type(screen.getByRole("searchbox", { name: "Search chats and texts" }), "price");
  expect(await screen.findByText("1 message with this text")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: /Bob/ }));
  expect(await screen.findByRole("heading", { name: "bob" })).toBeTruthy();
  server.use(found([]));
  await user.type(screen.getByRole("searchbox", { name: "Search chats and texts" }), "less");
  expect(await screen.findByText("No chat and no message has this text.")).toBeTruthy();
});

test("a chat is marked as read by the last message that came", async () => {
  const user = userEvent.setup();
  let body: unknown;
  server.use(
    can("text", "read"),
    http.post(SEND, async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ success: true, id: "m1", messageId: "A", to: CHAT });
    }),
  );
  open(`${TAB}&chat=${CHAT}`);
  await user.click(await screen.findByRole("button", { name: "Mark as read" }));
  await waitFor(() => expect(body).toEqual({ kind: "read", to: CHAT, target: { id: "A", from_me: false, sender: null } }));
});

test("a viewer reads with the token that they have, and cannot write", async () => {
  const asked: (string | null)[] = [];
  server.use(
    http.get(at("/api/v1/session"), () =>
      HttpResponse.json({ success: true, name: "looks", role: "viewer", user_id: null, needs_token: true }),
    ),
    http.get(at("/3001/api/v1/chats"), ({ request }) => {
      asked.push(request.headers.get("Authorization"));
      return HttpResponse.json({ success: true, chats: [chat], total: 1 });
    }),
  );
  accessToken.set("mimt_viewer", false);
  open(`${TAB}&chat=${CHAT}`);
  expect(await within(await log()).findByText("text A")).toBeTruthy();
  expect(screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Text" }).disabled).toBe(true);
  expect(screen.getAllByText(/This needs the role Operator/).length).toBeGreaterThan(0);
  expect(new Set(asked)).toEqual(new Set(["Bearer mimt_viewer"]));
  expect(keys).toBe(0);
});

test("a replaced API key is asked for anew, and a port that does not answer says so", async () => {
  let refusals = 1;
  server.use(
    http.get(at("/3001/api/v1/chats"), () => {
      refusals -= 1;
      return refusals >= 0
        ? problem(401, "UNAUTHORIZED", "wrong key")
        : HttpResponse.json({ success: true, chats: [chat], total: 1 });
    }),
  );
  open(TAB);
  expect(await screen.findByRole("button", { name: /Ann/ })).toBeTruthy();
  expect(keys).toBeGreaterThan(1);
});

test("an instance without a port says what to do", async () => {
  server.use(...answerWith([instance(1, "client_ready", { port_api: null, type_instance: ["mcp"] })]));
  open(TAB);
  expect(await screen.findByText("No messages to show")).toBeTruthy();
});
