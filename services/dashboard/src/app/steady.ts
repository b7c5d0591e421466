/** Which instances have newly come to need somebody, and stayed so for a while. Pure. */
import type { Instance } from "../api/types";
import { needsPerson } from "../instances/view";

/** Takes the list as it is at `now` (ms); returns those to tell of. Each is told once until it has recovered. */
export type Watch = (instances: readonly Instance[], now: number) => Instance[];

export function createWatch(steadyMs: number): Watch {
  /** Since when an instance needs somebody; null once that was told. */
  let needing: Map<string, number | null> | null = null;
  return (instances, now) => {
    const first = needing === null;
    const before = needing ?? new Map<string, number | null>();
    const waiting = instances.filter(needsPerson);
    // What was so when the page was opened is no news.
    needing = new Map(waiting.map(({ id }) => [id, before.has(id) ? (before.get(id) ?? null) : first ? null : now]));
    const due = waiting.filter(({ id }) => {
      const since = needing?.get(id) ?? null;
      return since !== null && now - since >= steadyMs;
    });
    for (const { id } of due) needing.set(id, null);
    return due;
  };
}
