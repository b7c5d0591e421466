import { http, HttpResponse } from "msw";
import { expect, test } from "vitest";
import { diagnostics, plainOf } from "../system/diagnostics";
import { ranges } from "../system/Ports";
import { instance } from "../test/data";
import { at, problem, server } from "../test/gateway";
import { messengerAPI } from "./messengerAPI";
import { parse, readStream, type ServerEvent } from "./sse";
import { accessToken } from "./token";

const stop = () => messengerAPI.POST("/api/v1/instances/{id}/stop", { params: { path: { id: "x" } } });

test("a POST that fails for a moment is tried again with the same key", async () => {
  const keys: (string | null)[] = [];
  server.use(
    http.post(at("/api/v1/instances/x/stop"), ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      return keys.length < 3 ? problem(503, "BUS_UNAVAILABLE", "away") : HttpResponse.json({ success: true });
    }),
  );
  await stop();
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test("a change that fails for a moment is tried again; one that was made though its answer was lost counts as made", async () => {
  const params = { params: { path: { id: "x" } } };
  const asked: string[] = [];
  server.use(
    http.all(at("/api/v1/instances/x"), ({ request }) => {
      asked.push(request.method);
      if (asked.length % 2 === 1) return HttpResponse.error();
      return request.method === "PATCH" ? HttpResponse.json({ success: true }) : problem(404, "NOT_FOUND", "gone");
    }),
  );
  await messengerAPI.PATCH("/api/v1/instances/{id}", { ...params, body: { name: "a" } });
  await messengerAPI.DELETE("/api/v1/instances/{id}", params);
  expect(asked).toEqual(["PATCH", "PATCH", "DELETE", "DELETE"]);
});

test("a refusal is not tried again, and says what the gateway said", async () => {
  let calls = 0;
  server.use(
    http.post(at("/api/v1/instances/x/stop"), () => {
      calls += 1;
      return problem(404, "NOT_FOUND", "there is no instance 'x'");
    }),
  );
  await expect(stop()).rejects.toMatchObject({ code: "NOT_FOUND", status: 404, requestId: "r1", mayPass: false });
  expect(calls).toBe(1);
});

test("a token that is no longer valid is forgotten", async () => {
  accessToken.set("old", true);
  server.use(http.post(at("/api/v1/instances/x/stop"), () => problem(401, "UNAUTHORIZED", "not valid")));
  await expect(stop()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect(accessToken.get()).toBeNull();
  expect(localStorage.length).toBe(0);
});

test("events are read whole however they are cut", async () => {
  const bytes = new TextEncoder().encode(": ping\n\nid: 7\nevent: error\ndata: {\"a\":\"ж\"}\n\nid: 8\nevent: x\ndata: 1\n\n");
  const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const body = new ReadableStream<Uint8Array>({
    pull(stream) {
      const piece = pieces.shift();
      if (piece) stream.enqueue(piece);
      else stream.close();
    },
  });
  const seen: ServerEvent[] = [];
  await readStream(new Response(body), (events) => seen.push(...events));
  expect(seen).toEqual([
    { id: "7", name: "error", data: '{"a":"ж"}' },
    { id: "8", name: "x", data: "1" },
  ]);
  expect(parse(": ping")).toBeNull();
});

test("the diagnostics file names nobody and holds no secret", async () => {
  const secret = instance(1, "error", { account: "alice", phone_number: "+1555", token_hint: "hint", name: "Alice's" });
  const text = JSON.stringify(plainOf(secret));
  for (const word of ["alice", "Alice", "+1555", "hint", "acme"]) expect(text).not.toContain(word);
  server.use(
    http.get(at("/api/v1/resources/performance"), () => HttpResponse.json({ success: true })),
    http.get(at("/api/v1/resources"), () => HttpResponse.json({ success: true })),
  );
  expect(await diagnostics()).toMatchObject({ health: { status: "healthy" }, instances: [{ provider: "whatsappweb" }, {}] });
});

test("ports beside each other are one range", () => {
  expect(ranges([1, 2, 3, 7, 9, 10])).toEqual(["1–3", "7", "9–10"]);
});
