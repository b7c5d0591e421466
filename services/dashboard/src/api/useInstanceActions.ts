/** Everything that can be done to instances; each answer is shown at once, before its event arrives. */
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { remove, show } from "./live";
import { messengerAPI, ok } from "./messengerAPI";
import type { Created, CreateBody, CreationPending, Instance, QrAnswer, UpdateBody } from "./types";

/** A create that says nothing for so long is said to have failed; trying again with the same key is harmless. */
export const CREATE_MS = 15_000;

export function useInstanceActions() {
  const queries = useQueryClient();
  return useMemo(() => actionsOf(queries), [queries]);
}

export type InstanceActions = ReturnType<typeof actionsOf>;

export function actionsOf(queries: QueryClient) {
  function shown(instance: Instance | null): Instance | null {
    if (instance) show(queries, instance);
    return instance;
  }

  async function create(body: CreateBody, key: string): Promise<Created | CreationPending> {
    const params = { header: { "Idempotency-Key": key } };
    const signal = AbortSignal.timeout(CREATE_MS);
    const made = await ok(messengerAPI.POST("/api/v1/instances", { body, params, signal }));
    shown(made.instance);
    void queries.invalidateQueries({ queryKey: ["stats"] });
    return made;
  }

  const at = (id: string) => ({ params: { path: { id } } });

  return {
    create,
    update: async (id: string, body: UpdateBody) =>
      shown((await ok(messengerAPI.PATCH("/api/v1/instances/{id}", { ...at(id), body }))).instance),
    start: async (id: string) => shown((await ok(messengerAPI.POST("/api/v1/instances/{id}/start", at(id)))).instance),
    stop: async (id: string) => shown((await ok(messengerAPI.POST("/api/v1/instances/{id}/stop", at(id)))).instance),
    restart: async (id: string) =>
      shown((await ok(messengerAPI.POST("/api/v1/instances/{id}/restart", at(id)))).instance),
    logout: async (id: string) =>
      shown((await ok(messengerAPI.POST("/api/v1/instances/{id}/logout", at(id)))).instance),
    clearErrors: async (id: string) =>
      shown((await ok(messengerAPI.POST("/api/v1/instances/{id}/clear-errors", at(id)))).instance),
    delete: async (id: string): Promise<void> => {
      await messengerAPI.DELETE("/api/v1/instances/{id}", at(id));
      remove(queries, id);
    },
    getMemory: async (id: string) => (await ok(messengerAPI.GET("/api/v1/instances/{id}/memory", at(id)))).data,
    // Of the forms that this route has, JSON is the one without `format`.
    getQR: (id: string, signal?: AbortSignal) =>
      ok(messengerAPI.GET("/api/v1/instances/{id}/qr", { ...at(id), signal }) as Promise<{ data?: QrAnswer }>),
  };
}
