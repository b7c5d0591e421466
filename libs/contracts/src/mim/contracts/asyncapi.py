"""The AsyncAPI 3.0 document of everything that travels over the bus, made from the subjects and the models.

https://www.asyncapi.com/docs/reference/specification/v3.0.0. Pure: the same code gives the same bytes. It speaks as
the system: it receives commands and sends events.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from mim.contracts import bulk, deliveries, messages, records, stored, subjects
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.messages import INSTANCE_EVENTS, MESSAGE_EVENTS, Event, Verb, envelope_of, event_type
from mim.contracts.reports import ContainersReport, ServiceReport
from mim.contracts.schemas import REF, Json, prose, schemas_of
from mim.contracts.states import Provider
from mim.contracts.values import LogLine

ABOUT = """\
Every message is JSON, UTF-8. Events are CloudEvents 1.0 envelopes. Within a version fields are only ever added, so
ignore what you do not know.

`mim up` writes address and credentials of its NATS server into `<data folder>/nats/access.json`. Ids become subject
tokens only in the form that each parameter names. Channels with `x-internal` are for information: they may change.
"""

REPLY_TO = "Mim-Reply-To"
CORRELATION = "correlation_id"
TOKEN_PATTERN = "^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$"  # noqa: S105 - a token of a subject

# Builder's parameter → name in the document, description, pattern, values.
PARAMETERS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "instance_id": ("instanceId", "Id of the instance, in lower case.", UUID_PATTERN, ()),
    "provider": ("provider", "Kind of messenger.", TOKEN_PATTERN, tuple(Provider)),
    "worker": ("worker", "Name of a worker, such as `telegram-host-1`.", TOKEN_PATTERN, ()),
    "service": ("service", "Name of a service, such as `lifecycle`.", TOKEN_PATTERN, ()),
    "about": ("about", "Id of the instance that was changed, or `system`.", f"{UUID_PATTERN}|^system$", ()),
    "action": ("action", "What was done, such as `delete`.", TOKEN_PATTERN, ()),
    "host": ("host", "Host name, with dashes for dots.", TOKEN_PATTERN, ()),
    "port": ("port", "Number of the port.", "^[0-9]{1,5}$", ()),
    "place": ("place", "Hash of the caller, the route and the Idempotency-Key.", "^[0-9a-f]{40}$", ()),
    "name": ("name", "Name of a secret, such as `token`.", TOKEN_PATTERN, ()),
    "token_id": ("tokenId", "Id of an access token.", TOKEN_PATTERN, ()),
}

STREAMS: dict[str, Json] = {
    subjects.COMMANDS: {"retention": "workqueue"},
    subjects.OUTBOX: {"retention": "workqueue"},
    subjects.EVENTS: {"retention": "limits", "maxAgeDays": 30},
    subjects.LOGS: {"retention": "limits", "maxAgeDays": 7, "maxMessagesPerSubject": 1000},
    subjects.DEAD: {"retention": "limits", "maxAgeDays": 30},
}

TAGS = {
    "commands": "What can be asked of the system. A command that its stream has acknowledged will be done.",
    "messages": "Texts and files to be sent.",
    "instance events": "Where an instance stands; in order for each instance, replayable for 30 days.",
    "message events": "What was sent and received.",
    "records": "Activity and audit.",
    "logs": "Log lines of instances, and what could not be handled.",
    "buckets": "JetStream key-value buckets, to be watched. An empty message with `KV-Operation` removes the key.",
    "requests": "Requests between services, answered on the reply subject of the request.",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One subject and its message. `model` None is an empty message, a string the media type of what is no JSON;
    `answer` is what the reply holds."""

    name: str
    address: str
    tag: str
    summary: str
    model: type[BaseModel] | str | None
    mode: JsonSchemaMode = "serialization"
    received: bool = False
    answer: type[BaseModel] | str | None = None
    internal: bool = False
    stream: str | None = None
    event: type[Event] | None = None
    from_subject: tuple[str, ...] = field(default=())
    """Fields that the subject supplies, so that the body may leave them out."""


def address(build: Callable[..., str], /, *fixed: str, **given: str) -> str:
    """The address that a builder of subjects gives, with `{parameters}` for what is not given."""
    names = list(inspect.signature(build).parameters)
    given |= dict(zip(names, fixed, strict=False))
    marks = {name: f"zz-{name.replace('_', '-')}-zz" for name in names if name not in given}
    subject = build(**given, **marks)
    for name, mark in marks.items():
        subject = subject.replace(mark, "{" + PARAMETERS[name][0] + "}")
    return subject


def _key_of(bucket: str, build: Callable[..., str], /, *fixed: str) -> str:
    return subjects.bucket_subject(bucket, address(build, *fixed))


def _commands() -> Iterator[Channel]:
    common: Any = {"tag": "commands", "received": True, "mode": "validation", "stream": subjects.COMMANDS}
    common |= {"answer": messages.Outcome}
    yield Channel(
        "create", subjects.CREATE_COMMAND, summary="Create an instance", model=messages.CreateInstance, **common
    )
    for verb in Verb:
        yield Channel(
            *(str(verb), address(subjects.instance_command, verb=str(verb))),
            summary="Log an instance out" if verb is Verb.LOGOUT else f"{verb.capitalize()} an instance",
            model=messages.ChangeInstance,
            from_subject=("instance_id", "verb"),
            **common,
        )
    yield Channel(
        *("update", address(subjects.instance_command, verb=messages.UPDATE)),
        summary="Change what is given, leave the rest",
        model=messages.UpdateInstance,
        from_subject=("instance_id",),
        **common,
    )
    send = common | {"tag": "messages", "stream": subjects.OUTBOX, "answer": None, "model": messages.SendMessage}
    yield Channel("send", address(subjects.message_command), summary="Send a text or a file", **send)
    kept = "Says nothing: the stream is quicker while it is not empty"
    yield Channel("kept", subjects.OUTBOX_KEPT, "messages", kept, None, stream=subjects.OUTBOX, internal=True)


def _events() -> Iterator[Channel]:
    found: list[tuple[str, str, type[Event]]] = [
        *((address(subjects.instance_event, name=event.name), "instance events", event) for event in INSTANCE_EVENTS),
        *((address(subjects.message_event, name=event.name), "message events", event) for event in MESSAGE_EVENTS),
        (address(subjects.activity_event), "records", messages.ActivityReported),
        (address(subjects.audit_event), "records", messages.Audited),
    ]
    for subject, tag, event in found:
        name = event_type(event).removeprefix("mim.").removesuffix(".v1")
        told = prose(event)
        yield Channel(name, subject, tag, told, envelope_of(event), stream=subjects.EVENTS, event=event)


def _rest() -> Iterator[Channel]:
    log = (address(subjects.log_line), "logs", prose(LogLine), LogLine)
    yield Channel("log", *log, stream=subjects.LOGS)
    dead = (address(subjects.dead_letter), "logs", prose(records.DeadLetter), records.DeadLetter)
    yield Channel("dead letter", *dead, stream=subjects.DEAD)


def _buckets() -> Iterator[Channel]:
    instances, one = subjects.INSTANCES_BUCKET, _identity
    yield Channel(
        "bucket.instances", _key_of(instances, one), "buckets", prose(records.InstanceRecord), records.InstanceRecord
    )
    for name, subject, model in (
        ("fold", subjects.bucket_subject(instances, subjects.FOLD_POSITION_KEY), records.FoldPosition),
        ("leases", _key_of(subjects.PORTS_BUCKET, subjects.lease_key), records.Lease),
        ("ports", _key_of(subjects.PORTS_BUCKET, subjects.port_key), records.Lease),
        ("workers", _key_of(subjects.WORKERS_BUCKET, _worker), records.WorkerHeartbeat),
        ("orders", _key_of(subjects.ORDERS_BUCKET, subjects.order_key), records.SessionOrder),
        ("tokens", _key_of(subjects.TOKENS_BUCKET, _token), records.AccessToken),
        ("idempotency", _key_of(subjects.IDEMPOTENCY_BUCKET, _place), records.Remembered),
    ):
        yield Channel(f"bucket.{name}", subject, "buckets", prose(model), model, internal=True)
    secret = _key_of(subjects.SECRETS_BUCKET, subjects.secret_key)
    yield Channel("bucket.secrets", secret, "buckets", "Secrets, sealed.", "text/plain", internal=True)


def _identity(instance_id: str) -> str:
    return subjects.token(instance_id)


def _worker(worker: str) -> str:
    return subjects.token(worker)


def _token(token_id: str) -> str:
    return subjects.token(token_id)


def _place(place: str) -> str:
    return subjects.token(place)


def _requests() -> Iterator[Channel]:
    common: Any = {"tag": "requests", "mode": "validation", "received": True, "internal": True}
    for name, subject, model, answer, summary in (
        ("allocate", subjects.ALLOCATE, records.AllocationRequest, records.Reply, prose(records.AllocationRequest)),
        ("release", subjects.RELEASE, records.Release, records.Reply, prose(records.Release)),
        (
            "session call",
            address(subjects.session_call),
            records.SessionCall,
            records.SessionAnswer,
            prose(records.SessionCall),
        ),
        ("drain", address(subjects.drain_call), records.DrainCall, records.Reply, prose(records.DrainCall)),
        ("containers", subjects.CONTAINERS, None, ContainersReport, "Ask what the containers of instances take."),
        ("health", subjects.HEALTH, None, ServiceReport, "Ask every process how it does; each answers."),
        ("metrics", address(subjects.metrics_of), None, "text/plain", "Ask a service for its metrics."),
    ):
        yield Channel(name, subject, model=model, answer=answer, summary=summary, **common)
    call, reply = deliveries.DeliveryCall, deliveries.DeliveryReply
    for verb in deliveries.DeliveryVerb:
        subject = address(subjects.webhooks_call, str(verb))
        yield Channel(f"webhooks.{verb}", subject, model=call, answer=reply, summary=prose(call), **common)
    for about in bulk.BulkVerb:
        subject, text = address(subjects.messages_call, f"bulk-{about}"), prose(bulk.BulkCall)
        yield Channel(
            f"messages.bulk-{about}", subject, model=bulk.BulkCall, answer=bulk.BulkReply, summary=text, **common
        )
    for asked in stored.StoredVerb:
        subject, call_model = address(subjects.messages_call, str(asked)), stored.StoredCall
        yield Channel(
            f"messages.{asked}",
            subject,
            model=call_model,
            answer=stored.StoredReply,
            summary=prose(call_model),
            **common,
        )


def channels() -> tuple[Channel, ...]:
    """Every channel, in the order in which people read about them."""
    return (*_commands(), *_events(), *_rest(), *_buckets(), *_requests())


def document(version: str) -> Json:
    """The document; `version` is that of the gateway."""
    found = channels()
    references, schemas = schemas_of(_models(found))
    for channel in found:
        if channel.event is not None:
            _name_type(_component(references, schemas, channel.model, channel.mode), channel.event)
        for name in channel.from_subject:
            _leave_out(_component(references, schemas, channel.model, channel.mode), name)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "mim on the bus", "version": version, "description": ABOUT, "tags": _tags(TAGS)},
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "The NATS server of `mim up`, or your own.",
                "security": [{"$ref": "#/components/securitySchemes/login"}],
            }
        },
        "channels": {_key(channel): _channel(channel, references) for channel in found} | {"replies": _replies(found)},
        "operations": {_key(channel): _operation(channel) for channel in found},
        "components": {
            "schemas": schemas | HEADERS,
            "messages": _answers(found, references),
            "securitySchemes": {"login": {"type": "userPassword", "description": "As `access.json` has them."}},
        },
    }


HEADERS: dict[str, Json] = {
    "CommandHeaders": {
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {
                "type": "string",
                "description": "A repeat with the same id within ten minutes is dropped.",
            },
            REPLY_TO: {
                "type": "string",
                "description": "An inbox, or a subject below `mim.reply.`, that gets the outcome.",
                "pattern": r"^(?:_INBOX|mim\.reply)(?:\.[A-Za-z0-9_-]{1,64}){1,8}$",
            },
            CORRELATION: {"type": "string", "description": "Goes with everything that the command causes."},
        },
    },
    "EventHeaders": {
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {"type": "string", "description": "Unique for ever."},
            CORRELATION: {"type": "string", "description": "That of the request or command which caused it."},
        },
    },
}


def _models(found: tuple[Channel, ...]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for channel in found:
        if channel.model is not None and not isinstance(channel.model, str):
            yield channel.model, channel.mode
        if channel.answer is not None and not isinstance(channel.answer, str):
            yield channel.answer, "serialization"


def _component(references: Any, schemas: dict[str, Json], model: Any, mode: JsonSchemaMode) -> Json:
    return schemas[references[model, mode]["$ref"].removeprefix(REF)]


def _name_type(envelope: Json, event: type[Event]) -> None:
    envelope["properties"]["type"] = {"type": "string", "const": event_type(event)}
    envelope["description"] = f"A CloudEvents 1.0 envelope. {prose(event)}"


def _leave_out(schema: Json, name: str) -> None:
    schema["required"] = [field for field in schema.get("required", ()) if field != name]
    schema["properties"][name] = schema["properties"][name] | {"description": "The subject says it; need not be given."}


def _tags(names: Any) -> list[Json]:
    return [{"name": name, "description": TAGS[name]} for name in names]


def _key(channel: Channel) -> str:
    return channel.name.replace(" ", "-")


def _channel(channel: Channel, references: Any) -> Json:
    message: Json = {"name": channel.name, "title": channel.summary, "contentType": "application/json"}
    if isinstance(channel.model, str):
        message |= {"contentType": channel.model, "payload": {"type": "string"}}
    elif channel.model is not None:
        message["payload"] = references[channel.model, channel.mode]
    if channel.stream is not None:
        kind = "CommandHeaders" if channel.received else "EventHeaders"
        message["headers"] = {"$ref": REF + kind}
        message["correlationId"] = {"location": f"$message.header#/{CORRELATION}"}
    found: Json = {
        "address": channel.address,
        "title": channel.summary,
        "servers": [{"$ref": "#/servers/nats"}],
        "messages": {"message": message},
        "tags": [{"name": channel.tag}],
    }
    known = {name: (text, pattern, values) for name, text, pattern, values in PARAMETERS.values()}
    names = [part.strip("{}") for part in channel.address.split(".") if part.startswith("{")]
    if names:
        found["parameters"] = {name: _parameter(*known[name]) for name in names}
    if channel.stream is not None:
        found["x-stream"] = {"name": channel.stream} | STREAMS[channel.stream]
    return found | ({"x-internal": True} if channel.internal else {})


def _parameter(text: str, pattern: str, values: tuple[str, ...]) -> Json:
    return {"description": text, "x-pattern": pattern} | ({"enum": [str(value) for value in values]} if values else {})


def _operation(channel: Channel) -> Json:
    key = _key(channel)
    found: Json = {
        "action": "receive" if channel.received else "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "title": channel.summary,
        "tags": [{"name": channel.tag}],
        "messages": [{"$ref": f"#/channels/{key}/messages/message"}],
    }
    if channel.answer is not None:
        found["reply"] = {
            "channel": {"$ref": "#/channels/replies"},
            "messages": [{"$ref": f"#/channels/replies/messages/{_answer_key(channel.answer)}"}],
        }
        if channel.stream is not None:  # the reply subject of a stored command belongs to the stream
            found["reply"]["address"] = {
                "location": f"$message.header#/{REPLY_TO}",
                "description": "Without it no outcome is sent; `reply_to` in the body is the same.",
            }
    return found | ({"x-internal": True} if channel.internal else {})


def _answer_key(answer: type[BaseModel] | str) -> str:
    return "Metrics" if isinstance(answer, str) else answer.__name__


def _answers(found: tuple[Channel, ...], references: Any) -> dict[str, Json]:
    answers = {_answer_key(channel.answer): channel.answer for channel in found if channel.answer is not None}
    return {
        name: {"name": name, "contentType": answer, "payload": {"type": "string"}}
        if isinstance(answer, str)
        else {"name": name, "title": prose(answer), "payload": references[answer, "serialization"]}
        for name, answer in sorted(answers.items())
    }


def _replies(found: tuple[Channel, ...]) -> Json:
    names = sorted({_answer_key(channel.answer) for channel in found if channel.answer is not None})
    return {
        "address": None,
        "title": "Outcomes and answers, where the caller wants them",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }
