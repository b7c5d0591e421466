/** How a request travels: with the token, a deadline, and tried again where that is harmless: a POST by its key. */
import { asProblem, Problem, problemOf } from "./problem";
import { accessToken } from "./token";

/** The longest that the gateway takes is 22 s, for a pairing code. */
export const DEADLINE_MS = 25_000;
/** A connection so slow (50 kB/s) still gets a file through in time. */
const SLOWEST_BYTES_PER_MS = 50;
const TRIES = 3;
const FIRST_WAIT_MS = 400;

/** Send a request; throws a Problem for everything but a success. */
export async function send(request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  const token = accessToken.get();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const isPost = request.method === "POST";
  if (isPost && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", newKey());
  const bytes = await request.arrayBuffer(); // not every browser tells by `request.body` whether there are any
  const body = bytes.byteLength > 0 ? bytes : undefined;
  const tries = request.method === "GET" ? 1 : TRIES; // reads are tried again by the query cache
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(request, headers, body);
    } catch (error) {
      const problem = asProblem(error);
      // The try before this one did it, and only its answer was lost.
      if (attempt > 1 && request.method === "DELETE" && problem.status === 404) return new Response(null, { status: 204 });
      if (request.signal.aborted || attempt >= tries || !problem.mayPass || problem.code === "NO_ANSWER") throw problem;
      await pause(FIRST_WAIT_MS * 2 ** (attempt - 1), request.signal);
    }
  }
}

async function once(request: Request, headers: Headers, body: ArrayBuffer | undefined): Promise<Response> {
  const deadline = DEADLINE_MS + (body?.byteLength ?? 0) / SLOWEST_BYTES_PER_MS;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(Math.ceil(deadline))]);
  // Read when it is called: tests replace it.
  const response = await globalThis.fetch(request.url, { method: request.method, headers, body, signal });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.code === "UNAUTHORIZED" && accessToken.get()) accessToken.clear();
  throw problem;
}

/** Random, also where the page came over plain HTTP and `crypto.randomUUID` is missing. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Problem("UNREACHABLE", "given up"));
    });
  });
}
