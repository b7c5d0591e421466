import { screen, waitFor } from "@testing-library/react";
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

test("a text is sent, and its outcome follows", async () => {
  const user = userEvent.setup();
  server.use(
    http.post(at("/api/v1/multi-provider/instances/whatsappweb/:id/send-message"), () =>
      HttpResponse.json({ success: true, id: "m-1", status: "queued", to: "1" }, { status: 202 }),
    ),
  );
  open(`/instances/${instance(1).id}?tab=send`);
  await user.type(await screen.findByLabelText(/^To/), "15550002222");
  await user.type(screen.getByLabelText(/^Text/), "hello");
  await user.click(screen.getByRole("button", { name: "Send" }));
  expect(await screen.findByText("Queued")).toBeTruthy();
  emit("message.sent", instance(1).id, { id: "m-1", messenger_id: "3EB0AA" });
  expect(await screen.findByText("3EB0AA")).toBeTruthy();
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
