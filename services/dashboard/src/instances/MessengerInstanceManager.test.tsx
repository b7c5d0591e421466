import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { expect, test } from "vitest";
import { instance } from "../test/data";
import { answerWith, at, emit, hangUp, listening, problem, server } from "../test/gateway";
import { open } from "../test/render";

const row = async (name: string) => (await screen.findByRole("link", { name })).closest("tr") as HTMLElement;

test("a change is shown without anybody asking for it", async () => {
  open("/");
  expect(within(await row("Account 2")).getByText("Scan the QR code")).toBeTruthy();
  await waitFor(() => expect(listening()).toBe(1));
  server.use(...answerWith([instance(1), instance(2, "client_ready")]));
  emit("client_ready", instance(2).id);
  await waitFor(async () => expect(within(await row("Account 2")).getByText("Ready")).toBeTruthy());
  emit("deleted", instance(1).id);
  server.use(...answerWith([instance(2)]));
  await waitFor(() => expect(screen.queryByRole("link", { name: "Account 1" })).toBeNull());
});

test("what changed while the link was down is caught up", async () => {
  open("/");
  await row("Account 1");
  await waitFor(() => expect(listening()).toBeGreaterThan(0));
  server.use(...answerWith([instance(1, "error")]));
  hangUp();
  await waitFor(async () => expect(within(await row("Account 1")).getByText("Error")).toBeTruthy(), { timeout: 4000 });
});

test("a banner says that the live link is down, and goes when it is back", async () => {
  open("/");
  await row("Account 1");
  await waitFor(() => expect(listening()).toBeGreaterThan(0));
  let away = true;
  server.use(http.get(at("/api/v1/events"), () => (away ? problem(503, "BUS_UNAVAILABLE", "away") : undefined)));
  hangUp();
  expect(await screen.findByText("The live link is down")).toBeTruthy();
  away = false;
  await waitFor(() => expect(screen.queryByText("The live link is down")).toBeNull(), { timeout: 9000 });
});

test("search and filters narrow the list and can be taken back", async () => {
  const user = userEvent.setup();
  open("/?status=qr_ready");
  await row("Account 2");
  expect(screen.queryByRole("link", { name: "Account 1" })).toBeNull();
  await user.type(screen.getByRole("searchbox"), "nothing like this");
  expect(await screen.findByText("Nothing fits")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Show all" }));
  await row("Account 1");
});

test("an empty list says the next step", async () => {
  server.use(...answerWith([]));
  open("/");
  expect(await screen.findByText("No instances yet")).toBeTruthy();
  expect(screen.getAllByRole("link", { name: "New instance" }).length).toBeGreaterThan(0);
});

test("many are stopped at once, and failures are counted", async () => {
  const user = userEvent.setup();
  const stopped: string[] = [];
  server.use(
    http.post(at("/api/v1/instances/:id/stop"), ({ params }) => {
      stopped.push(String(params.id));
      if (params.id === instance(2).id) return problem(409, "NOT_READY", "not now");
      return HttpResponse.json({ success: true, message: "", instance: instance(1, "stopped") });
    }),
  );
  open("/");
  await row("Account 1");
  await user.click(screen.getByRole("checkbox", { name: "Select all" }));
  const bar = screen.getByRole("region", { name: "Selected instances" });
  await user.click(within(bar).getByRole("button", { name: "Stop" }));
  expect(await screen.findByText(/1 instance could not be changed/)).toBeTruthy();
  expect(stopped.sort()).toEqual([instance(1).id, instance(2).id]);
});

test("who may only look is offered nothing that would be refused", async () => {
  const session = { success: true, name: "v", role: "viewer", user_id: "acme", needs_token: true };
  server.use(http.get(at("/api/v1/session"), () => HttpResponse.json(session)));
  open("/");
  await row("Account 1");
  expect(screen.queryByRole("link", { name: "New instance" })).toBeNull();
  expect(screen.queryByRole("button", { name: /^Stop/ })).toBeNull();
  expect(screen.queryByRole("link", { name: "System" })).toBeNull();
});

test("a token is asked for where the gateway wants one, and kept only if it is good", async () => {
  const user = userEvent.setup();
  const isGood = (request: Request) => request.headers.get("Authorization") === "Bearer good";
  server.use(
    http.get(at("/api/v1/session"), ({ request }) =>
      isGood(request)
        ? HttpResponse.json({ success: true, name: "t", role: "operator", user_id: null, needs_token: true })
        : problem(401, "UNAUTHORIZED", "this credential is not valid here"),
    ),
  );
  open("/");
  await user.type(await screen.findByLabelText(/Access token/), "bad");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByText("this credential is not valid here")).toBeTruthy();
  expect(sessionStorage.length).toBe(0);
  await user.clear(screen.getByLabelText(/Access token/));
  await user.type(screen.getByLabelText(/Access token/), "good");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
  await row("Account 1");
  await user.click(screen.getByRole("button", { name: "Sign out" }));
  expect(await screen.findByRole("heading", { name: "Sign in" })).toBeTruthy();
});
