/**
 * Keeps the cached instances as the gateway sees them: an event says which instance changed, and the gateway, which
 * has folded it by then, is asked how that one stands now. Many changes at once are asked for together.
 */
import type { QueryClient, QueryFilters } from "@tanstack/react-query";
import { asProblem } from "./problem";
import { fetchInstance, type InstancePage } from "./queries";
import type { ServerEvent } from "./sse";
import type { Instance } from "./types";

const GATHER_MS = 120;
const LIST_MS = 1500;
const FEW = 8;
/** Keys that begin so hold something that any change may have changed. */
const DEPENDENT = ["stats", "providers", "ports"];

export function createFollower(queries: QueryClient) {
  const changed = new Set<string>();
  /** One answer about an instance after the other, or an older one could come last. */
  const asking = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let listAsked = 0;

  async function flush(): Promise<void> {
    timer = undefined;
    const ids = [...changed].filter((id) => !asking.has(id));
    if (ids.length > FEW && Date.now() - listAsked < LIST_MS) return plan(LIST_MS);
    ids.forEach((id) => changed.delete(id));
    if (ids.length > FEW) {
      listAsked = Date.now();
      await renew(queries, { queryKey: ["instances"] });
      await renew(queries, { queryKey: ["instance"] });
    } else {
      await Promise.all(ids.map(ask));
    }
    for (const key of DEPENDENT) void renew(queries, { queryKey: [key] });
  }

  async function ask(id: string): Promise<void> {
    asking.add(id);
    try {
      await refresh(queries, id);
    } finally {
      asking.delete(id);
      if (changed.has(id)) plan(GATHER_MS);
    }
  }

  function plan(ms: number): void {
    timer ??= setTimeout(() => void flush(), ms);
  }

  return {
    take(events: ServerEvent[]): void {
      for (const event of events) {
        const id = subjectOf(event);
        if (id) changed.add(id);
      }
      if (changed.size > 0) plan(GATHER_MS);
    },
    /** After a break nobody knows what was missed. */
    catchUp(): void {
      void renew(queries, { predicate: (query) => query.queryKey[0] !== "session" });
    },
  };
}

/** Ask anew, also for what is being asked just now: its answer may be from before the change. */
async function renew(queries: QueryClient, which: QueryFilters): Promise<void> {
  await queries.cancelQueries(which);
  await queries.invalidateQueries(which);
}

function subjectOf(event: ServerEvent): string | null {
  const envelope: unknown = JSON.parse(event.data);
  if (typeof envelope !== "object" || envelope === null || !("subject" in envelope)) return null;
  return typeof envelope.subject === "string" ? envelope.subject : null;
}

async function refresh(queries: QueryClient, id: string): Promise<void> {
  try {
    show(queries, await fetchInstance(id));
  } catch (error) {
    if (asProblem(error).status === 404) return remove(queries, id);
    // What is on the screen is asked for until it is known, or says that it is not.
    await Promise.all([["instances"], ["instance", id], ["of", id]].map((queryKey) => renew(queries, { queryKey })));
  }
}

/** Put an instance into every answer that holds it. */
export function show(queries: QueryClient, instance: Instance): void {
  queries.setQueriesData<InstancePage>({ queryKey: ["instances"] }, (page) => page && withInstance(page, instance));
  queries.setQueryData(["instance", instance.id], instance);
  // What is shown beside it: history, figures, login step. Only what is on the screen is asked for again.
  void renew(queries, { queryKey: ["of", instance.id] });
}

export function remove(queries: QueryClient, id: string): void {
  queries.setQueriesData<InstancePage>({ queryKey: ["instances"] }, (page) => page && withoutInstance(page, id));
  void renew(queries, { queryKey: ["instance", id] });
}

function withInstance(page: InstancePage, instance: Instance): InstancePage {
  const at = page.instances.findIndex((each) => each.id === instance.id);
  if (at < 0) return { instances: [...page.instances, instance], total: page.total + 1 };
  return { ...page, instances: page.instances.with(at, instance) };
}

function withoutInstance(page: InstancePage, id: string): InstancePage {
  const instances = page.instances.filter((each) => each.id !== id);
  return { instances, total: page.total - (page.instances.length - instances.length) };
}
