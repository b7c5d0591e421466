import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { delay, http, HttpResponse } from "msw";
import { expect, test, vi } from "vitest";
import { CREATE_MS } from "../api/useInstanceActions";
import { instance, TOKEN } from "../test/data";
import { at, problem, server } from "../test/gateway";
import { open } from "../test/render";

const created = (number: number) => ({
  success: true,
  instance_id: instance(number).id,
  instance: instance(number, "starting"),
  status: "starting",
});

test("the form asks for what the provider describes, by its rules", async () => {
  const user = userEvent.setup();
  let body: unknown;
  server.use(
    http.post(at("/api/v1/instances"), async ({ request }) => {
      body = await request.json();
      return HttpResponse.json(created(2), { status: 201 });
    }),
    http.get(at("/api/v1/instances/:id/login"), () =>
      HttpResponse.json({ success: true, status: "starting", login_step: { type: "confirm", instructions: "", fields: [], code: null, expires_at: null } }),
    ),
  );
  open("/instances/new");
  expect(await screen.findByRole("radio", { name: /WhatsApp/ })).toBeTruthy();
  expect(screen.queryByLabelText(/Bot token/)).toBeNull();
  await user.click(screen.getByRole("radio", { name: /Telegram/ }));
  await user.type(screen.getByLabelText(/Bot token/), "too short");
  expect(screen.getByText("Does not look right")).toBeTruthy();
  await user.clear(screen.getByLabelText(/Bot token/));
  await user.type(screen.getByLabelText(/Bot token/), TOKEN);
  expect(screen.queryByText("Does not look right")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Create" }));
  expect(screen.getByText("Is needed")).toBeTruthy();
  await user.type(screen.getByLabelText(/^User/), "acme");
  await user.click(screen.getByRole("button", { name: "Create" }));
  expect(await screen.findByRole("tab", { name: "Login", selected: true })).toBeTruthy();
  expect(body).toEqual({ user_id: "acme", provider: "telegram", type_instance: ["api"], start: true, token: TOKEN });
});

test("a failed create is told with the field, and to try again cannot create two", async () => {
  const user = userEvent.setup();
  const keys = new Set<string | null>();
  server.use(
    http.post(at("/api/v1/instances"), async ({ request }) => {
      keys.add(request.headers.get("Idempotency-Key"));
      await delay(30);
      const details = [{ field: "user_id", problem: "is not known here" }];
      return problem(422, "INVALID_FIELDS", "some fields do not fit: user_id", { details });
    }),
  );
  open("/instances/new");
  await user.type(await screen.findByLabelText(/^User/), "acme");
  await user.click(screen.getByRole("button", { name: "Create" }));
  expect((await screen.findByRole("alert")).textContent).toContain("is not known here");
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByRole("alert");
  expect(keys.size).toBe(1);
});

test("an edit sends only what changed, and never shows a secret", async () => {
  const user = userEvent.setup();
  const bodies: unknown[] = [];
  const webhook = { enabled: true, url: "https://example.com/a", filters: { events: [], allowGroups: true, allowPrivate: true } };
  const before = instance(1, "client_ready", { api_webhook_schema: webhook, token_hint: "wxyz", has_proxy: true, provider: "telegram" });
  server.use(
    http.get(at("/api/v1/instances/:id"), () => HttpResponse.json({ success: true, instance: before })),
    http.patch(at("/api/v1/instances/:id"), async ({ request }) => {
      bodies.push(await request.json());
      return HttpResponse.json({ success: true, instance: before });
    }),
    http.post(at("/api/v1/instances/:id/webhook/test"), () =>
      HttpResponse.json({ success: true, delivered: false, status_code: 500, duration_ms: 12, error: "the target answered 500" }),
    ),
  );
  open(`/instances/${before.id}/edit`);
  expect(await screen.findByText(/••••wxyz/)).toBeTruthy();
  expect((screen.getByLabelText(/Bot token/) as HTMLInputElement).value).toBe("");
  await user.click(screen.getByRole("button", { name: "Send a test" }));
  expect(await screen.findByText(/the target answered 500/)).toBeTruthy();
  await user.clear(screen.getByLabelText(/^Name/));
  await user.type(screen.getByLabelText(/^Name/), "Shop");
  expect(screen.getByLabelText(/^Proxy/, { selector: "input:not([type=checkbox])" }).getAttribute("value")).toBe("");
  expect(screen.getByText(/A proxy is set/)).toBeTruthy();
  await user.click(screen.getByLabelText("Remove the proxy"));
  await user.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByRole("tab", { name: "Overview" });
  expect(bodies).toEqual([{ name: "Shop", proxy: null }]);
});

test("what is not stored cannot be removed", async () => {
  open(`/instances/${instance(1).id}/edit`);
  await screen.findByLabelText(/^Proxy/);
  expect(screen.queryByText(/A proxy is set/)).toBeNull();
  expect(screen.queryByLabelText("Remove the proxy")).toBeNull();
});

test("a create that nobody answers ends, says what to do, and can be tried again as the same", async () => {
  const user = userEvent.setup();
  const keys: (string | null)[] = [];
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const soon = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout(ms === CREATE_MS ? 60 : ms));
  server.use(
    http.post(at("/api/v1/instances"), async ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      await delay(keys.length === 1 ? "infinite" : 0);
      return HttpResponse.json(created(2), { status: 201 });
    }),
  );
  open("/instances/new");
  await user.type(await screen.findByLabelText(/^User/), "acme");
  await user.click(screen.getByRole("button", { name: "Create" }));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("did not answer in time");
  expect(alert.textContent).toContain("try again");
  soon.mockRestore();
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByRole("tab", { name: "Login", selected: true });
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});
