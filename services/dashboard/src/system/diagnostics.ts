/** A file for whoever helps: how the system stands, without secrets, messages, names, phone numbers or addresses. */
import { messengerAPI, ok } from "../api/messengerAPI";
import { PAGE_SIZE } from "../api/queries";
import type { Instance } from "../api/types";

export async function saveDiagnostics(): Promise<void> {
  const text = JSON.stringify(await diagnostics(), null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `mim-diagnostics-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export async function diagnostics() {
  const params = { query: { limit: PAGE_SIZE } };
  const [health, performance, resources, stats, list] = await Promise.all([
    globalThis.fetch("/health").then((response) => response.json() as Promise<unknown>),
    ok(messengerAPI.GET("/api/v1/resources/performance")),
    ok(messengerAPI.GET("/api/v1/resources")),
    ok(messengerAPI.GET("/api/v1/instances/memory/stats")),
    ok(messengerAPI.GET("/api/v1/instances", { params })),
  ]);
  const browser = { userAgent: navigator.userAgent, language: navigator.language, page: location.pathname };
  return { at: new Date().toISOString(), browser, health, performance, resources, stats, instances: list.instances.map(plainOf) };
}

/** Only what is named here: a field that is added later is left out by itself. */
export function plainOf(instance: Instance) {
  const { id, provider, type_instance, status, desired, reason, restriction, worker, epoch, ports } = instance;
  const { observed_at, created_at, updated_at, last_seen, message_stats } = instance;
  const { code, user_action, since } = reason; // its sentence may name the account
  return {
    ...{ id, provider, type_instance, status, desired, reason: { code, user_action, since }, restriction },
    ...{ worker, epoch, ports, observed_at, created_at, updated_at, last_seen, message_stats },
    has_webhook: instance.api_webhook_schema !== null,
  };
}
