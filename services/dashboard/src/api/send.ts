/** How a request travels: with the token, a deadline, and tried again where that is harmless: a POST by its key. */
import { asProblem, Problem, problemOf } from "./problem";
import { accessToken } from "./token";

/** The longest that the gateway takes is 22 s, for a pairing code. */
export const DEADLINE_MS = 25_000;
const TRIES = 3;
const FIRST_WAIT_MS = 400;

/** Send a request; throws a Problem for everything but a success. */
export async function send(request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  const token = accessToken.get();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const isPost = request.method === "POST";
  if (isPost && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", newKey());
  const body = request.body ? await request.text() : undefined;
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

async function once(request: Request, headers: Headers, body: string | undefined): Promise<Response> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(DEADLINE_MS)]);
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
