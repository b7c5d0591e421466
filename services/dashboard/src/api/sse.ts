/** Server-Sent Events over fetch: unlike EventSource it sends the Authorization header. */
import { problemOf } from "./problem";
import { accessToken } from "./token";

export type ServerEvent = { id: string; name: string; data: string };

/** Open a stream; `lastId` resumes after an event. Throws Problem. */
export async function openStream(url: string, lastId: string | null, signal: AbortSignal): Promise<Response> {
  const headers = new Headers({ Accept: "text/event-stream" });
  const token = accessToken.get();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (lastId) headers.set("Last-Event-ID", lastId);
  const response = await globalThis.fetch(url, { headers, signal, cache: "no-store" });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Read a stream to its end. `onBytes` hears every piece, pings too. */
export async function readStream(
  response: Response,
  onEvents: (events: ServerEvent[]) => void,
  onBytes: () => void = () => undefined,
): Promise<void> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onBytes();
    const frames = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = frames.pop() ?? "";
    const events = frames.map(parse).filter((event) => event !== null);
    if (events.length > 0) onEvents(events);
  }
}

/** One frame; null for comments and pings. */
export function parse(frame: string): ServerEvent | null {
  const event: ServerEvent = { id: "", name: "message", data: "" };
  for (const line of frame.split("\n")) {
    if (line.startsWith("id: ")) event.id = line.slice(4);
    else if (line.startsWith("event: ")) event.name = line.slice(7);
    else if (line.startsWith("data: ")) event.data += line.slice(6);
  }
  return event.data ? event : null;
}
