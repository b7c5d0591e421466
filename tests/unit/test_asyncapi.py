"""The AsyncAPI document says what the subjects, the models and the streams say."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from mim.contracts import asyncapi, subjects
from mim.contracts.messages import EVENTS, UPDATE, Verb, event_subject, event_type, parse_command
from mim.contracts.schemas import resolve
from mim.runtime import logs, streams

Json = dict[str, Any]

DOCUMENT: Json = json.loads(json.dumps(asyncapi.document("0")))
CHANNELS: Json = DOCUMENT["channels"]
ADDRESSES = {name: channel["address"] for name, channel in CHANNELS.items() if channel["address"]}
ID = "5f0c1d3e-0000-4000-8000-000000000042"

# What makes no subject of a channel, and why.
NO_CHANNEL = {
    "token": "checks one token",
    "reply_subject": "checks where outcomes go; the channel `replies` has no address of its own",
    "messages_of": "a filter over `message_command`",
    "instance_events": "a filter over `instance_event`",
    "message_events": "a filter over `message_event`",
    "all_of": "a filter over `instance_event`",
    "audits_of": "a filter over `audit_event`",
    "outbox_inbox": "where the server delivers what `message_command` carries",
    "bucket_subject": "the prefix of every bucket's keys",
    "orders_of": "a filter over `order_key`",
    "host_token": "makes one token",
    "last_token": "reads a subject",
    "instance_of": "reads a subject",
}
FILTERS = {
    *("INSTANCE_COMMANDS", "MESSAGE_COMMANDS", "ALL_EVENTS", "ALL_MESSAGE_EVENTS", "ALL_INSTANCE_EVENTS", "ALL_AUDITS"),
    *("ALL_LOGS", "ALL_DEAD", "ALL_ACTIVITY", "ALL_UPDATES", "ALL_REPLIES"),
    *(
        "ALL_WORKER_CALLS",
        "ALL_DRAIN_CALLS",
        "ALL_WEBHOOKS_CALLS",
        "ALL_MESSAGES_CALLS",
        "ALL_METRICS_CALLS",
        "ALL_OUTBOX_INBOXES",
    ),
    *("WEBHOOKS_INBOX", "MESSAGE_STORE_INBOX", "LIFECYCLE_INBOX"),  # where the server delivers what the events carry
}
BUCKETS = {
    "order_key": subjects.ORDERS_BUCKET,
    "secret_key": subjects.SECRETS_BUCKET,
    "port_key": subjects.PORTS_BUCKET,
    "lease_key": subjects.PORTS_BUCKET,
}

BUILDERS = {
    name: build
    for name, build in inspect.getmembers(subjects, inspect.isfunction)
    if build.__module__ == subjects.__name__
}
SAMPLES = {
    "instance_id": ID, "provider": "telegram", "worker": "telegram-host-1", "service": "lifecycle", "about": ID,
    "action": "delete", "name": "created", "verb": "start", "host": "desk", "port": 3001, "question": "list",
}  # fmt: skip
SPECIAL = {subjects.message_event: {"name": "sent"}, subjects.messages_call: {"question": "chats"}}


def channels_of(subject: str) -> list[str]:
    """The channels whose address fits, by the patterns of their parameters."""
    return [name for name in ADDRESSES if fits(name, subject)]


def fits(name: str, subject: str) -> bool:
    wanted, given = ADDRESSES[name].split("."), subject.split(".")
    patterns = {key: each["x-pattern"] for key, each in CHANNELS[name].get("parameters", {}).items()}
    return len(wanted) == len(given) and all(
        re.search(patterns[part.strip("{}")], token) if part.startswith("{") else part == token
        for part, token in zip(wanted, given, strict=True)
    )


def validator(schema: Json) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]}, validate_formats=True)


@pytest.mark.parametrize("name", sorted(BUILDERS.keys() - NO_CHANNEL.keys()))
def test_every_subject_that_can_be_built_is_documented(name: str) -> None:
    build = BUILDERS[name]
    samples = SAMPLES | SPECIAL.get(build, {})
    subject = build(*(samples[each] for each in inspect.signature(build).parameters))
    subject = f"$KV.{BUCKETS[name]}.{subject}" if name in BUCKETS else subject
    found = channels_of(subject)
    assert len(found) == 1, f"{subject}: {found or 'add a channel to asyncapi.py, or say here why there is none'}"


def test_every_fixed_subject_is_documented() -> None:
    fixed = {name: value for name, value in vars(subjects).items() if isinstance(value, str) and "mim." in value}
    fixed.pop("__doc__", None)
    fixed = {name: value for name, value in fixed.items() if name.isupper()}
    assert set(fixed) >= FILTERS
    missing = {name for name, value in fixed.items() if name not in FILTERS and value not in ADDRESSES.values()}
    assert not missing


def test_every_bucket_is_documented() -> None:
    buckets = {value for name, value in vars(subjects).items() if name.endswith("_BUCKET")}
    shown = {address.split(".")[1] for address in ADDRESSES.values() if address.startswith("$KV.")}
    assert shown == buckets


def test_reasons_to_leave_something_out_are_still_good() -> None:
    assert NO_CHANNEL.keys() <= BUILDERS.keys()


@pytest.mark.parametrize("event", EVENTS, ids=event_type)
def test_every_event_has_a_channel_with_its_envelope(event: Any) -> None:
    told = event.model_construct(instance_id=ID, action="delete")
    (name,) = channels_of(event_subject(told))
    channel = CHANNELS[name]
    envelope = resolve(DOCUMENT, channel["messages"]["message"]["payload"]["$ref"])
    assert envelope["properties"]["type"] == {"type": "string", "const": event_type(event)}
    assert envelope["properties"]["data"]["$ref"].endswith("/" + event.__name__)
    assert DOCUMENT["operations"][name]["action"] == "send"
    assert channel["x-stream"]["name"] == subjects.EVENTS


@pytest.mark.parametrize("verb", [*Verb, UPDATE])
def test_every_verb_is_a_command_whose_outcome_comes_to_the_reply_subject(verb: str) -> None:
    name = str(verb)
    assert ADDRESSES[name] == f"mim.cmd.instance.{{instanceId}}.{verb}"
    operation = DOCUMENT["operations"][name]
    assert operation["action"] == "receive"
    assert operation["reply"]["address"]["location"] == "$message.header#/Mim-Reply-To"
    assert operation["reply"]["messages"] == [{"$ref": "#/channels/replies/messages/Outcome"}]
    headers = resolve(DOCUMENT, CHANNELS[name]["messages"]["message"]["headers"]["$ref"])
    assert set(headers["properties"]) == {"Nats-Msg-Id", "Mim-Reply-To", logs.CORRELATION}
    reply_to = re.compile(headers["properties"]["Mim-Reply-To"]["pattern"])
    for good in ("_INBOX.aB1.2", "mim.reply.x"):
        assert reply_to.fullmatch(subjects.reply_subject(good))
    assert not reply_to.fullmatch("mim.evt.instance.x.created")


@pytest.mark.parametrize("verb", [*Verb, UPDATE])
def test_what_a_command_may_leave_out_its_subject_supplies(verb: str) -> None:
    payload = CHANNELS[str(verb)]["messages"]["message"]["payload"]
    assert validator(payload).is_valid({})
    assert parse_command(subjects.instance_command(ID, verb), b"{}").instance_id == ID


def test_streams_are_as_they_are_made() -> None:
    made = {config.name: config for config in streams.STREAMS}
    for channel in CHANNELS.values():
        if "x-stream" not in channel:
            continue
        told, config = channel["x-stream"], made[channel["x-stream"]["name"]]
        assert told["retention"] == config.retention
        assert told.get("maxAgeDays", 0) * streams.DAY_S == (config.max_age or 0)
        assert told.get("maxMessagesPerSubject", -1) == config.max_msgs_per_subject
        starts = tuple(subject.removesuffix(">").rstrip("*.") for subject in config.subjects or [])
        assert channel["address"].startswith(starts)


def test_requests_between_services_are_marked_and_answered() -> None:
    for name in ("allocate", "release", "health", "metrics", "session-call"):
        operation = DOCUMENT["operations"][name]
        assert operation["x-internal"] is True
        assert operation["reply"]["channel"] == {"$ref": "#/channels/replies"}
        assert "address" not in operation["reply"]
    assert not any("x-internal" in DOCUMENT["operations"][name] for name in ("create", "send", "instance.created"))


def test_every_parameter_says_what_it_may_look_like() -> None:
    found = [item for channel in CHANNELS.values() for item in channel.get("parameters", {}).values()]
    assert found
    for each in found:
        assert each["description"]
        assert re.compile(each["x-pattern"])
    assert CHANNELS["send"]["parameters"]["provider"]["enum"] == ["whatsappweb", "telegram"]


def test_a_reader_of_events_must_bear_new_fields() -> None:
    assert not any("additionalProperties" in schema for schema in DOCUMENT["components"]["schemas"].values())


def test_a_placeholder_is_no_part_of_an_address() -> None:
    assert not [address for address in ADDRESSES.values() if "zz" in address]
