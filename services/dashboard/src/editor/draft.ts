/** What is typed into the form, and what becomes of it. Pure. */
import type { CreateBody, Instance, Interface, LoginKind, Provider, ProviderField, UpdateBody } from "../api/types";
import {
  problemWith,
  problemWithField,
  problemWithHeader,
  problemWithLine,
  problemWithUrl,
  type Wrong,
} from "./rules";

export type Header = { name: string; value: string };

export type Draft = {
  provider: Provider;
  userId: string;
  name: string;
  interfaces: Interface[];
  start: boolean;
  /** In a container of its own. */
  isContained: boolean;
  /** Values of the provider's own fields; empty ones stay as they are. */
  fields: Record<string, string>;
  /** Fields that shall be taken away. */
  removed: string[];
  hasWebhook: boolean;
  webhookEnabled: boolean;
  url: string;
  /** Null keeps the headers that are stored, which nobody is shown. */
  headers: Header[] | null;
  allowGroups: boolean;
  allowPrivate: boolean;
  /** Names of events that are delivered; empty for messages that come in. */
  events: string[];
};

export function newDraft(provider: Provider): Draft {
  return {
    provider,
    userId: "",
    name: "",
    interfaces: ["api"],
    start: true,
    isContained: false,
    fields: {},
    removed: [],
    hasWebhook: false,
    webhookEnabled: true,
    url: "",
    headers: [],
    allowGroups: true,
    allowPrivate: true,
    events: [],
  };
}

export function draftOf(instance: Instance): Draft {
  const webhook = instance.api_webhook_schema;
  return {
    ...newDraft(instance.provider),
    userId: instance.user_id,
    name: instance.name ?? "",
    interfaces: [...instance.type_instance],
    hasWebhook: webhook !== null,
    webhookEnabled: webhook?.enabled ?? true,
    url: webhook?.url ?? "",
    headers: webhook ? null : [],
    allowGroups: webhook?.filters.allowGroups ?? true,
    allowPrivate: webhook?.filters.allowPrivate ?? true,
    events: webhook?.filters.events ?? [],
  };
}

/** The fields that belong to the form as it is filled in. What an account logs in as is chosen once. */
export function presentFields(fields: readonly ProviderField[], draft: Draft, instance: Instance | null): ProviderField[] {
  function valueOf(name: string): string | undefined {
    const chosen = instance && name === "login" ? instance.login : draft.fields[name];
    return chosen || fields.find((field) => field.name === name)?.choices[0];
  }
  return fields
    .filter((field) => instance === null || field.choices.length === 0)
    .filter((field) => Object.entries(field.when).every(([name, value]) => valueOf(name) === value));
}

export type Wrongs = Record<string, Wrong>;

/** What is wrong, by field. `isNew`: an instance that exists has its secrets already. */
export function wrongs(draft: Draft, fields: readonly ProviderField[], isNew: boolean): Wrongs {
  const found: Record<string, Wrong | null> = {
    name: problemWith("CreateInstanceBody", "name", draft.name.trim()) ?? problemWithLine(draft.name),
  };
  if (isNew) {
    const user = draft.userId.trim();
    found.user_id = problemWith("CreateInstanceBody", "user_id", user) ?? problemWithLine(user);
    if (draft.interfaces.length === 0) found.type_instance = { kind: "required" };
  }
  for (const field of fields) {
    const value = draft.fields[field.name]?.trim() ?? "";
    found[field.name] = problemWithField({ ...field, required: field.required && isNew }, value);
  }
  if (draft.hasWebhook) {
    found.url = problemWithUrl(draft.url.trim());
    draft.headers?.forEach((header, index) => {
      found[`header${index}`] = problemWithHeader(header.name, header.value);
    });
  }
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, Wrong] => entry[1] !== null));
}

export function createBody(draft: Draft, fields: readonly ProviderField[]): CreateBody {
  return {
    user_id: draft.userId.trim(),
    provider: draft.provider,
    type_instance: draft.interfaces,
    start: draft.start,
    ...(draft.isContained && { isolation: "container" as const }),
    ...(draft.name.trim() && { name: draft.name.trim() }),
    ...given(draft, fields),
    ...(draft.hasWebhook && { api_webhook_schema: webhook(draft) }),
  };
}

/** Only what changed: what is left out stays as it is. */
export function updateBody(draft: Draft, before: Instance, fields: readonly ProviderField[]): UpdateBody {
  const name = draft.name.trim() || null;
  const removed = Object.fromEntries(draft.removed.map((field) => [field, null]));
  return {
    ...(name !== before.name && { name }),
    ...given(draft, fields),
    ...removed,
    ...(!draft.hasWebhook && before.api_webhook_schema && { api_webhook_schema: null }),
    ...(draft.hasWebhook && webhookChanged(draft, before) && { api_webhook_schema: webhook(draft) }),
  };
}

function given(draft: Draft, fields: readonly ProviderField[]): { login?: LoginKind; token?: string; proxy?: string } {
  return Object.fromEntries(
    fields.map(({ name }) => [name, draft.fields[name]?.trim() ?? ""] as const).filter(([, value]) => value !== ""),
  );
}

function webhook(draft: Draft) {
  const { allowGroups, allowPrivate, events } = draft;
  const headers = draft.headers?.filter((header) => header.name !== "").map(({ name, value }) => [name, value] as const);
  return {
    enabled: draft.webhookEnabled,
    url: draft.url.trim(),
    filters: { allowGroups, allowPrivate, events },
    ...(headers && { headers: Object.fromEntries(headers) }),
  };
}

function webhookChanged(draft: Draft, before: Instance): boolean {
  const old = before.api_webhook_schema;
  return (
    old === null ||
    draft.headers !== null ||
    old.enabled !== draft.webhookEnabled ||
    old.url !== draft.url.trim() ||
    old.filters.allowGroups !== draft.allowGroups ||
    old.filters.allowPrivate !== draft.allowPrivate
  );
}
