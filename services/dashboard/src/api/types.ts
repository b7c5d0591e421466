/** Short names for the shapes of the OpenAPI document. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Instance = Schemas["Instance"];
export type Status = Schemas["Status"];
export type Provider = Schemas["Provider"];
export type Role = Schemas["Role"];
export type Interface = Schemas["Interface"];
export type UserAction = Schemas["UserAction"];
export type LogLine = Schemas["LogLine"];
export type LogLevel = Schemas["LogLevel"];
export type LoginStep = Schemas["LoginStep"];
export type QrAnswer = Schemas["QrAnswer"];
export type Created = Schemas["Created"];
export type CreationPending = Schemas["CreationPending"];
export type LoginKind = Schemas["LoginKind"];
export type CreateBody = Schemas["CreateInstanceBody"];
export type UpdateBody = Schemas["UpdateInstanceBody"];
export type ProviderItem = Schemas["ProviderItem"];
export type ProviderField = Schemas["ProviderField"];
export type StatusChange = Schemas["StatusChange"];
export type MemoryStats = Schemas["MemoryStats"];
export type Session = Schemas["Session"];
export type Health = Schemas["Health"];
export type SystemHealth = Schemas["SystemHealth"];
export type ErrorAnswer = Schemas["ErrorAnswer"];
export type Chat = Schemas["Chat"];
export type StoredMessage = Schemas["StoredMessage"];
export type MediaKind = Schemas["MediaKind"];
export type SendBody = Schemas["SendBody"];
export type Capability = Schemas["Capability"];
export type Delivery = Schemas["Delivery"];
export type DeliveryStatus = Schemas["DeliveryStatus"];

export const STATUSES: readonly Status[] = [
  "pending",
  "starting",
  "qr_ready",
  "action_required",
  "authenticated",
  "client_ready",
  "reconnecting",
  "logged_out",
  "stopped",
  "error",
];
export const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "critical"];
export const ROLES: readonly Role[] = ["viewer", "operator", "admin"];
