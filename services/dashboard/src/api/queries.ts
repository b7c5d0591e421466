/** What is asked of the gateway, by the keys under which the answers are cached. */
import { keepPreviousData, QueryClient, queryOptions } from "@tanstack/react-query";
import { messengerAPI, ok } from "./messengerAPI";
import { asProblem } from "./problem";
import type { Health, Instance } from "./types";

export const PAGE_SIZE = 5000;

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: "always", // the gateway may be on this machine, which needs no network for it
        staleTime: Infinity, // the live events say when something changed
        gcTime: 5 * 60_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 4 && asProblem(error).mayPass,
        retryDelay: (attempt) => Math.min(8000, 500 * 2 ** attempt),
      },
      mutations: { networkMode: "always" },
    },
  });
}

export type InstancePage = { instances: Instance[]; total: number };

export const instancesQuery = (page = 0) =>
  queryOptions({
    queryKey: ["instances", page],
    queryFn: async ({ signal }): Promise<InstancePage> => {
      const query = { limit: PAGE_SIZE, offset: page * PAGE_SIZE };
      const { instances, total } = await ok(messengerAPI.GET("/api/v1/instances", { params: { query }, signal }));
      return { instances, total };
    },
    placeholderData: keepPreviousData,
  });

export const instanceQuery = (id: string) =>
  queryOptions({ queryKey: ["instance", id], queryFn: ({ signal }) => fetchInstance(id, signal) });

export async function fetchInstance(id: string, signal?: AbortSignal): Promise<Instance> {
  const answer = await ok(messengerAPI.GET("/api/v1/instances/{id}", { params: { path: { id } }, signal }));
  return answer.instance;
}

export const statsQuery = () =>
  queryOptions({
    queryKey: ["stats"],
    queryFn: async ({ signal }) => (await ok(messengerAPI.GET("/api/v1/instances/memory/stats", { signal }))).stats,
  });

/** What tells nothing by itself is asked for so often, while somebody looks. */
const LOOK_MS = 5000;

/** Without it there is no page, and so no live link that would come back. */
export const sessionQuery = () =>
  queryOptions({
    queryKey: ["session"],
    queryFn: ({ signal }) => ok(messengerAPI.GET("/api/v1/session", { signal })),
    refetchInterval: ({ state }) => (state.error !== null && asProblem(state.error).mayPass ? LOOK_MS : false),
  });

export const providersQuery = () =>
  queryOptions({
    queryKey: ["providers"],
    queryFn: async ({ signal }) => (await ok(messengerAPI.GET("/api/v1/providers", { signal }))).providers,
  });

export const performanceQuery = () =>
  queryOptions({
    queryKey: ["performance"],
    queryFn: ({ signal }) => ok(messengerAPI.GET("/api/v1/resources/performance", { signal })),
    refetchInterval: LOOK_MS,
  });

export const resourcesQuery = () =>
  queryOptions({
    queryKey: ["resources"],
    queryFn: ({ signal }) => ok(messengerAPI.GET("/api/v1/resources", { signal })),
    refetchInterval: LOOK_MS,
  });

export const portsQuery = () =>
  queryOptions({
    queryKey: ["ports"],
    queryFn: ({ signal }) => ok(messengerAPI.GET("/api/v1/resources/ports", { signal })),
  });

/** Degraded comes as 503 and still says which part is down. */
async function fetchHealth({ signal }: { signal: AbortSignal }): Promise<Health> {
  const response = await globalThis.fetch("/health", { signal });
  return (await response.json()) as Health;
}

export const healthQuery = () =>
  queryOptions({
    queryKey: ["health"],
    queryFn: fetchHealth,
    retry: 1,
    refetchInterval: LOOK_MS,
  });
