/** The gateway's REST interface, typed by its OpenAPI document. */
import createClient from "openapi-fetch";
import type { paths } from "./schema";
import { send } from "./send";

export const messengerAPI = createClient<paths>({ baseUrl: globalThis.location?.origin ?? "", fetch: send });

/** The body of a success; failures have been thrown as Problem before. */
export async function ok<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}
