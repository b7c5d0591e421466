/** What is asked about one instance. The keys begin with "of", so that an event about it renews what is on the screen. */
import { queryOptions } from "@tanstack/react-query";
import { messengerAPI, ok } from "../api/messengerAPI";

const path = (id: string) => ({ path: { id } });

export const loginQuery = (id: string) =>
  queryOptions({
    queryKey: ["of", id, "login"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/instances/{id}/login", { params: path(id), signal }))).login_step,
  });

export const memoryQuery = (id: string) =>
  queryOptions({
    queryKey: ["of", id, "memory"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/instances/{id}/memory", { params: path(id), signal }))).data,
  });

export const activityQuery = (id: string) =>
  queryOptions({
    queryKey: ["of", id, "activity"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/instances/{id}/activity-stats", { params: path(id), signal }))).data,
  });

export const statusHistoryQuery = (id: string, limit: number) =>
  queryOptions({
    queryKey: ["of", id, "status-history", limit],
    queryFn: async ({ signal }) => {
      const params = { ...path(id), query: { limit } };
      return (await ok(messengerAPI.GET("/api/v1/instances/{id}/status-history", { params, signal }))).data;
    },
  });

export const qrHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: ["of", id, "qr-history"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/instances/{id}/qr-history", { params: path(id), signal }))).data,
  });

export const keyHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: ["of", id, "key-history"],
    queryFn: async ({ signal }) =>
      (await ok(messengerAPI.GET("/api/v1/instances/{id}/api-key-history", { params: path(id), signal }))).data,
  });

export const errorsQuery = (id: string, limit: number) =>
  queryOptions({
    queryKey: ["of", id, "errors", limit],
    queryFn: async ({ signal }) => {
      const params = { ...path(id), query: { limit } };
      return (await ok(messengerAPI.GET("/api/v1/instances/{id}/errors", { params, signal }))).data;
    },
  });
