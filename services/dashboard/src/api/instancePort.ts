/** The instance's own port, through the gateway: what it stores, and what waits in its queue. */
import type { QueryClient } from "@tanstack/react-query";
import { messengerAPI, ok } from "./messengerAPI";
import { asProblem } from "./problem";
import { accessToken } from "./token";
import type { Instance } from "./types";

type Opened = { params: { path: { port: number } }; headers: Record<string, string>; signal: AbortSignal };

/**
 * Ask the port. The caller's access token opens it; a gateway that asks for none has none to show, so there the
 * instance's API key does.
 */
export async function askPort<T>(
  queries: QueryClient,
  instance: Pick<Instance, "id" | "port_api">,
  signal: AbortSignal,
  ask: (opened: Opened) => Promise<{ data?: T }>,
): Promise<T> {
  const opened = (headers: Record<string, string>): Opened => ({
    params: { path: { port: (instance.port_api ?? `i/${instance.id}`) as number } },
    headers,
    signal,
  });
  if (accessToken.get()) return ok(ask(opened({})));
  const key = keyQuery(instance.id);
  const authorized = async () => ({ Authorization: `Bearer ${await queries.fetchQuery(key)}` });
  try {
    return await ok(ask(opened(await authorized())));
  } catch (error) {
    if (asProblem(error).status !== 401) throw error;
    queries.removeQueries({ queryKey: key.queryKey }); // it was replaced
    return ok(ask(opened(await authorized())));
  }
}

const keyQuery = (id: string) => ({
  queryKey: ["port-key", id],
  queryFn: async () =>
    (await ok(messengerAPI.GET("/api/v1/instances/{id}/credentials", { params: { path: { id } } }))).api_key,
  staleTime: "static" as const, // whoever looks at it is recorded
});
