import { expect, test } from "vitest";
import type { StatusChange } from "../api/types";
import { perHour, segments, share } from "./history";
import { plain } from "./plain";

const change = (status: StatusChange["status"], at: number): StatusChange => ({
  ...{ status, timestamp: new Date(at).toISOString(), source: "", message: "", code: "", actor: "", epoch: 1 },
});

test("a day is cut into what was in it, with what it began in", () => {
  const changes = [change("error", 80), change("client_ready", 30), change("client_ready", 20), change("starting", 5)];
  expect(segments(changes, 10, 100)).toEqual([
    { status: "starting", from: 10, to: 20 },
    { status: "client_ready", from: 20, to: 80 },
    { status: "error", from: 80, to: 100 },
  ]);
  expect(share(segments(changes, 10, 100), (status) => status === "client_ready")).toBeCloseTo(60 / 90);
  expect(share([], () => true)).toBe(0);
});

test("only the last day's hours are counted", () => {
  const hour = 3_600_000;
  const now = 1000 * hour + 5;
  const { counts } = perHour([now, now - hour, now - hour, now - 25 * hour], now);
  expect(counts.slice(-2)).toEqual([2, 1]);
  expect(counts.reduce((sum, each) => sum + each, 0)).toBe(3);
});

test("log lines lose their escape codes and stay text", () => {
  expect(plain("\u001b[31mred\u001b[0m <b>bold</b>\u0007 \u001b]0;title\u0007end")).toBe("red <b>bold</b> end");
});
