import { QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import type { ReactNode } from "react";
import { expect, test } from "vitest";
import { newQueryClient } from "./api/queries";
import { instance } from "./test/data";
import { answerWith, at, problem, server } from "./test/gateway";
import { useMessengerProvider } from "./useMessengerProvider";

function hook(options: Parameters<typeof useMessengerProvider>[0] = {}) {
  const queries = newQueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>{children}</QueryClientProvider>
  );
  return renderHook(() => useMessengerProvider(options), { wrapper }).result;
}

const changed = (status: "stopped" | "starting" | "client_ready") =>
  HttpResponse.json({ success: true, message: "", instance: instance(1, status) });

test("it has the instances, the selected one, filters, pages and figures", async () => {
  const it = hook({ selectedId: instance(2).id });
  expect(it.current.isLoading).toBe(true);
  await waitFor(() => expect(it.current.instances).toHaveLength(2));
  await waitFor(() => expect(it.current.stats?.total_messages_today).toBe(7));
  expect(it.current).toMatchObject({ isLoading: false, isCreating: false, error: null });
  expect(it.current.selectedInstance?.id).toBe(instance(2).id);
  expect(it.current.pagination).toMatchObject({ page: 0, pages: 1, total: 2 });
  act(() => it.current.setFilters({ ...it.current.filters, status: "qr_ready" }));
  expect(it.current.instances.map((each) => each.id)).toEqual([instance(2).id]);
});

test("more than fit on a page are on several", async () => {
  const offsets: (string | null)[] = [];
  server.use(
    http.get(at("/api/v1/instances"), ({ request }) => {
      offsets.push(new URL(request.url).searchParams.get("offset"));
      return HttpResponse.json({ success: true, instances: [instance(1)], total: 12_000 });
    }),
  );
  const it = hook();
  await waitFor(() => expect(it.current.pagination.pages).toBe(3));
  act(() => it.current.pagination.setPage(2));
  await waitFor(() => expect(offsets.at(-1)).toBe("10000"));
});

test("what an action answers is shown at once", async () => {
  const asked: string[] = [];
  server.use(
    http.post(at("/api/v1/instances/:id/:verb"), ({ params }) => {
      asked.push(String(params.verb));
      return changed(params.verb === "stop" ? "stopped" : "starting");
    }),
    http.delete(at("/api/v1/instances/:id"), () => {
      asked.push("delete");
      return HttpResponse.json({ success: true, message: "" });
    }),
  );
  const it = hook();
  await waitFor(() => expect(it.current.instances).toHaveLength(2));
  const status = (): string | undefined => it.current.instances[0]?.status;
  const id = instance(1).id;
  await act(async () => void (await it.current.stopInstance(id)));
  await waitFor(() => expect(status()).toBe("stopped"));
  await act(async () => void (await it.current.startInstance(id)));
  await waitFor(() => expect(status()).toBe("starting"));
  await act(async () => void (await it.current.restartInstance(id)));
  await act(async () => void (await it.current.clearErrors(id)));
  await act(() => it.current.deleteInstance(id));
  await waitFor(() => expect(it.current.instances).toHaveLength(1));
  expect(asked).toEqual(["stop", "start", "restart", "clear-errors", "delete"]);
});

test("an instance that is being created is shown when it is there", async () => {
  let answer = (): void => undefined;
  const asked = new Promise<void>((resolve) => (answer = resolve));
  server.use(
    http.post(at("/api/v1/instances"), async () => {
      await asked;
      return HttpResponse.json({ success: true, instance_id: instance(3).id, instance: instance(3, "pending") }, { status: 201 });
    }),
  );
  const it = hook();
  await waitFor(() => expect(it.current.instances).toHaveLength(2));
  const body = { user_id: "acme", provider: "whatsappweb" as const, type_instance: ["api" as const] };
  let made: Promise<unknown> = Promise.resolve();
  act(() => void (made = it.current.createInstance({ body, key: "k" })));
  await waitFor(() => expect(it.current.isCreating).toBe(true));
  answer();
  await act(async () => void (await made));
  await waitFor(() => expect(it.current.instances).toHaveLength(3));
  expect(it.current.isCreating).toBe(false);
});

test("memory, QR code, health, figures and the list can be asked for", async () => {
  server.use(
    http.get(at("/api/v1/instances/:id/memory"), () => HttpResponse.json({ success: true, data: { api_key_usage_count: 5 } })),
    http.get(at("/api/v1/instances/:id/qr"), () => HttpResponse.json({ success: true, code: "AAA", expires_in: 9 })),
  );
  const it = hook();
  await waitFor(() => expect(it.current.instances).toHaveLength(2));
  expect(await it.current.getMemory(instance(1).id)).toMatchObject({ api_key_usage_count: 5 });
  expect(await it.current.getQR(instance(1).id)).toMatchObject({ code: "AAA" });
  expect(await act(() => it.current.checkHealth())).toMatchObject({ status: "healthy" });
  server.use(
    ...answerWith([instance(1)]),
    http.get(at("/api/v1/instances/memory/stats"), () => HttpResponse.json({ success: true, stats: { total_messages_today: 8 } })),
  );
  await act(() => it.current.fetchInstances());
  await act(() => it.current.refreshStats());
  await waitFor(() => expect(it.current.stats?.total_messages_today).toBe(8));
  expect(it.current.instances).toHaveLength(1);
});

test("what went wrong is a problem with the gateway's code", async () => {
  server.use(http.get(at("/api/v1/instances"), () => problem(403, "FORBIDDEN", "not for you")));
  const it = hook();
  await waitFor(() => expect(it.current.error).toMatchObject({ code: "FORBIDDEN", status: 403 }));
});
