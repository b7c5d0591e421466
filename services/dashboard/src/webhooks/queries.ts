/** What went to the webhook of an instance. Every event of the instance renews it, as the keys begin with "of". */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { messengerAPI, ok } from "../api/messengerAPI";
import type { DeliveryStatus } from "../api/types";

/** No event tells of a new try: they are asked for while somebody looks, and not while the page is out of sight. */
const LOOK_MS = 5000;

export const deliveriesQuery = (id: string, status: DeliveryStatus | null, limit: number) =>
  queryOptions({
    queryKey: ["of", id, "deliveries", status, limit],
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { limit, ...(status && { status }) } };
      return ok(messengerAPI.GET("/api/v1/instances/{id}/webhook/deliveries", { params, signal }));
    },
    staleTime: 0,
    refetchInterval: LOOK_MS,
    placeholderData: keepPreviousData,
  });

export const deliveryQuery = (id: string, deliveryId: string) =>
  queryOptions({
    queryKey: ["of", id, "delivery", deliveryId],
    queryFn: ({ signal }) => {
      const params = { path: { id, delivery_id: deliveryId } };
      return ok(messengerAPI.GET("/api/v1/instances/{id}/webhook/deliveries/{delivery_id}", { params, signal }));
    },
    staleTime: 0,
    refetchInterval: LOOK_MS,
  });
