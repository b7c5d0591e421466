/** Instances and providers as the gateway shows them. */
import type { Instance, ProviderItem, Status } from "../api/types";

export function instance(number: number, status: Status = "client_ready", more: Partial<Instance> = {}): Instance {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const at = "2026-01-02T03:04:05.000Z";
  return {
    id,
    instance_id: id,
    user_id: "acme",
    company_id: "acme",
    name: `Account ${number}`,
    provider: "whatsappweb",
    login: null,
    type_instance: ["api"],
    status,
    auth_status: "authenticated",
    is_ready_for_messages: status === "client_ready",
    desired: "running",
    account: `1555000${number}`,
    phone_number: null,
    whatsapp_state: null,
    expose: "port",
    isolation: "shared",
    port_api: 3000 + number,
    port_mcp: null,
    port: 3000 + number,
    ports: { api: 3000 + number, mcp: null },
    worker: "w1",
    epoch: 1,
    api_webhook_schema: null,
    token_hint: null,
    has_proxy: false,
    message_stats: { sent_count: 0, received_count: 0, daily_sent: 0, daily_received: 0, daily_reset_at: null },
    reason: { code: "READY", message: "Messages can be sent and received", user_action: "none", since: at },
    restriction: null,
    observed_at: at,
    created_at: at,
    updated_at: at,
    last_seen: at,
    memory_status: "active",
    ...more,
  };
}

const proxy = {
  name: "proxy" as const,
  label: "Proxy",
  help: "The session reaches its messenger through it",
  required: false,
  secret: true,
  pattern: "(https?|socks5)://[^\\s/]+/?",
  example: "http://proxy.example.com:3128",
  choices: [],
  when: {},
};

const login = {
  name: "login" as const,
  label: "Account",
  help: "A bot, or a person's account",
  required: false,
  secret: false,
  pattern: "bot|user",
  example: "bot",
  choices: ["bot", "user"],
  when: {},
};

export const providers: ProviderItem[] = [
  {
    description: { id: "whatsappweb", title: "WhatsApp Web", fields: [proxy], capabilities: ["text", "qr_login", "pairing_code"], logins: {} },
    workers: 1,
    instances: 2,
    active: 1,
    ready: 1,
  },
  {
    description: {
      id: "telegram",
      title: "Telegram",
      fields: [
        login,
        {
          name: "token",
          label: "Bot token",
          help: "@BotFather gives it",
          required: true,
          secret: true,
          pattern: "\\d{5,20}:[A-Za-z0-9_-]{30,64}",
          example: "123456789:AAE…",
          choices: [],
          when: { login: "bot" },
        },
        proxy,
      ],
      capabilities: ["text", "token_login"],
      logins: { bot: ["text", "token_login"], user: ["text", "qr_login", "phone_login"] },
    },
    workers: 0,
    instances: 0,
    active: 0,
    ready: 0,
  },
];

export const TOKEN = "123456789:AAEabcdefghijklmnopqrstuvwxyz012345";
