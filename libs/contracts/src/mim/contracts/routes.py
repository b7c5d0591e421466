"""Every route of the gateway and of the instances' own ports: the one table.

The servers add their routes from it and refuse to start if a handler is missing; the OpenAPI document and the roles
come from it as well, so that document and system cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mim.contracts import answers as a
from mim.contracts import api, bulk, groups
from mim.contracts import deliveries as d
from mim.contracts.errors import ErrorCode as E
from mim.contracts.fields import Model
from mim.contracts.states import Provider, Role


class Scope(StrEnum):
    """Whose things a route shows."""

    OPEN = "open"
    """Nobody's: no credentials are needed."""
    TENANT = "tenant"
    """The instances of the caller."""
    SYSTEM = "system"
    """The whole system: tokens that are bound to a user may not."""
    KEY = "key"
    """One instance, by its API key."""


Answers = dict[int, Any]
"""Status → answer model, or a content type for what is no JSON."""

BUS = (E.BUS_UNAVAILABLE, E.STORAGE_FULL, E.TIMEOUT)
COMMAND = (*BUS, E.INTERNAL)
SEND = (
    *COMMAND,
    E.NOT_READY,
    E.NOT_SUPPORTED,
    E.MESSENGER_UNREACHABLE,
    E.MESSENGER_REFUSED,
    E.RECIPIENT_UNKNOWN,
    E.RECIPIENT_BLOCKED,
    E.REACHOUT_LOCKED,
    E.RATE_LIMITED,
    E.MEDIA_UNREACHABLE,
    E.MEDIA_REFUSED,
    E.UNCERTAIN,
)
ASK = (
    E.NOT_READY,
    E.NOT_SUPPORTED,
    E.INVALID_FIELDS,
    E.MESSENGER_UNREACHABLE,
    E.MESSENGER_REFUSED,
    E.RECIPIENT_UNKNOWN,
    E.RECIPIENT_BLOCKED,
    E.RATE_LIMITED,
    E.UNCERTAIN,
    E.INTERNAL,
)
"""What is asked of the messenger itself."""
UPLOAD = BUS
DOWNLOAD = (*BUS, E.NOT_READY, E.MEDIA_UNREACHABLE, E.MEDIA_REFUSED, E.MESSENGER_UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `raises` are codes beside those that every route of its kind may answer with."""

    method: str
    path: str
    operation: str
    summary: str
    answers: Answers
    body: type[Model] | None = None
    file: bool = field(default=False, kw_only=True)
    """Whether the body is a file, of any type and much larger than other bodies may be."""
    query: type[api.Query] | None = None
    role: Role = Role.VIEWER
    scope: Scope = Scope.TENANT
    raises: tuple[E, ...] = ()
    key_opens: bool = False
    """Whether the API key of the instance in the path is enough, too."""
    audited: bool = field(default=False)
    """Whether the gateway itself has to tell who did it; commands are told by lifecycle."""

    @property
    def codes(self) -> tuple[E, ...]:
        """All error codes that this route may answer with."""
        found = [E.METHOD_NOT_ALLOWED, E.FORBIDDEN_ORIGIN]
        if self.scope is not Scope.OPEN:
            found += [E.UNAUTHORIZED, E.TOO_MANY_REQUESTS]
            found += [E.FORBIDDEN] if self.scope is not Scope.KEY else []
        if "{" in self.path or self.scope is Scope.KEY:
            found += [E.NOT_FOUND]
        if self.scope is Scope.KEY:
            found += [E.NO_WORKER]
        if self.file:
            found += [E.INVALID_FIELDS, E.TOO_LARGE]
        if self.body is not None:
            found += [E.BAD_JSON, E.INVALID_FIELDS, E.TOO_LARGE, E.TIMEOUT]
        if self.query is not None:
            found += [E.INVALID_FIELDS]
        if self.method == "POST":
            found += [E.INVALID_FIELDS, E.IDEMPOTENCY_CONFLICT, E.BAD_JSON, E.TOO_LARGE, *BUS]
        return tuple(dict.fromkeys((*found, *self.raises)))


_ALL = "/api/v1/instances"
_ONE = "/api/v1/instances/{id}"
_HOOK = f"{_ONE}/webhook"
_DRAIN = "/api/v1/workers/{worker}/drain"
_MULTI = "/api/v1/multi-provider"
_SOME = _MULTI + "/instances/{provider}/{id}"
_OPERATOR: dict[str, Any] = {"role": Role.OPERATOR}
_ADMIN: dict[str, Any] = {"role": Role.ADMIN}
_SYSTEM: dict[str, Any] = {"scope": Scope.SYSTEM}
_CHANGED: Answers = {200: a.Changed, 202: a.Changed}
_HTML: Answers = {200: "text/html"}
_JSON: Answers = {200: "application/json"}

GATEWAY: tuple[Route, ...] = (
    Route(
        "GET", "/health", "health", "Which parts of the system work", {200: a.Health, 503: a.Health}, scope=Scope.OPEN
    ),
    # ------------------------------------------------------------------------------------------ instances
    Route(
        *("POST", _ALL, "create", "Create an instance"),
        {201: a.Created, 202: a.CreationPending},
        body=api.CreateInstanceBody,
        raises=(*COMMAND, E.PORTS_EXHAUSTED, E.NO_WORKER, E.NO_ENGINE, E.ALREADY_EXISTS),
        **_ADMIN,
    ),
    Route("GET", _ALL, "list", "List instances", {200: a.InstanceList}, query=api.ListQuery),
    Route(
        *("POST", f"{_ALL}/batch/status", "batch_status", "Where many instances stand"),
        {200: a.BatchStatus},
        body=api.BatchBody,
    ),
    Route("GET", f"{_ALL}/memory/stats", "memory_stats", "Figures over all instances", {200: a.MemoryStatsAnswer}),
    Route("GET", _ONE, "get", "Show an instance", {200: a.InstanceAnswer}),
    Route(
        *("PATCH", _ONE, "update", "Change name, webhook, proxy or token"),
        {200: a.InstanceAnswer, 202: a.InstanceAnswer},
        body=api.UpdateInstanceBody,
        raises=COMMAND,
        **_ADMIN,
    ),
    Route(
        "DELETE", _ONE, "delete", "Delete an instance", {200: a.MessageAnswer, 202: a.Changed}, raises=COMMAND, **_ADMIN
    ),
    Route("POST", f"{_ONE}/start", "start", "Start an instance", _CHANGED, raises=COMMAND, **_OPERATOR),
    Route("POST", f"{_ONE}/stop", "stop", "Stop an instance", _CHANGED, raises=COMMAND, **_OPERATOR),
    Route("POST", f"{_ONE}/restart", "restart", "Start an instance anew", _CHANGED, raises=COMMAND, **_OPERATOR),
    Route("POST", f"{_ONE}/logout", "logout", "Log an instance out", _CHANGED, raises=COMMAND, **_ADMIN),
    Route(
        *("GET", f"{_ONE}/qr", "qr", "The QR code that waits now"),
        {200: (a.QrAnswer, "image/png", "image/svg+xml", "text/plain")},
        query=api.QrQuery,
        raises=(E.QR_NOT_AVAILABLE,),
    ),
    Route(
        *("GET", f"{_ONE}/current-qr", "current_qr", "The QR code that waits now, in the older shape"),
        {200: a.CurrentQr},
        raises=(E.QR_NOT_AVAILABLE,),
    ),
    Route("GET", f"{_ONE}/login", "login_step", "What is next for the login", {200: a.LoginAnswer}),
    Route(
        *("POST", f"{_ONE}/login", "login", "Answer the present login step"),
        {200: a.LoginAnswer, 202: a.LoginAnswer},
        body=api.LoginBody,
        raises=(*SEND, E.NO_WORKER),
        **_OPERATOR,
    ),
    Route(
        *("POST", f"{_ONE}/pairing-code", "pairing_code", "Log in with a code instead of a QR code"),
        {200: a.PairingCode},
        body=api.PairingCodeBody,
        raises=(*SEND, E.NO_WORKER),
        **_OPERATOR,
    ),
    Route("GET", f"{_ONE}/auth-status", "auth_status", "How far the login is", {200: a.AuthStatusAnswer}),
    Route("GET", f"{_ONE}/memory", "memory", "The figures of an instance", {200: a.MemoryAnswer}),
    Route(
        *("GET", f"{_ONE}/logs", "logs", "Log lines of an instance"),
        {200: (a.LogsAnswer, "text/event-stream")},
        query=api.LogsQuery,
        raises=BUS,
    ),
    Route(
        *("GET", f"{_ONE}/status-history", "status_history", "Changes of status, with cause and actor"),
        {200: a.StatusHistory},
        query=api.HistoryQuery,
        raises=BUS,
    ),
    Route(
        *("GET", f"{_ONE}/qr-history", "qr_history", "QR codes that were shown"),
        {200: a.QrHistory},
        query=api.HistoryQuery,
        raises=BUS,
    ),
    Route(
        *("GET", f"{_ONE}/api-key-history", "api_key_history", "API keys and how they were used"),
        {200: a.ApiKeyHistory},
        query=api.HistoryQuery,
    ),
    Route(
        *("GET", f"{_ONE}/errors", "errors", "What went wrong"),
        {200: a.ErrorHistory},
        query=api.HistoryQuery,
        raises=BUS,
    ),
    Route("POST", f"{_ONE}/clear-errors", "clear_errors", "Clear the errors", _CHANGED, raises=COMMAND, **_OPERATOR),
    Route("GET", f"{_ONE}/activity-stats", "activity_stats", "How an instance does", {200: a.ActivityAnswer}),
    Route(
        *("GET", f"{_ONE}/credentials", "credentials", "API key and address of the instance's own port"),
        {200: a.Credentials},
        raises=(*BUS, E.NOT_READY, E.INTERNAL),
        audited=True,
        **_ADMIN,
    ),
    Route(
        *("GET", f"{_ONE}/current-api-key", "current_api_key", "The API key and how it was used"),
        {200: a.CurrentApiKey},
        raises=(*BUS, E.NOT_READY, E.INTERNAL),
        audited=True,
        **_ADMIN,
    ),
    Route(
        *("POST", f"{_ONE}/api-key/rotate", "rotate_api_key", "Replace the API key; the old one is dead at once"),
        {200: a.CurrentApiKey},
        raises=(*COMMAND, E.NOT_READY),
        **_ADMIN,
    ),
    Route(
        *("POST", f"{_ONE}/messages", "send", "Say or do something in a chat"),
        {200: a.Sent, 202: a.Queued},
        body=api.SendBody,
        raises=SEND,
        key_opens=True,
        **_OPERATOR,
    ),
    Route(
        *("PUT", f"{_ONE}/media", "upload", "Upload a file that shall be sent"),
        {201: a.Uploaded},
        file=True,
        raises=UPLOAD,
        key_opens=True,
        **_OPERATOR,
    ),
    Route(
        *("POST", f"{_ONE}/webhook/test", "test_webhook", "Send a test message to the webhook"),
        {200: a.WebhookTest},
        raises=(*BUS, E.NOT_READY),
        **_OPERATOR,
    ),
    Route(
        *("GET", f"{_HOOK}/deliveries", "deliveries", "What went to the webhook, waits, or could not be delivered"),
        {200: d.DeliveryList},
        query=d.DeliveriesQuery,
        raises=BUS,
    ),
    Route(
        *("GET", f"{_HOOK}/deliveries/{{delivery_id}}", "delivery", "One delivery, with its body"),
        {200: d.DeliveryAnswer},
        raises=BUS,
    ),
    Route(
        *("POST", f"{_HOOK}/deliveries/redeliver", "redeliver_failed", "Deliver once more all that failed"),
        {200: d.Redelivered},
        **_OPERATOR,
    ),
    Route(
        *("POST", f"{_HOOK}/deliveries/{{delivery_id}}/redeliver", "redeliver", "Deliver one delivery once more"),
        {200: d.Redelivered},
        **_OPERATOR,
    ),
    Route(
        *("GET", f"{_HOOK}/secret", "webhook_secret", "The secret that signs the webhook"),
        {200: d.WebhookSecret},
        raises=(*BUS, E.INTERNAL),
        audited=True,
        **_ADMIN,
    ),
    Route(
        *("POST", f"{_HOOK}/secret/rotate", "rotate_webhook_secret", "Replace the secret that signs the webhook"),
        {200: d.WebhookSecret},
        raises=(*BUS, E.INTERNAL),
        audited=True,
        **_ADMIN,
    ),
    # ------------------------------------------------------------------------------------- multi-provider
    Route("GET", "/api/v1/providers", "providers", "What providers ask for and can do", {200: a.ProvidersAnswer}),
    Route("GET", f"{_MULTI}/active-providers", "active_providers", "Providers in use", {200: a.ActiveProviders}),
    Route(
        *("GET", f"{_MULTI}/instances", "provider_instances", "All instances, of one provider if asked"),
        {200: a.InstancesTotal},
        query=api.ProviderQuery,
    ),
    Route("GET", f"{_MULTI}/stats", "provider_stats", "Counts by provider", {200: a.ProviderStatsAnswer}),
    Route(
        *("GET", f"{_SOME}/status", "provider_status", "Where an instance stands"),
        {200: a.ProviderStatus},
        key_opens=True,
    ),
    Route(
        *("POST", f"{_SOME}/send-message", "send_message", "Send a text"),
        {200: a.Sent, 202: a.Queued},
        body=api.SendMessageBody,
        raises=SEND,
        key_opens=True,
        **_OPERATOR,
    ),
    Route(
        *("POST", f"{_SOME}/send-media", "send_media", "Send a file from a URL"),
        {200: a.Sent, 202: a.Queued},
        body=api.SendMediaBody,
        raises=SEND,
        key_opens=True,
        **_OPERATOR,
    ),
    # --------------------------------------------------------------------------------------------- events
    Route(
        *("GET", "/api/v1/events", "events", "Every status and message event as Server-Sent Events"),
        {200: "text/event-stream"},
        query=api.EventsQuery,
        raises=(E.BUS_UNAVAILABLE,),
    ),
    Route(
        *("GET", "/api/v1/ws", "websocket", "Every status and message event over a WebSocket"),
        {101: None},
        query=api.EventsQuery,
        raises=(E.BUS_UNAVAILABLE, E.BAD_JSON),
    ),
    # --------------------------------------------------------------------------------------------- system
    Route("GET", "/api/v1/session", "session", "Who calls, and what they may do", {200: a.Session}),
    Route(
        "GET", "/api/v1/resources", "resources", "The machine and the processes", {200: a.ResourcesAnswer}, **_SYSTEM
    ),
    Route("GET", "/api/v1/resources/ports", "ports", "Ports of instances", {200: a.PortsAnswer}, **_SYSTEM),
    Route(
        *("GET", "/api/v1/resources/performance", "performance", "What the system measures of itself"),
        {200: a.PerformanceAnswer},
        **_SYSTEM,
    ),
    Route(
        *("GET", "/api/v1/resources/health", "resources_health", "Whether something needs attention"),
        {200: a.SystemHealthAnswer},
        **_SYSTEM,
    ),
    Route("GET", "/api/v1/workers", "workers", "The workers that live", {200: a.WorkersAnswer}, **_SYSTEM),
    Route(
        *("POST", _DRAIN, "drain_worker", "Move all instances of a worker to others"),
        {200: a.WorkerAnswer},
        raises=(*BUS, E.NO_OTHER_WORKER, E.NOT_SUPPORTED),
        audited=True,
        **_SYSTEM | _ADMIN,
    ),
    Route(
        *("DELETE", _DRAIN, "undrain_worker", "Let a worker have instances again"),
        {200: a.WorkerAnswer},
        raises=BUS,
        audited=True,
        **_SYSTEM | _ADMIN,
    ),
    Route("GET", "/api/v1/resources/instances", "resources_instances", "All instances", {200: a.InstancesTotal}),
    Route(
        *("POST", "/api/v1/tokens", "create_token", "Make an access token"),
        {201: a.TokenCreated},
        body=api.CreateTokenBody,
        raises=BUS,
        audited=True,
        **_SYSTEM | _ADMIN,
    ),
    Route("GET", "/api/v1/tokens", "tokens", "List access tokens", {200: a.TokenList}, **_SYSTEM | _ADMIN),
    Route(
        *("DELETE", "/api/v1/tokens/{token_id}", "revoke_token", "Revoke an access token"),
        {200: a.MessageAnswer},
        raises=BUS,
        audited=True,
        **_SYSTEM | _ADMIN,
    ),
    Route(
        *("GET", "/api/v1/audit", "audit", "Who changed what, from where"),
        {200: a.AuditAnswer},
        query=api.AuditQuery,
        raises=BUS,
        **_SYSTEM | _ADMIN,
    ),
    Route("GET", "/metrics", "metrics", "Metrics of the gateway for Prometheus", {200: "text/plain"}, **_SYSTEM),
    Route(
        *("GET", "/metrics/{service}", "service_metrics", "Metrics of another service for Prometheus"),
        {200: "text/plain"},
        raises=BUS,
        **_SYSTEM,
    ),
    Route("GET", "/openapi.json", "openapi", "This document", _JSON, scope=Scope.OPEN),
    Route("GET", "/asyncapi.json", "asyncapi", "The messages of the bus", _JSON, scope=Scope.OPEN),
    Route("GET", "/docs", "docs", "This document as a page", _HTML, scope=Scope.OPEN),
    Route("GET", "/docs/events", "docs_events", "The messages of the bus as a page", _HTML, scope=Scope.OPEN),
)

_KEY: dict[str, Any] = {"scope": Scope.KEY}


def _port(prefix: str, sends: tuple[Route, ...]) -> tuple[Route, ...]:
    """The routes of an instance's own port; health, status and account also under the provider's prefix."""
    bases = tuple(dict.fromkeys(("/api/v1", prefix)))
    named = {base: "" if base == "/api/v1" else "provider_" for base in bases}
    both = [
        route
        for base in bases
        for route in (
            Route(
                *("GET", f"{base}/health", f"port_{named[base]}health", "The port answers"),
                {200: a.PortHealth},
                scope=Scope.OPEN,
                raises=(E.NOT_FOUND,),
            ),
            Route(
                "GET",
                f"{base}/status",
                f"port_{named[base]}status",
                "Where the instance stands",
                {200: a.PortStatus},
                **_KEY,
            ),
        )
    ]
    account = ["/api/v1/account-info"] + ([f"{prefix}/me"] if prefix != "/api/v1" else [])
    accounts = [
        Route(
            *("GET", path, "port_account" if path.endswith("info") else "port_me", "Who the account is"),
            {200: a.AccountInfo},
            raises=(E.NOT_READY,),
            **_KEY,
        )
        for path in account
    ]
    return (*both, *accounts, _SEND, *sends, *_BULK, *_MEDIA, *_STORED, *_GROUPS, *_WEBHOOK)


_MEDIA = (
    Route(
        *("PUT", "/api/v1/media", "port_upload", "Upload a file that shall be sent"),
        {201: a.Uploaded},
        file=True,
        raises=UPLOAD,
        **_KEY,
    ),
    Route(
        *("GET", "/api/v1/messages/{chat}/{message}/media", "port_media", "The file of a message that came in"),
        {200: "application/octet-stream"},
        raises=DOWNLOAD,
        **_KEY,
    ),
)
_BULK = (
    Route(
        *("POST", "/api/v1/bulk", "port_bulk", "Send one message to many, at a pace"),
        {201: bulk.BulkAnswer},
        body=bulk.BulkBody,
        raises=(*COMMAND, E.NOT_SUPPORTED),
        **_KEY,
    ),
    Route(
        "GET",
        "/api/v1/bulk",
        "port_bulks",
        "Bulk messages",
        {200: bulk.BulkList},
        query=bulk.BulkQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("GET", "/api/v1/bulk/{bulk_id}", "port_bulk_details", "A bulk message and its recipients"),
        {200: bulk.BulkDetails},
        query=bulk.BulkQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("POST", "/api/v1/bulk/{bulk_id}/cancel", "port_cancel_bulk", "Cancel what was not queued yet"),
        {200: bulk.BulkAnswer},
        raises=BUS,
        **_KEY,
    ),
)
_STORED = (
    Route("GET", "/api/v1/chats", "port_chats", "Chats", {200: a.ChatList}, query=api.PageQuery, raises=BUS, **_KEY),
    Route(
        *("GET", "/api/v1/contacts", "port_contacts", "Contacts"),
        {200: a.ContactList},
        query=api.PageQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("GET", "/api/v1/messages/{chat}", "port_messages", "The newest messages of a chat"),
        {200: a.MessageList},
        query=api.PageQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("GET", "/api/v1/stored-messages", "port_stored", "Stored messages"),
        {200: a.StoredMessages},
        query=api.StoredQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("GET", "/api/v1/stored-messages/stats", "port_stored_stats", "What is stored"),
        {200: a.StoredStatsAnswer},
        raises=BUS,
        **_KEY,
    ),
)
_GROUP = "/api/v1/groups/{group}"
_GROUPS = (
    Route(
        *("GET", "/api/v1/groups", "port_groups", "Groups of the account, and those that messages are stored of"),
        {200: groups.GroupList},
        query=api.PageQuery,
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("POST", "/api/v1/groups", "port_create_group", "Make a group"),
        {201: groups.GroupAnswer},
        body=groups.CreateGroupBody,
        raises=ASK,
        **_KEY,
    ),
    Route(
        *("GET", _GROUP, "port_group", "A group and who is in it"),
        {200: groups.GroupAnswer},
        raises=ASK,
        **_KEY,
    ),
    Route(
        *("POST", f"{_GROUP}/participants", "port_participants", "Add, remove, promote or demote people"),
        {200: groups.ParticipantsAnswer},
        body=groups.ParticipantsBody,
        raises=ASK,
        **_KEY,
    ),
    Route(
        *("GET", f"{_GROUP}/invite", "port_invite", "The link by which anybody can come into a group"),
        {200: groups.InviteAnswer},
        raises=ASK,
        **_KEY,
    ),
    Route(
        *("POST", f"{_GROUP}/invite", "port_renew_invite", "Make a new link into a group; the one before is dead"),
        {200: groups.InviteAnswer},
        raises=ASK,
        **_KEY,
    ),
)
_WEBHOOK = (
    Route(
        *("GET", "/api/v1/webhook/config", "port_webhook", "The webhook of the instance"),
        {200: a.WebhookAnswer},
        raises=BUS,
        **_KEY,
    ),
    Route(
        *("POST", "/api/v1/webhook/config", "port_set_webhook", "Set the webhook of the instance"),
        {200: a.WebhookAnswer},
        body=api.WebhookBody,
        raises=COMMAND,
        **_KEY,
    ),
)


def _send(path: str, operation: str, summary: str, body: type[Model], answer: type[a.Answer]) -> Route:
    return Route("POST", path, operation, summary, {200: answer, 202: a.Queued}, body=body, raises=SEND, **_KEY)


_SEND = _send("/api/v1/messages", "port_send", "Say or do something in a chat", api.SendBody, a.Sent)
TELEGRAM_PORT = _port(
    "/api/v1/telegram",
    (
        _send("/api/v1/telegram/send", "telegram_send", "Send a text", api.TelegramSendBody, a.TelegramSent),
        _send(
            *("/api/v1/telegram/send-telegram-message", "telegram_send_message", "Send a text"),
            *(api.TelegramSendBody, a.TelegramSent),
        ),
        _send(
            *("/api/v1/telegram/send-media", "telegram_send_media", "Send a file from a URL"),
            *(api.TelegramMediaBody, a.TelegramSent),
        ),
    ),
)
WHATSAPP_PORT = _port(
    "/api/v1",
    (
        _send(
            *("/api/v1/send", "whatsapp_send", "Send a text, or a file from a URL"),
            *(api.WhatsAppSendBody, a.WhatsAppSent),
        ),
    ),
)
PORTS: tuple[Route, ...] = tuple({route.operation: route for route in (*TELEGRAM_PORT, *WHATSAPP_PORT)}.values())
PORT_ROUTES: dict[Provider, tuple[Route, ...]] = {
    Provider.TELEGRAM: TELEGRAM_PORT,
    Provider.WHATSAPPWEB: WHATSAPP_PORT,
}
