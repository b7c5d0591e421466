"""Who may say and hear what on the bus: one table, from which every server's configuration is made.

Each client has a key of its own and an inbox of its own, `_INBOX.<client>.>`, so that nobody hears the answers that
others get. What is asked of JetStream says in its subject which stream, and for a bucket which keys, it is about
(https://docs.nats.io/reference/reference-protocols/nats_api_reference), so a service can be held to its part.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mim.contracts import subjects as s
from mim.contracts.states import Provider

API = "$JS.API"
EVENTS_OF_SESSIONS = (
    *("action_required", "authenticated", "client_ready", "error", "logged_out", "qr_ready", "reconnecting"),
    *("restricted", "stopped", "waiting"),
)
"""The status events that a worker tells; all others are lifecycle's."""


class Client(StrEnum):
    """Who connects: each service, and each kind of program outside."""

    GATEWAY = "gateway"
    ALLOCATOR = "allocator"
    LIFECYCLE = "lifecycle"
    TELEGRAM_ADAPTER = "telegram-adapter"
    WHATSAPP_ADAPTER = "whatsapp-adapter"
    MESSAGE_STORE = "message-store"
    WEBHOOKS = "webhooks"
    COMMANDER = "commander"
    """A program that gives commands and sends messages."""
    WATCHER = "watcher"
    """A program that follows events and the read model, and changes nothing."""


OUTSIDE = (Client.COMMANDER, Client.WATCHER)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects, with wildcards. `responds`: may answer whoever asks it something, once, and on the connection on which
    it was asked; who asks regularly is named besides, so that an answer outlives a restart of the server.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responds: bool = True


def inbox_of(client: str) -> str:
    """Where a client gets its answers; what nats-py calls its inbox prefix."""
    return f"_INBOX.{client}"


def permissions_of(client: Client) -> Permissions:
    """What a client may publish and subscribe to."""
    inbox = (f"{inbox_of(client)}.>",)
    match client:
        case Client.COMMANDER:
            return Permissions((s.INSTANCE_COMMANDS, s.MESSAGE_COMMANDS), (*inbox, s.ALL_REPLIES), responds=False)
        case Client.WATCHER:
            reading = (
                *_reads(s.EVENTS),
                *_durable(s.EVENTS, "*"),
                *_reads(s.LOGS),
                *_reads(f"KV_{s.INSTANCES_BUCKET}"),
            )
            return Permissions((*reading, f"{API}.STREAM.NAMES"), (*inbox, s.ALL_EVENTS, s.ALL_LOGS), responds=False)
        case _:
            publish, subscribe = _SERVICES[client]
            common = (*_everybody(client), *publish)
            heard = (*inbox, s.HEALTH, s.metrics_of(client), *subscribe)
            return Permissions(tuple(dict.fromkeys(common)), heard)


# ------------------------------------------------------------------------------------------ what a right takes


def _reads(stream: str, *filters: str) -> tuple[str, ...]:
    """Follow a stream, or only what fits the filters, and get single messages of it."""
    parts = filters or (">",)
    whole = (f"{API}.CONSUMER.CREATE.{stream}", f"{API}.DIRECT.GET.{stream}") if not filters else ()
    return (
        *whole,
        *(f"{API}.CONSUMER.CREATE.{stream}.*.{part}" for part in parts),
        *(f"{API}.DIRECT.GET.{stream}.{part}" for part in parts),
        f"{API}.CONSUMER.INFO.{stream}.*",
        f"{API}.CONSUMER.DELETE.{stream}.*",
        f"{API}.CONSUMER.MSG.NEXT.{stream}.*",
        f"{API}.STREAM.INFO.{stream}",
        f"$JS.FC.{stream}.>",
    )


def _durable(stream: str, name: str) -> tuple[str, ...]:
    """Have a durable consumer of a whole stream."""
    return (
        f"{API}.CONSUMER.DURABLE.CREATE.{stream}.{name}",
        f"{API}.CONSUMER.INFO.{stream}.{name}",
        f"$JS.ACK.{stream}.{name}.>",
    )


def _gets(bucket: str, *keys: str) -> tuple[str, ...]:
    return tuple(f"{API}.DIRECT.GET.KV_{bucket}.{s.bucket_subject(bucket, key)}" for key in keys)


def _puts(bucket: str, *keys: str) -> tuple[str, ...]:
    return tuple(s.bucket_subject(bucket, key) for key in keys)


def _follows(bucket: str, *keys: str) -> tuple[str, ...]:
    return _reads(f"KV_{bucket}", *(s.bucket_subject(bucket, key) for key in keys or (">",)))


def _everybody(client: Client) -> tuple[str, ...]:
    return (s.ALL_LOGS, s.dead_letter(client), f"{API}.STREAM.INFO.{s.EVENTS}", *_answers(Client.GATEWAY))


def _answers(*askers: Client) -> tuple[str, ...]:
    return tuple(f"{inbox_of(asker)}.>" for asker in askers)


_REMEMBERS = (*_gets(s.IDEMPOTENCY_BUCKET, ">"), *_puts(s.IDEMPOTENCY_BUCKET, ">"))
_STORE = f"OBJ_{s.MEDIA_STORE}"
_FILES = (
    *_reads(_STORE),
    f"$O.{s.MEDIA_STORE}.>",
    f"{API}.STREAM.MSG.GET.{_STORE}",
    f"{API}.STREAM.PURGE.{_STORE}",
    f"{API}.STREAM.NAMES",
)
_COMMANDS = (s.INSTANCE_COMMANDS, f"{API}.STREAM.INFO.{s.COMMANDS}")
"""Give commands, and see whether one is still waiting, but not what others wait."""


def _adapter(provider: Provider) -> tuple[tuple[str, ...], tuple[str, ...]]:
    waiting = s.messages_of(provider)
    publish = (
        *(s.all_of(name) for name in EVENTS_OF_SESSIONS),
        *(s.ALL_MESSAGE_EVENTS, s.ALL_ACTIVITY, waiting, *_COMMANDS, s.ALL_MESSAGES_CALLS),
        *_reads(s.OUTBOX, waiting),
        f"{API}.DIRECT.GET.{s.OUTBOX}",
        f"$JS.ACK.{s.OUTBOX}.>",
        f"{API}.DIRECT.GET.{s.EVENTS}",
        f"{API}.DIRECT.GET.{s.EVENTS}.>",
        f"{API}.STREAM.MSG.GET.{s.EVENTS}",
        f"{API}.STREAM.INFO.{s.EVENTS}",
        *_follows(s.ORDERS_BUCKET, f"{provider}.>"),
        *_puts(s.ORDERS_BUCKET, f"{provider}.>"),
        *(*_gets(s.WORKERS_BUCKET, ">"), *_puts(s.WORKERS_BUCKET, "*")),
        *_gets(s.SECRETS_BUCKET, f"{provider}.>"),
        *_puts(s.SECRETS_BUCKET, f"{provider}.*.login"),
        *_gets(s.INSTANCES_BUCKET, "*"),
        *_REMEMBERS,
        *_FILES,
    )
    heard = (waiting, s.all_of("deleted"), s.ALL_WORKER_CALLS, s.ALL_DRAIN_CALLS, s.ALL_OUTBOX_INBOXES)
    return publish, heard


_LIFECYCLE = (
    *(f"{API}.STREAM.CREATE.*", f"{API}.STREAM.UPDATE.*", f"{API}.STREAM.INFO.*"),
    *(f"{API}.STREAM.DELETE.{s.LOGS}", f"{API}.STREAM.DELETE.KV_{s.WORKERS_BUCKET}"),
    *_durable(s.COMMANDS, s.LIFECYCLE_DURABLE),
    *(s.ALL_INSTANCE_EVENTS, s.ALL_AUDITS, s.ALL_MESSAGE_EVENTS),
    *("_INBOX.>", s.ALL_REPLIES, s.ALLOCATE, s.RELEASE),
    *(*_reads(s.EVENTS), f"{API}.STREAM.MSG.GET.{s.EVENTS}"),
    *(f"{API}.DIRECT.GET.{s.OUTBOX}", f"{API}.STREAM.MSG.DELETE.{s.OUTBOX}", s.OUTBOX_KEPT),
    *(*_follows(s.INSTANCES_BUCKET), *_puts(s.INSTANCES_BUCKET, ">")),
    *(*_follows(s.ORDERS_BUCKET), *_puts(s.ORDERS_BUCKET, ">")),
    *(*_follows(s.WORKERS_BUCKET), *_puts(s.WORKERS_BUCKET, "*")),
    *(*_gets(s.SECRETS_BUCKET, ">"), *_puts(s.SECRETS_BUCKET, ">")),
)
_GATEWAY = (
    *(*_COMMANDS, s.MESSAGE_COMMANDS, s.ALL_AUDITS, s.ALL_ACTIVITY),
    *(s.ALL_WORKER_CALLS, s.ALL_DRAIN_CALLS, s.ALL_WEBHOOKS_CALLS, s.ALL_MESSAGES_CALLS),
    *(s.HEALTH, s.ALL_METRICS_CALLS, s.CONTAINERS),
    *(*_reads(s.EVENTS), *_reads(s.LOGS)),
    *(*_follows(s.INSTANCES_BUCKET), *_follows(s.WORKERS_BUCKET), *_follows(s.PORTS_BUCKET)),
    *(*_follows(s.TOKENS_BUCKET), *_puts(s.TOKENS_BUCKET, ">")),
    *_gets(s.SECRETS_BUCKET, "*.*.api_key", "*.*.webhook_secret"),
    *_REMEMBERS,
    *_FILES,
)
_ALLOCATOR = (
    *_answers(Client.LIFECYCLE),
    *(*_follows(s.PORTS_BUCKET), *_puts(s.PORTS_BUCKET, ">"), *_follows(s.WORKERS_BUCKET)),
    *(*_gets(s.SECRETS_BUCKET, "*.*.api_key"), *_puts(s.SECRETS_BUCKET, "*.*.api_key")),
)
_MESSAGE_STORE = (
    *_answers(Client.TELEGRAM_ADAPTER, Client.WHATSAPP_ADAPTER),
    *_durable(s.EVENTS, s.MESSAGE_STORE_DURABLE),
    *(f"{API}.STREAM.INFO.{s.EVENTS}", s.MESSAGE_COMMANDS),
    *_follows(s.INSTANCES_BUCKET),
)
_WEBHOOKS = (
    *_durable(s.EVENTS, s.WEBHOOKS_DURABLE),
    *(f"{API}.STREAM.INFO.{s.EVENTS}", s.ALL_UPDATES, f"{API}.STREAM.INFO.{s.COMMANDS}"),
    *_follows(s.INSTANCES_BUCKET),
    *_gets(s.SECRETS_BUCKET, "*.*.webhook_headers", "*.*.webhook_secret"),
    *_puts(s.SECRETS_BUCKET, "*.*.webhook_secret"),
)
_SERVICES: dict[Client, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Client.GATEWAY: (_GATEWAY, ()),
    Client.ALLOCATOR: (_ALLOCATOR, (s.ALLOCATE, s.RELEASE)),
    Client.LIFECYCLE: (_LIFECYCLE, (s.LIFECYCLE_INBOX, s.CONTAINERS)),
    Client.TELEGRAM_ADAPTER: _adapter(Provider.TELEGRAM),
    Client.WHATSAPP_ADAPTER: _adapter(Provider.WHATSAPPWEB),
    Client.MESSAGE_STORE: (_MESSAGE_STORE, (s.ALL_MESSAGES_CALLS, s.MESSAGE_STORE_INBOX)),
    Client.WEBHOOKS: (_WEBHOOKS, (s.ALL_WEBHOOKS_CALLS, s.WEBHOOKS_INBOX)),
}
