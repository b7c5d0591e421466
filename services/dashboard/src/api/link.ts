/** A stream that comes back by itself: with backoff, after the last event that was seen. */
import { asProblem } from "./problem";
import { openStream, readStream, type ServerEvent } from "./sse";

export type LinkState = "connecting" | "live" | "down";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The gateway pings every 15 s: after this long without a byte the connection is dead. */
const SILENCE_MS = 40_000;

type Hooks = {
  onEvents: (events: ServerEvent[]) => void;
  onState: (state: LinkState) => void;
  /** The stream is open, again or for the first time. */
  onOpen?: () => void;
};

/** Follow a stream until the returned function is called. */
export function follow(url: string, hooks: Hooks): () => void {
  const end = new AbortController();
  void run(url, hooks, end.signal);
  return () => end.abort();
}

async function run(url: string, hooks: Hooks, end: AbortSignal): Promise<void> {
  let lastId: string | null = null;
  let failures = 0;
  hooks.onState("connecting");
  while (!end.aborted) {
    const dead = new AbortController();
    const giveUp = (): void => dead.abort();
    let timer = setTimeout(giveUp, SILENCE_MS);
    window.addEventListener("offline", giveUp);
    try {
      const response = await openStream(url, lastId, AbortSignal.any([end, dead.signal]));
      failures = 0;
      hooks.onState("live");
      hooks.onOpen?.();
      await readStream(
        response,
        (events) => {
          lastId = events.at(-1)?.id || lastId;
          hooks.onEvents(events);
        },
        () => {
          clearTimeout(timer);
          timer = setTimeout(giveUp, SILENCE_MS);
        },
      );
    } catch (error) {
      if (asProblem(error).status === 401 || asProblem(error).status === 404) return hooks.onState("down");
    } finally {
      clearTimeout(timer);
      window.removeEventListener("offline", giveUp);
    }
    if (end.aborted) return;
    hooks.onState("down");
    failures += 1;
    await wakeAfter(backoff(failures), end);
  }
}

/** Full jitter, so that a thousand pages do not come back at once. */
function backoff(failures: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return most * (0.5 + Math.random() / 2);
}

/** Wait, but not when the network comes back before. */
function wakeAfter(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, ms);
    window.addEventListener("online", wake);
    end.addEventListener("abort", wake);
    function wake(): void {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      end.removeEventListener("abort", wake);
      resolve();
    }
  });
}
