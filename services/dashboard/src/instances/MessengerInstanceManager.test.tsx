import { onlineManager } from "@tanstack/react-query";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { delay, http, HttpResponse } from "msw";
import { expect, test, vi } from "vitest";
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

test("a change is shown although the gateway was busy when it was asked about it", async () => {
  open("/");
  await row("Account 2");
  await waitFor(() => expect(listening()).toBe(1));
  let refused = false;
  const busy = http.get(at("/api/v1/instances/:id"), () => {
    refused = true;
    return problem(504, "TIMEOUT", "busy");
  });
  server.use(busy, ...answerWith([instance(1), instance(2, "client_ready")]));
  emit("client_ready", instance(2).id);
  await waitFor(async () => expect(within(await row("Account 2")).getByText("Ready")).toBeTruthy());
  expect(refused).toBe(true);
});

test("a gateway on this machine is asked although the browser has no network", async () => {
  onlineManager.setOnline(false);
  try {
    open("/");
    await row("Account 1");
  } finally {
    onlineManager.setOnline(true);
  }
});

test("a gateway that is away when the page is opened is asked until it is back", async () => {
  let asked = 0;
  const away = http.get(at("/api/v1/session"), () => ((asked += 1) <= 5 ? problem(503, "UNAVAILABLE", "away") : undefined));
  server.use(away);
  const hurry = setInterval(() => vi.advanceTimersByTime(200), 20);
  vi.useFakeTimers();
  try {
    open("/");
    const patient = { timeout: 60_000 };
    expect((await screen.findByRole("alert", {}, patient)).textContent).toContain("away");
    await screen.findByRole("link", { name: "Account 1" }, patient);
  } finally {
    vi.useRealTimers();
    clearInterval(hurry);
  }
  expect(asked).toBe(6);
});

test("nothing is asked before the link is open, so that nothing is missed", async () => {
  let asked = false;
  let askedBefore: boolean | undefined;
  const note = http.get(at("/api/v1/instances"), () => void (asked = true));
  const opens = async (): Promise<void> => {
    await delay(300);
    askedBefore = asked;
  };
  server.use(note, http.get(at("/api/v1/events"), opens));
  open("/");
  await row("Account 1");
  expect(askedBefore).toBe(false);
});

test("a link that opens late does not hold up the page, which then catches up", async () => {
  let letOpen = () => {};
  const opened = new Promise<void>((resolve) => (letOpen = resolve));
  server.use(http.get(at("/api/v1/events"), async () => void (await opened)));
  open("/");
  await screen.findByRole("link", { name: "Account 1" }, { timeout: 4000 });
  server.use(...answerWith([instance(1, "error")]));
  letOpen();
  await waitFor(async () => expect(within(await row("Account 1")).getByText("Error")).toBeTruthy());
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

test("many are stopped at once, and each that could not be says why and stays selected", async () => {
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
  const alert = await within(bar).findByRole("alert");
  expect(alert.textContent).toContain("1 instance could not be changed");
  expect(within(alert).getByRole("listitem").textContent).toBe("Account 2 · not now");
  expect(await screen.findByText("1 instance stopped")).toBeTruthy();
  expect(stopped.sort()).toEqual([instance(1).id, instance(2).id]);
  expect(within(bar).getByText("1 selected")).toBeTruthy();
  await user.click(within(bar).getByRole("button", { name: "Stop" }));
  await waitFor(() => expect(stopped).toHaveLength(3));
  expect(stopped.at(-1)).toBe(instance(2).id);
});

test("what needs a higher role is off and says why", async () => {
  const session = { success: true, name: "v", role: "viewer", user_id: "acme", needs_token: true };
  server.use(http.get(at("/api/v1/session"), () => HttpResponse.json(session)));
  open("/");
  await row("Account 1");
  const isOff = (name: string, role: string): void => {
    const button = screen.getByRole<HTMLButtonElement>("button", { name });
    expect(button.disabled).toBe(true);
    expect(button.title).toContain(`needs the role ${role}`);
  };
  isOff("New instance", "Admin");
  isOff("Stop: Account 1", "Operator");
  isOff("Edit: Account 1", "Admin");
  expect(screen.getByRole("note").textContent).toContain("Your role: Viewer");
  await userEvent.setup().click(screen.getByRole("checkbox", { name: "Select all" }));
  isOff("Start", "Operator");
  isOff("Stop", "Operator");
  expect(screen.queryByRole("link", { name: "System" })).toBeNull();
});

test("an address that needs a higher role says so instead of failing", async () => {
  const session = { success: true, name: "v", role: "viewer", user_id: null, needs_token: true };
  server.use(http.get(at("/api/v1/session"), () => HttpResponse.json(session)));
  open(`/instances/${instance(1).id}?tab=credentials`);
  expect(await screen.findByText(/needs the role Admin/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Show the API key" })).toBeNull();
});

test("a list that cannot be had for a moment is asked for again by itself", async () => {
  const asked: number[] = [];
  server.use(
    http.get(at("/api/v1/instances"), () => {
      asked.push(performance.now());
      return asked.length < 3 ? problem(503, "BUS_UNAVAILABLE", "away") : undefined;
    }),
  );
  open("/");
  await row("Account 1");
  const [first = 0, second = 0, third = 0] = asked;
  // The shortest pauses that there may be: on a busy machine an answer takes any time.
  expect(second - first).toBeGreaterThanOrEqual(499);
  expect(third - second).toBeGreaterThanOrEqual(999);
});

test("what waits for a person is listed above, and says so when nothing does", async () => {
  server.use(...answerWith([instance(1), instance(2, "error")]));
  open("/");
  await row("Account 2");
  const repairs = screen.getByRole("region", { name: "Needs your hand" });
  expect(within(repairs).getByRole("link", { name: /Account 2/ }).getAttribute("href")).toContain(instance(2).id);
  server.use(...answerWith([instance(1), instance(2)]));
  await waitFor(() => expect(listening()).toBeGreaterThan(0));
  emit("client_ready", instance(2).id);
  expect(await within(repairs).findByText("Nothing waits for your hand")).toBeTruthy();
});

test("the way back from an instance leads to the same filters", async () => {
  const user = userEvent.setup();
  open("/?status=client_ready&sort=name");
  await user.click(await screen.findByRole("link", { name: "Account 1" }));
  const back = await screen.findByRole("link", { name: /All instances/ });
  expect(back.getAttribute("href")).toBe("/?status=client_ready&sort=name");
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
