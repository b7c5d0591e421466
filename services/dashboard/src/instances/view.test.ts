import { expect, test } from "vitest";
import { instance } from "../test/data";
import { filtersOf, readFilters, searchOf } from "./address";
import { messagesToday, needsPerson, NO_FILTERS, select } from "./view";

const now = new Date("2026-01-02T10:00:00Z");
const reason = (user_action: "scan_qr" | "wait" | "none") => ({ reason: { code: "X", message: "", user_action, since: "" } });

test("a person is needed where only a person can go on, never for silence or what was stopped on purpose", () => {
  expect(needsPerson(instance(1, "qr_ready", reason("scan_qr")))).toBe(true);
  expect(needsPerson(instance(1, "reconnecting", reason("wait")))).toBe(false);
  expect(needsPerson(instance(1, "error", reason("none")))).toBe(true);
  expect(needsPerson(instance(1, "stopped", { ...reason("scan_qr"), desired: "stopped" }))).toBe(false);
});

test("messages of yesterday are not of today", () => {
  const stats = { sent_count: 9, received_count: 9, daily_sent: 2, daily_received: 3 };
  const on = (day: string) => instance(1, "client_ready", { message_stats: { ...stats, daily_reset_at: day } });
  expect(messagesToday(on("2026-01-02T00:00:00.000Z"), now)).toBe(5);
  expect(messagesToday(on("2026-01-01T00:00:00.000Z"), now)).toBe(0);
});

test("numbers in names are sorted as numbers, either way", () => {
  const three = [instance(10), instance(9), instance(1)];
  const names = (descending: boolean) =>
    select(three, { ...NO_FILTERS, sort: "name", descending }, now).map((each) => each.name);
  expect(names(false)).toEqual(["Account 1", "Account 9", "Account 10"]);
  expect(names(true)).toEqual(["Account 10", "Account 9", "Account 1"]);
});

test("search finds ports, accounts and reasons", () => {
  const two = [instance(1), instance(2, "error", { reason: { code: "X", message: "flood wait", user_action: "wait", since: "" } })];
  expect(select(two, { ...NO_FILTERS, search: "3001" }, now)).toHaveLength(1);
  expect(select(two, { ...NO_FILTERS, search: "FLOOD" }, now).map((each) => each.name)).toEqual(["Account 2"]);
});

test("filters survive the way through the address, and nonsense in it does no harm", () => {
  const filters = { search: "a b", status: "error", provider: "telegram", sort: "seen", descending: true } as const;
  expect(filtersOf(readFilters({ ...searchOf(filters) }))).toEqual(filters);
  expect(searchOf(NO_FILTERS)).toEqual({});
  expect(filtersOf(readFilters({ status: "<b>", sort: "__proto__", desc: "yes" }))).toEqual(NO_FILTERS);
});
