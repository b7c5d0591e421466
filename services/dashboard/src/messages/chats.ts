/** How chats and messages are called. Pure. */
import type { Chat, MediaKind } from "../api/types";

export const MEDIA_KINDS: readonly MediaKind[] = ["image", "document", "audio", "voice", "video", "sticker"];
const KINDS = [...MEDIA_KINDS, "text", "location", "contact", "poll", "forward"] as const;
export type Kind = (typeof KINDS)[number] | "other";

/** What a message is; the messengers invent new kinds. */
export function kindOf(type: string): Kind {
  return KINDS.find((each) => each === type) ?? "other";
}

/** What a chat without a name is called. */
export function titleOfChat(id: string): string {
  const [user = id, server] = id.split("@");
  return server === "s.whatsapp.net" && /^\d+$/.test(user) ? `+${user}` : id;
}

/** The chat with whoever is meant by what was typed: a known one's id, or else just that. */
export function chatNamed(chats: readonly Chat[], typed: string): string {
  const digits = typed.replace(/[ ().+-]/g, "");
  const isNumber = /^\d{5,}$/.test(digits);
  const known = chats.find(({ id }) => id === typed || (isNumber && id.startsWith(`${digits}@`)));
  return known?.id ?? typed;
}

const ENDINGS: readonly [MediaKind, RegExp][] = [
  ["image", /\.(jpe?g|png|webp)$/i],
  ["audio", /\.(mp3|og[ga]|m4a|wav)$/i],
  ["video", /\.(mp4|mov|webm)$/i],
];

/** What a file of this device is sent as, unless somebody chooses. */
export function kindOfType(type: string): MediaKind {
  return (["image", "audio", "video"] as const).find((each) => type.startsWith(`${each}/`)) ?? "document";
}

/** The same for the file at a URL: as the gateway guesses. */
export function kindOfUrl(url: string): MediaKind {
  const path = URL.canParse(url) ? new URL(url).pathname : "";
  return ENDINGS.find(([, ending]) => ending.test(path))?.[0] ?? "document";
}
