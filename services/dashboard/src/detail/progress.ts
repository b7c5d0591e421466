/** What becomes of a message, folded from its events. Pure. */
import type { ServerEvent } from "../api/sse";

const STATES = ["queued", "sent", "delivered", "read", "failed"] as const;
export type MessageState = (typeof STATES)[number];

export type Progress = {
  /** Our id of the message. */
  id: string;
  state: MessageState;
  /** The messenger's. */
  messageId: string | null;
  failure: { code: string; message: string } | null;
};

type Told = { message_id?: string; messenger_id?: string; code?: string; message?: string };

export function progressOf(before: Progress | null, event: ServerEvent): Progress | null {
  const state = STATES.find((each) => event.name === `message.${each}`);
  if (before === null || state === undefined) return before;
  if (![before.id, before.messageId].some((id) => id && event.data.includes(id))) return before;
  // A late "sent" does not undo a "read".
  if (STATES.indexOf(state) <= STATES.indexOf(before.state)) return before;
  const told = (JSON.parse(event.data) as { data: Told }).data;
  const failure = state === "failed" ? { code: told.code ?? "INTERNAL", message: told.message ?? "" } : null;
  return { ...before, state, messageId: told.messenger_id ?? before.messageId, failure };
}
