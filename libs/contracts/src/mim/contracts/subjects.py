"""Every subject, stream, bucket and key of the bus, and the one place that builds them.

An id becomes a subject token only through `token`, for publishing and for subscribing alike: a wildcard or an
overlong id in a subject would read other tenants' events or end the connection (measured on nats-server 2.15).
"""

from __future__ import annotations

import re

from mim.contracts.errors import ErrorCode, Invalid

COMMANDS = "COMMANDS"
OUTBOX = "OUTBOX"
EVENTS = "EVENTS"
LOGS = "LOGS"
DEAD = "DEAD"

INSTANCES_BUCKET = "instances"  # the read model, key = instance id
FOLD_POSITION_KEY = "_fold"  # in the same bucket: how far the event stream is folded
PORTS_BUCKET = "ports"  # key = <host>.<port> and instance.<id>
WORKERS_BUCKET = "workers"  # heartbeats, key = worker name
ORDERS_BUCKET = "orders"  # session orders, key = <provider>.<worker>.<instance id>
SECRETS_BUCKET = "secrets"  # sealed, key = <provider>.<instance id>.<name>
IDEMPOTENCY_BUCKET = "idempotency"  # answers by key for 24 h, sealed
TOKENS_BUCKET = "tokens"  # access tokens by id, hashed

MEDIA_STORE = "media"  # an object store of files on their way

CREATE_COMMAND = "mim.cmd.instance.create"
INSTANCE_COMMANDS = "mim.cmd.instance.>"
MESSAGE_COMMANDS = "mim.cmd.message.>"
OUTBOX_KEPT = "mim.kept.outbox"
ALL_EVENTS = "mim.evt.>"
ALL_MESSAGE_EVENTS = "mim.evt.message.*.*"
ALL_INSTANCE_EVENTS = "mim.evt.instance.*.*"
ALL_AUDITS = "mim.evt.audit.*.*"
ALL_ACTIVITY = "mim.evt.activity.*.*"
ALL_UPDATES = "mim.cmd.instance.*.update"
ALL_REPLIES = "mim.reply.>"
ALL_WORKER_CALLS = "mim.rpc.worker.*"
ALL_DRAIN_CALLS = "mim.rpc.drain.*"
ALL_WEBHOOKS_CALLS = "mim.rpc.webhooks.*"
ALL_MESSAGES_CALLS = "mim.rpc.messages.*"
ALL_METRICS_CALLS = "mim.rpc.metrics.*"
ALL_OUTBOX_INBOXES = "mim.deliver.*.*"
ALL_LOGS = "mim.log.>"
ALL_DEAD = "mim.dlq.>"
ALLOCATE = "mim.rpc.allocator.allocate"
ALL_ORDERS = "*.*.*"
RELEASE = "mim.rpc.allocator.release"
ALLOCATOR_QUEUE = "allocator"
LIFECYCLE_DURABLE = "lifecycle"
LIFECYCLE_INBOX = "mim.deliver.lifecycle"
WEBHOOKS_DURABLE = "webhooks"
WEBHOOKS_INBOX = "mim.deliver.webhooks"
MESSAGE_STORE_DURABLE = "message-store"
MESSAGE_STORE_INBOX = "mim.deliver.message-store"
CONTAINERS = "mim.rpc.lifecycle.containers"
HEALTH = "mim.rpc.health"

_TOKEN = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_REPLY = re.compile(r"(?:_INBOX|mim\.reply)(?:\.[A-Za-z0-9_-]{1,64}){1,8}")


def token(value: str) -> str:
    """Return `value` if it can stand as one subject token.

    Raises: Invalid if it has anything but lower-case letters, digits, inner dashes, or more than 63 characters.
    """
    if not _TOKEN.fullmatch(value):
        shown = value if len(value) <= 40 else value[:40] + "…"
        raise Invalid(
            ErrorCode.INVALID_ID,
            f"{shown!r} is not a valid id: use 1 to 63 lower-case letters, digits and dashes, such as a UUID",
        )
    return value


def reply_subject(value: str) -> str:
    """Return `value` if outcomes may be published there.

    Raises: Invalid unless it is an inbox or lies under `mim.reply.`.
    """
    if not _REPLY.fullmatch(value):
        raise Invalid(ErrorCode.INVALID_ID, "a reply subject must begin with '_INBOX.' or 'mim.reply.'")
    return value


def instance_command(instance_id: str, verb: str) -> str:
    """Subject of a command to one instance; `verb` is start, stop, restart, logout, update or delete."""
    return f"mim.cmd.instance.{token(instance_id)}.{token(verb)}"


def message_command(provider: str, instance_id: str) -> str:
    """Subject on which messages to be sent by an instance wait."""
    return f"mim.cmd.message.{token(provider)}.{token(instance_id)}"


def messages_of(provider: str) -> str:
    """All messages to be sent by instances of one provider."""
    return f"mim.cmd.message.{token(provider)}.*"


def instance_event(instance_id: str, name: str) -> str:
    """Subject of a status event; `name` is the event's word, such as `qr_ready`."""
    return f"mim.evt.instance.{token(instance_id)}.{token(name)}"


def instance_events(instance_id: str) -> str:
    """All status events of one instance, for subscribing and for compare-and-set."""
    return f"mim.evt.instance.{token(instance_id)}.*"


def message_event(instance_id: str, name: str) -> str:
    """Subject of a message event, such as `sent`."""
    return f"mim.evt.message.{token(instance_id)}.{token(name)}"


def all_of(name: str) -> str:
    """One kind of status event of all instances, such as `deleted`."""
    return f"mim.evt.instance.*.{token(name)}"


def message_events(instance_id: str) -> str:
    """All message events of one instance."""
    return f"mim.evt.message.{token(instance_id)}.*"


def activity_event(instance_id: str) -> str:
    """Subject of the reports of what an instance did: API calls, round trips to the messenger."""
    return f"mim.evt.activity.{token(instance_id)}.reported"


def audit_event(about: str, action: str) -> str:
    """Subject of the record that somebody changed something; `about` is an instance id or `system`."""
    return f"mim.evt.audit.{token(about)}.{token(action)}"


def audits_of(about: str) -> str:
    """All records of changes of one instance, or of `system`."""
    return f"mim.evt.audit.{token(about)}.*"


def session_call(worker: str) -> str:
    """Where a worker is asked something about a session that it holds."""
    return f"mim.rpc.worker.{token(worker)}"


def drain_call(worker: str) -> str:
    """Where a worker is told that it shall give its instances away."""
    return f"mim.rpc.drain.{token(worker)}"


def webhooks_call(question: str) -> str:
    """Where the service of webhooks is asked something; `question` is a word, such as `list`."""
    return f"mim.rpc.webhooks.{token(question)}"


def messages_call(question: str) -> str:
    """Where the message store is asked something; `question` is a word, such as `chats` or `bulk-list`."""
    return f"mim.rpc.messages.{token(question)}"


def log_line(instance_id: str) -> str:
    """Subject of the log lines of one instance."""
    return f"mim.log.{token(instance_id)}"


def dead_letter(service: str) -> str:
    """Subject of what `service` could not handle."""
    return f"mim.dlq.{token(service)}"


def metrics_of(service: str) -> str:
    """Where a service answers with its metrics; like HEALTH, a request without a body."""
    return f"mim.rpc.metrics.{token(service)}"


def outbox_inbox(worker: str, boot: str) -> str:
    """Where the messages of all instances of one worker are delivered to it."""
    return f"mim.deliver.{token(worker)}.{token(boot)}"


def bucket_subject(bucket: str, key: str) -> str:
    """Subject of one key of a bucket, as a program that watches the bucket sees it."""
    return f"$KV.{bucket}.{key}"


def order_key(provider: str, worker: str, instance_id: str) -> str:
    """Key of the session order of one instance at one worker; the provider comes first so that an adapter can be kept
    to its own."""
    return f"{token(provider)}.{token(worker)}.{token(instance_id)}"


def orders_of(provider: str, worker: str) -> str:
    """All orders for one worker, for watching."""
    return f"{token(provider)}.{token(worker)}.>"


def secret_key(provider: str, instance_id: str, name: str) -> str:
    """Key of one sealed secret; the provider comes first so that an adapter can be kept to its own."""
    return f"{token(provider)}.{token(instance_id)}.{token(name)}"


def port_key(host: str, port: int) -> str:
    """Key of one port on one host; dots of a host name become dashes."""
    return f"{host_token(host)}.{port}"


def lease_key(instance_id: str) -> str:
    """Key of the ports of one instance, in the same bucket."""
    return f"instance.{token(instance_id)}"


def host_token(host: str) -> str:
    """A host name as one token."""
    return token(re.sub(r"[^a-z0-9-]", "-", host.lower()).strip("-")[:63].rstrip("-") or "host")


def last_token(subject: str) -> str:
    """The last word of a subject: the event's name or the command's verb."""
    return subject.rpartition(".")[2]


def instance_of(subject: str) -> str:
    """The instance id of an instance event, message event or instance command subject."""
    return subject.split(".")[-2]
