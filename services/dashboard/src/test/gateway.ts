/** A gateway in memory; a test replaces the answers that it is about. */
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import type { Instance } from "../api/types";
import { instance, providers } from "./data";

export const at = (path: string): string => `${location.origin}${path}`;

let streams: ReadableStreamDefaultController<Uint8Array>[] = [];
const bytes = new TextEncoder();
let last = 0;

/** Tell everybody who listens that something happened to an instance. */
export function emit(name: string, instanceId: string, data: object = {}): void {
  last += 1;
  const envelope = JSON.stringify({ subject: instanceId, time: new Date().toISOString(), data });
  for (const stream of streams) stream.enqueue(bytes.encode(`id: ${last}\nevent: ${name}\ndata: ${envelope}\n\n`));
}

/** Break the live link; the page comes back by itself. */
export function hangUp(): void {
  for (const stream of streams.splice(0)) stream.close();
}

export function listening(): number {
  return streams.length;
}

export function problem(status: number, code: string, error: string, more: object = {}) {
  return HttpResponse.json({ success: false, error, code, request_id: "r1", ...more }, { status });
}

export function answerWith(instances: Instance[]) {
  return [
    http.get(at("/api/v1/instances"), () => HttpResponse.json({ success: true, instances, total: instances.length })),
    http.get(at("/api/v1/instances/:id"), ({ params }) => {
      const found = instances.find((each) => each.id === params.id);
      return found ? HttpResponse.json({ success: true, instance: found }) : problem(404, "NOT_FOUND", "no such instance");
    }),
  ];
}

const stats = {
  total_instances: 2,
  active_instances: 1,
  authenticated_instances: 1,
  error_instances: 0,
  qr_pending_instances: 1,
  memory_usage_mb: 80,
  avg_uptime_hours: 1.5,
  total_messages_today: 7,
  by_provider: {},
};

export const server = setupServer(
  http.get(at("/api/v1/session"), () =>
    HttpResponse.json({ success: true, name: "local", role: "admin", user_id: null, needs_token: false }),
  ),
  http.get(at("/api/v1/events"), () => {
    let mine: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(stream) {
        mine = stream;
        streams.push(stream);
        stream.enqueue(bytes.encode("retry: 1000\n: connected\n\n"));
      },
      cancel() {
        streams = streams.filter((each) => each !== mine);
      },
    });
    return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
  }),
  http.get(at("/health"), () => HttpResponse.json({ status: "healthy", sandbox: true, services: {}, version: "1" })),
  http.get(at("/api/v1/instances/memory/stats"), () => HttpResponse.json({ success: true, stats })),
  http.get(at("/api/v1/providers"), () => HttpResponse.json({ success: true, providers })),
  http.get(at("/api/v1/instances/:id/activity-stats"), () => {
    const data = { uptime_hours: 1, messages_sent_today: 0, messages_received_today: 0, health_score: 100 };
    return HttpResponse.json({ success: true, data });
  }),
  http.get(at("/api/v1/resources/performance"), () => problem(503, "BUS_UNAVAILABLE", "the bus is away")),
  ...answerWith([instance(1), instance(2, "qr_ready")]),
);
