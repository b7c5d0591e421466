/** The gateway's REST interface, typed by its OpenAPI document. */
import createClient, { defaultPathSerializer } from "openapi-fetch";
import type { paths } from "./schema";
import { send } from "./send";

/** The routes of an instance's port are also at `/i/{id}/…`: there for one without a port of its own. */
function pathOf(path: string, { port, ...params }: Record<string, unknown>): string {
  const place = typeof port === "string" ? port : encodeURIComponent(String(port));
  return defaultPathSerializer(path.replace("{port}", place), params);
}

const baseUrl = globalThis.location?.origin ?? "";
export const messengerAPI = createClient<paths>({ baseUrl, fetch: send, pathSerializer: pathOf });

/** The body of a success; failures have been thrown as Problem before. */
export async function ok<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}
