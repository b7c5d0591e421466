import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { expect, test } from "vitest";
import type { Delivery } from "../api/types";
import { instance } from "../test/data";
import { answerWith, at, emit, listening, server } from "../test/gateway";
import { open } from "../test/render";

const filters = { allowGroups: true, allowPrivate: true, events: [] };
const ONE = instance(1, "client_ready", { api_webhook_schema: { enabled: true, url: "https://example.com/hook", filters } });
const TAB = `/instances/${ONE.id}?tab=webhook`;
const DELIVERIES = "/api/v1/instances/:id/webhook/deliveries";

const delivery = (id: string, status: Delivery["status"], more: Partial<Delivery> = {}): Delivery => ({
  ...{ id, instance_id: ONE.id, event_id: `e-${id}`, event: "message.received", status, tries: 1, next_at: null },
  ...{ created_at: "2026-01-02T03:04:05.000Z", tried_at: "2026-01-02T03:04:06.000Z", done_at: null, status_code: 204 },
  ...{ error: null, response: null, duration_ms: 12, ...more },
});
const FAILED = delivery("d-failed", "failed", { tries: 9, status_code: 422, response: "no such shop" });
const WAITING = delivery("d-waiting", "pending", { status_code: null, error: "it cannot be reached", next_at: "2026-01-02T04:00:00.000Z" });

function answer(all: Delivery[], asked: string[] = []) {
  return [
    http.get(at(DELIVERIES), ({ request }) => {
      const wanted = new URL(request.url).searchParams.get("status");
      asked.push(wanted ?? "");
      const deliveries = all.filter((each) => wanted === null || each.status === wanted);
      const counts = { pending: 0, delivered: 0, failed: 0 };
      for (const { status } of all) counts[status] += 1;
      return HttpResponse.json({ success: true, deliveries, total: deliveries.length, counts, limit: 50, offset: 0 });
    }),
    http.get(at(`${DELIVERIES}/:delivery`), ({ params }) =>
      HttpResponse.json({
        success: true,
        delivery: all.find((each) => each.id === params.delivery),
        body: { instance_id: ONE.id, message: { body: "hello" } },
      }),
    ),
  ];
}

test("without a webhook the page says what one is for, and where it is set up", async () => {
  open(TAB);
  expect(await screen.findByText("No webhook yet")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Set one up" }).getAttribute("href")).toContain("/edit");
});

test("deliveries are narrowed by status, and a new one comes with the event", async () => {
  const user = userEvent.setup();
  const asked: string[] = [];
  server.use(...answerWith([ONE]), ...answer([WAITING, FAILED], asked));
  open(TAB);
  expect(await screen.findByText("https://example.com/hook")).toBeTruthy();
  expect(await screen.findByText("HTTP 422")).toBeTruthy();
  expect(screen.getByText("it cannot be reached")).toBeTruthy();
  expect(screen.getByText(/Jan 2, 2026, .*4:00:00|Jan 2, 2026, .*:00:00/)).toBeTruthy();
  await user.selectOptions(screen.getByRole("combobox", { name: "Status" }), "Failed (1)");
  await waitFor(() => expect(screen.queryByText("it cannot be reached")).toBeNull());
  expect(asked).toContain("failed");
  await waitFor(() => expect(listening()).toBeGreaterThan(0));
  server.use(...answer([FAILED, delivery("d-new", "failed", { status_code: 410 })]));
  emit("message.received", ONE.id);
  expect(await screen.findByText("HTTP 410")).toBeTruthy();
});

test("one delivery is opened with its body and what was answered, and delivered once more", async () => {
  const user = userEvent.setup();
  const again: unknown[] = [];
  server.use(
    ...answerWith([ONE]),
    ...answer([FAILED]),
    http.post(at(`${DELIVERIES}/:delivery/redeliver`), ({ params }) => {
      again.push(params.delivery);
      server.use(...answer([{ ...FAILED, status: "pending" }]));
      return HttpResponse.json({ success: true, message: "", redelivered: 1 });
    }),
  );
  open(TAB);
  await user.click(await screen.findByRole("button", { name: /^Show: message.received/ }));
  expect(await screen.findByText("no such shop")).toBeTruthy();
  expect(within(screen.getByRole("region", { name: "Body" })).getByText(/"body": "hello"/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Redeliver" }));
  await waitFor(() => expect(again).toEqual(["d-failed"]));
  await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Redeliver" }).disabled).toBe(true));
  await user.click(screen.getByRole("button", { name: "All deliveries" }));
  expect(await screen.findByRole("button", { name: "Redeliver all that failed (0)" })).toBeTruthy();
});

test("all that failed are delivered once more at once", async () => {
  const user = userEvent.setup();
  let calls = 0;
  server.use(
    ...answerWith([ONE]),
    ...answer([FAILED]),
    http.post(at(`${DELIVERIES}/redeliver`), () => {
      calls += 1;
      return HttpResponse.json({ success: true, message: "", redelivered: 1 });
    }),
  );
  open(TAB);
  await user.click(await screen.findByRole("button", { name: "Redeliver all that failed (1)" }));
  expect(await screen.findByText("It is delivered once more")).toBeTruthy();
  expect(calls).toBe(1);
});

test("the secret is asked for only when somebody wants to see it, and replaced only after a question", async () => {
  const user = userEvent.setup();
  let asked = 0;
  server.use(
    ...answerWith([ONE]),
    ...answer([]),
    http.get(at("/api/v1/instances/:id/webhook/secret"), () => {
      asked += 1;
      return HttpResponse.json({ success: true, secret: "whsec_one" });
    }),
    http.post(at("/api/v1/instances/:id/webhook/secret/rotate"), () => HttpResponse.json({ success: true, secret: "whsec_two" })),
  );
  open(TAB);
  expect(await screen.findByText("Nothing was delivered yet")).toBeTruthy();
  expect(asked).toBe(0);
  await user.click(screen.getByRole("button", { name: "Show the signing secret" }));
  expect(await screen.findByText("whsec_one")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Replace the secret" }));
  const dialog = await screen.findByRole("dialog");
  expect(screen.queryByText("whsec_two")).toBeNull();
  await user.click(within(dialog).getByRole("button", { name: "Replace the secret" }));
  expect(await screen.findByText("whsec_two")).toBeTruthy();
});

test("a viewer sees deliveries, and what is off and why", async () => {
  server.use(
    ...answerWith([ONE]),
    ...answer([FAILED]),
    http.get(at("/api/v1/session"), () =>
      HttpResponse.json({ success: true, name: "looks", role: "viewer", user_id: null, needs_token: true }),
    ),
  );
  open(TAB);
  for (const name of ["Redeliver all that failed (1)", "Send a test", "Change the webhook", "Show the signing secret"]) {
    const button = await screen.findByRole<HTMLButtonElement>("button", { name });
    expect(button.disabled).toBe(true);
    expect(button.title).toContain("This needs the role");
  }
});
