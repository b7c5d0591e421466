import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { expect, test } from "vitest";
import { instance } from "../test/data";
import { answerWith, at, emit, listening, problem, server } from "../test/gateway";
import { open } from "../test/render";

const step = (type: string, more: object = {}) => ({ type, instructions: "", fields: [], code: null, expires_at: null, ...more });
const answerLogin = (shown: object) =>
  http.get(at("/api/v1/instances/:id/login"), () => HttpResponse.json({ success: true, status: "", login_step: shown }));
const answerQr = (code: string) =>
  http.get(at("/api/v1/instances/:id/qr"), () =>
    HttpResponse.json({ success: true, qr_code: `data:image/png;base64,${code}`, code, expires_in: 20, auth_status: "qr_ready" }),
  );
const picture = async () => ((await screen.findByAltText(/QR code to scan/)) as HTMLImageElement).src;

test("each new QR code replaces the one before, and a code to type is offered beside it", async () => {
  const user = userEvent.setup();
  const fields = [{ name: "phone_number", label: "", required: false, secret: false }];
  server.use(answerLogin(step("display_qr", { code: "AAA", fields })), answerQr("AAA"));
  open(`/instances/${instance(2).id}?tab=login`);
  expect(await picture()).toContain("AAA");
  expect(screen.getByRole("timer").textContent).toMatch(/\d+ seconds? left/);
  await waitFor(() => expect(listening()).toBeGreaterThan(0));
  server.use(answerLogin(step("display_qr", { code: "BBB", fields })), answerQr("BBB"));
  emit("qr_ready", instance(2).id);
  await waitFor(async () => expect(await picture()).toContain("BBB"));

  server.use(
    http.post(at("/api/v1/instances/:id/pairing-code"), () =>
      HttpResponse.json({ success: true, code: "ABCD-1234", expires_in: 160, expires_at: "" }),
    ),
  );
  await user.type(screen.getByLabelText(/Phone number/), "+15550001111");
  await user.click(screen.getByRole("button", { name: "Get a code" }));
  expect(await screen.findByText("ABCD-1234")).toBeTruthy();
});

test("a person's Telegram account is asked for its number beside the QR code, and then for its code", async () => {
  const user = userEvent.setup();
  const field = (name: string, required: boolean) => ({ name, label: "", required, secret: false });
  let body: unknown;
  server.use(
    ...answerWith([instance(1, "qr_ready", { provider: "telegram", login: "user" })]),
    answerLogin(step("display_qr", { code: "AAA", fields: [field("phone_number", false)] })),
    answerQr("AAA"),
    http.post(at("/api/v1/instances/:id/login"), async ({ request }) => {
      body = await request.json();
      const login_step = step("input_code", { fields: [field("code", true), field("phone_number", false)] });
      return HttpResponse.json({ success: true, status: "action_required", login_step });
    }),
  );
  open(`/instances/${instance(1).id}?tab=login`);
  expect(await screen.findByText("Open Telegram on the phone")).toBeTruthy();
  expect(await picture()).toContain("AAA");
  await user.type(await screen.findByLabelText("Phone number"), "+15550001111");
  expect(screen.queryByRole("button", { name: "Get a code" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findByLabelText(/^Code/)).toBeTruthy();
  expect(body).toEqual({ phone_number: "+15550001111" });
});

test("an exhausted QR says so and how to go on", async () => {
  const reason = { code: "QR_EXPIRED", message: "nobody scanned it", user_action: "scan_qr" as const, since: "" };
  server.use(...answerWith([instance(2, "logged_out", { reason })]), answerLogin(step("confirm")));
  open(`/instances/${instance(2).id}?tab=login`);
  expect(await screen.findByRole("button", { name: "Start a new login" })).toBeTruthy();
  expect(screen.getAllByText("nobody scanned it").length).toBeGreaterThan(0);
});

test("a step that asks for something shows its fields and what was wrong with them", async () => {
  const user = userEvent.setup();
  const fields = [{ name: "token", label: "Bot token", required: true, secret: true }];
  const problems = { details: [{ field: "token", problem: "must look like 123:AAE" }] };
  server.use(
    ...answerWith([instance(1, "error")]),
    answerLogin(step("input_code", { fields, instructions: "enter a new token" })),
    http.post(at("/api/v1/instances/:id/login"), () => problem(422, "INVALID_FIELDS", "do not fit", problems)),
  );
  open(`/instances/${instance(1).id}?tab=login`);
  await user.type(await screen.findByLabelText(/Bot token/), "x");
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findByText("must look like 123:AAE")).toBeTruthy();
});

test.each([
  ["input_code", { name: "code", label: "Login code", required: true, secret: false }, "^Code"],
  ["input_password", { name: "password", label: "Cloud password", required: true, secret: true }, "^Password"],
  ["input_phone", { name: "phone_number", label: "", required: true, secret: false }, "Phone number"],
])("the step %s asks for its fields, sends them, and goes on to the next step", async (type, field, label) => {
  const user = userEvent.setup();
  let body: unknown;
  server.use(
    ...answerWith([instance(1, "action_required")]),
    answerLogin(step(type, { fields: [field], instructions: "the messenger asks" })),
    http.post(at("/api/v1/instances/:id/login"), async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ success: true, status: "", login_step: step("display_code", { code: "WXYZ-9876" }) });
    }),
  );
  open(`/instances/${instance(1).id}?tab=login`);
  expect(await screen.findByText("the messenger asks")).toBeTruthy();
  const input = screen.getByLabelText<HTMLInputElement>(new RegExp(label), { selector: "input" });
  expect(input.type).toBe(field.secret ? "password" : "text");
  await user.type(input, "12345");
  await user.click(screen.getByRole("button", { name: "Continue" }));
  expect(await screen.findByText("WXYZ-9876")).toBeTruthy();
  expect(body).toEqual({ [field.name]: "12345" });
});

test("a passkey is confirmed elsewhere: the page says where, and begins anew afterwards", async () => {
  const user = userEvent.setup();
  const message = "turn the passkey off on the phone";
  const reason = { code: "PASSKEY_REQUIRED", message, user_action: "confirm_on_phone" as const, since: "" };
  let restarted = 0;
  server.use(
    ...answerWith([instance(1, "action_required", { reason })]),
    answerLogin(step("passkey", { instructions: message })),
    http.post(at("/api/v1/instances/:id/restart"), () => {
      restarted += 1;
      return HttpResponse.json({ success: true, message: "", instance: instance(1, "starting") });
    }),
  );
  open(`/instances/${instance(1).id}?tab=login`);
  expect(await screen.findByRole("heading", { name: "Confirm with the passkey on the phone" })).toBeTruthy();
  expect(screen.getAllByText(message).length).toBeGreaterThan(1);
  await user.click(screen.getByRole("button", { name: "Start a new login" }));
  await waitFor(() => expect(restarted).toBe(1));
});

test("a login that goes on by itself says so", async () => {
  const reason = { code: "STARTING", message: "connecting", user_action: "wait" as const, since: "" };
  server.use(...answerWith([instance(1, "starting", { reason })]), answerLogin(step("confirm")));
  open(`/instances/${instance(1).id}?tab=login`);
  expect(await screen.findByRole("heading", { name: "The login is on its way" })).toBeTruthy();
  expect(screen.getByText("Nothing to do: it goes on by itself")).toBeTruthy();
});

test("a code that ran out is replaced by the next one, without a hand", async () => {
  const codes = ["AAA", "BBB"];
  server.use(
    answerLogin(step("display_qr", { code: "AAA" })),
    http.get(at("/api/v1/instances/:id/qr"), () => {
      const code = codes.shift() ?? "CCC";
      const expires_in = code === "AAA" ? 1 : 60;
      return HttpResponse.json({ success: true, qr_code: `data:image/png;base64,${code}`, code, expires_in, auth_status: "qr_ready" });
    }),
  );
  open(`/instances/${instance(2).id}?tab=login`);
  expect(await picture()).toContain("AAA");
  await waitFor(async () => expect(await picture()).toContain("BBB"), { timeout: 4000 });
});

test("the log is followed, narrowed by level and text, remembers its level, and is text only", async () => {
  const user = userEvent.setup();
  const line = (level: string, message: string) => ({ timestamp: "2026-01-02T03:04:05.000Z", level, message, source: "w1" });
  const asked: string[] = [];
  server.use(
    http.get(at("/api/v1/instances/:id/logs"), ({ request }) => {
      asked.push(new URL(request.url).search);
      const lines = [line("info", "\u001b[31mconnected\u001b[0m <b>now</b>"), line("error", "token refused")];
      const text = lines.map((each, at) => `id: ${at + 1}\nevent: log\ndata: ${JSON.stringify(each)}\n\n`).join("");
      const body = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(new TextEncoder().encode(text)) });
      return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
    }),
  );
  open(`/instances/${instance(1).id}?tab=logs`);
  const log = await screen.findByRole("log");
  await waitFor(() => expect(log.textContent).toContain("connected <b>now</b>"));
  expect(log.querySelector("b")).toBeNull();
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Follow" }).checked).toBe(true);
  await user.type(screen.getByRole("searchbox", { name: "Search the log" }), "refused");
  await waitFor(() => expect(log.textContent).not.toContain("connected"));
  expect(log.textContent).toContain("token refused");
  await user.selectOptions(screen.getByRole("combobox", { name: "Level" }), "warning");
  await waitFor(() => expect(asked.at(-1)).toContain("level=warning"));
  expect(localStorage.getItem("mim-log-level")).toContain("warning");
});

test("scrolling up pauses the log, and its end goes on", async () => {
  server.use(http.get(at("/api/v1/instances/:id/logs"), () => new HttpResponse(new ReadableStream(), { headers: { "Content-Type": "text/event-stream" } })));
  open(`/instances/${instance(1).id}?tab=logs`);
  const log = await screen.findByRole("log");
  const follow = screen.getByRole<HTMLInputElement>("checkbox", { name: "Follow" });
  Object.defineProperties(log, { scrollHeight: { value: 2000 }, clientHeight: { value: 400 } });
  const scroll = (top: number): void => void fireEvent.scroll(log, { target: { scrollTop: top } });
  scroll(1600);
  scroll(900);
  await waitFor(() => expect(follow.checked).toBe(false));
  scroll(1600);
  await waitFor(() => expect(follow.checked).toBe(true));
});

test("the API key is asked for only when somebody wants to see it", async () => {
  const user = userEvent.setup();
  let asked = 0;
  server.use(
    http.get(at("/api/v1/instances/:id/credentials"), () => {
      asked += 1;
      return HttpResponse.json({ success: true, api_key: "mim_secret", api_url: "http://127.0.0.1:3001" });
    }),
  );
  open(`/instances/${instance(1).id}?tab=credentials`);
  await screen.findByRole("button", { name: "Show the API key" });
  expect(asked).toBe(0);
  await user.click(screen.getByRole("button", { name: "Show the API key" }));
  expect(await screen.findByText("mim_secret")).toBeTruthy();
});

test("deleting needs the name, and nothing less", async () => {
  const user = userEvent.setup();
  let deleted = false;
  server.use(
    http.delete(at("/api/v1/instances/:id"), () => {
      deleted = true;
      return HttpResponse.json({ success: true, message: "" });
    }),
  );
  open(`/instances/${instance(1).id}?tab=danger`);
  await user.click(await screen.findByRole("button", { name: "Delete" }));
  const dialog = await screen.findByRole("dialog");
  const confirm = [...dialog.querySelectorAll("button")].find((each) => each.textContent === "Delete") as HTMLButtonElement;
  expect(confirm.disabled).toBe(true);
  await user.type(screen.getByLabelText(/Type “Account 1”/), "Account 1");
  expect(confirm.disabled).toBe(false);
  await user.click(confirm);
  await waitFor(() => expect(deleted).toBe(true));
  expect(await screen.findByRole("heading", { name: "Instances" })).toBeTruthy();
});

test("an instance that is not there says so", async () => {
  open("/instances/00000000-0000-4000-8000-000000000099");
  expect(await screen.findByText("This instance does not exist")).toBeTruthy();
});
