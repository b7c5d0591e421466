/** The gateway's rules for what is typed, from its own document, so that a form tells what the gateway would. Pure. */
import limits from "../api/rules.json";

export type Body = keyof typeof limits;
export type Wrong = { kind: "required" } | { kind: "long"; most: number } | { kind: "form" } | { kind: "line" };

type Limit = { required: boolean; minLength?: number; maxLength?: number; pattern?: string };

/** What is wrong with one field of a body; null if nothing is. */
export function problemWith(body: Body, field: string, value: string): Wrong | null {
  const limit = (limits[body] as Record<string, Limit>)[field];
  if (!limit) return null;
  if (value === "") return limit.required ? { kind: "required" } : null;
  if (limit.maxLength !== undefined && value.length > limit.maxLength) return { kind: "long", most: limit.maxLength };
  if (limit.pattern !== undefined && !new RegExp(limit.pattern).test(value)) return { kind: "form" };
  return null;
}

/** A provider's field: its pattern is for the whole value. */
export function problemWithField(field: { required: boolean; pattern: string }, value: string): Wrong | null {
  if (value === "") return field.required ? { kind: "required" } : null;
  return new RegExp(`^(?:${field.pattern})$`).test(value) ? null : { kind: "form" };
}

export function problemWithLine(value: string): Wrong | null {
  return /[\u0000-\u001f]/.test(value) ? { kind: "line" } : null;
}

/** An http or https address without a user name or password in it. */
export function problemWithUrl(value: string): Wrong | null {
  const wrong = problemWith("WebhookBody", "url", value);
  if (wrong) return wrong;
  const url = URL.canParse(value) ? new URL(value) : null;
  const fits = url && ["http:", "https:"].includes(url.protocol) && url.username === "" && url.password === "";
  return fits ? null : { kind: "form" };
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;

export function problemWithHeader(name: string, value: string): Wrong | null {
  if (name === "" && value === "") return null;
  return HEADER_NAME.test(name) && !/[\u0000-\u001f\u007f]/.test(value) ? null : { kind: "form" };
}
