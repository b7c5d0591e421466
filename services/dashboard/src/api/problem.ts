/** What went wrong with a call, in one shape: an error answer of the gateway, no answer in time, or no gateway. */
import type { ErrorAnswer } from "./types";

export type Detail = { field: string; problem: string };

export class Problem extends Error {
  constructor(
    /** The gateway's code, or UNREACHABLE or NO_ANSWER where it said nothing. */
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly requestId: string | null = null,
    readonly details: readonly Detail[] = [],
  ) {
    super(message);
    this.name = "Problem";
  }

  /** Whether the same call may well succeed a little later. */
  get mayPass(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

function isErrorAnswer(value: unknown): value is ErrorAnswer {
  return typeof value === "object" && value !== null && "code" in value && "error" in value;
}

/** The problem that an answer tells of. */
export async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  if (!isErrorAnswer(body)) return new Problem("INTERNAL", `${response.status} ${response.statusText}`, response.status);
  return new Problem(body.code, body.error, response.status, body.request_id, body.details ?? []);
}

/** Anything that was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { name, message } = (error ?? {}) as Partial<Error>;
  return new Problem(name === "TimeoutError" ? "NO_ANSWER" : "UNREACHABLE", message ?? String(error));
}
