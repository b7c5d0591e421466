/** Charts from histories. Pure; times in ms. */
import type { Status, StatusChange } from "../api/types";

export type Segment = { status: Status; from: number; to: number };

/** Where the instance stood between two times, from its changes (newest first). */
export function segments(changes: readonly StatusChange[], from: number, to: number): Segment[] {
  const found: Segment[] = [];
  let end = to;
  for (const change of changes) {
    const at = Date.parse(change.timestamp);
    if (at >= end) continue;
    const begin = Math.max(at, from);
    const next = found.at(-1);
    if (next?.status === change.status) next.from = begin;
    else found.push({ status: change.status, from: begin, to: end });
    end = begin;
    if (at <= from) break;
  }
  return found.reverse();
}

/** Which part of the time was spent so, 0 to 1. */
export function share(parts: readonly Segment[], fits: (status: Status) => boolean): number {
  const length = (some: readonly Segment[]): number => some.reduce((sum, part) => sum + part.to - part.from, 0);
  const total = length(parts);
  return total === 0 ? 0 : length(parts.filter((part) => fits(part.status))) / total;
}

const HOUR_MS = 3_600_000;
const HOURS = 24;

/** How many fell into each of the last 24 hours; `times` in seconds, as charts want them. */
export function perHour(moments: readonly number[], now: number): { times: number[]; counts: number[] } {
  const last = Math.floor(now / HOUR_MS);
  const counts = new Array<number>(HOURS).fill(0);
  for (const moment of moments) {
    const index = HOURS - 1 - (last - Math.floor(moment / HOUR_MS));
    if (index in counts) counts[index] = (counts[index] ?? 0) + 1;
  }
  return { times: counts.map((_, index) => ((last - HOURS + 1 + index) * HOUR_MS) / 1000), counts };
}
