/** Which instances are shown, and in which order. Pure. */
import type { Instance, Provider, Status, UserAction } from "../api/types";

export type SortKey = "name" | "status" | "provider" | "user" | "port" | "seen" | "today" | "created";

export type Filters = {
  search: string;
  status: Status | "attention" | null;
  provider: Provider | null;
  sort: SortKey;
  descending: boolean;
};

export const NO_FILTERS: Filters = { search: "", status: null, provider: null, sort: "created", descending: false };

const PERSON: readonly UserAction[] = [
  "scan_qr",
  "enter_code",
  "enter_password",
  "confirm_on_phone",
  "new_token",
  "restart",
];

/** Whether a person has to do something before this instance works. Silence alone is no reason. */
export function needsPerson(instance: Instance): boolean {
  if (instance.desired === "stopped" || instance.status === "stopped") return false;
  return instance.status === "error" || PERSON.includes(instance.reason.user_action);
}

/** The counters of today; those of another day are none of today's. */
export function todayOf(instance: Instance, now: Date): { sent: number; received: number } {
  const stats = instance.message_stats;
  const day = stats.daily_reset_at?.slice(0, 10);
  const isToday = day === now.toISOString().slice(0, 10);
  return isToday ? { sent: stats.daily_sent, received: stats.daily_received } : { sent: 0, received: 0 };
}

export function messagesToday(instance: Instance, now: Date): number {
  const { sent, received } = todayOf(instance, now);
  return sent + received;
}

export function titleOf(instance: Instance): string {
  return instance.name ?? instance.account ?? instance.id.slice(0, 8);
}

export function select(instances: readonly Instance[], filters: Filters, now: Date): Instance[] {
  const needle = filters.search.trim().toLocaleLowerCase();
  const found = instances.filter(
    (instance) =>
      (filters.provider === null || instance.provider === filters.provider) &&
      fitsStatus(instance, filters.status) &&
      (needle === "" || haystack(instance).includes(needle)),
  );
  return sorted(found, filters, now);
}

function fitsStatus(instance: Instance, wanted: Filters["status"]): boolean {
  if (wanted === null) return true;
  return wanted === "attention" ? needsPerson(instance) : instance.status === wanted;
}

function haystack(instance: Instance): string {
  const { id, name, user_id, account, phone_number, port, reason } = instance;
  return [id, name, user_id, account, phone_number, port, reason.message].join("\n").toLocaleLowerCase();
}

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function sorted(found: Instance[], { sort, descending }: Filters, now: Date): Instance[] {
  if (sort === "created") return descending ? found.toReversed() : found; // as the gateway lists them
  const keys = new Map(found.map((instance) => [instance, sortKey(instance, sort, now)]));
  const sign = descending ? -1 : 1;
  return found.sort((a, b) => sign * compare(keys.get(a) ?? "", keys.get(b) ?? ""));
}

function compare(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number" ? a - b : order.compare(String(a), String(b));
}

function sortKey(instance: Instance, sort: SortKey, now: Date): string | number {
  switch (sort) {
    case "name":
      return titleOf(instance);
    case "status":
      return instance.status;
    case "provider":
      return instance.provider;
    case "user":
      return instance.user_id;
    case "port":
      return instance.port ?? 0;
    case "seen":
      return Date.parse(instance.last_seen ?? "") || 0;
    case "today":
      return messagesToday(instance, now);
    default:
      return instance.created_at;
  }
}
