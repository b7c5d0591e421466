"""What travels over the bus, and the REST bodies, as JSON Schema snapshots: nobody changes the contract by accident.

Within a version fields are only ever added. To accept a change that you mean to make:

    MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/contract
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mim.contracts import asyncapi, messages
from mim.contracts.bulk import Bulk, BulkCall, BulkItem, BulkReply
from mim.contracts.content import ContactCard, Location, Media, MessageRef, Poll
from mim.contracts.deliveries import Delivery, DeliveryCall, DeliveryReply, Trial
from mim.contracts.errors import Invalid
from mim.contracts.fields import Model
from mim.contracts.login import LoginField, LoginStep
from mim.contracts.messages import (
    EVENTS,
    ChangeInstance,
    CreateInstance,
    Event,
    Outcome,
    SendMessage,
    UpdateInstance,
    envelope_of,
    event_subject,
    event_type,
    parse_command,
    unwrap,
    wrap,
)
from mim.contracts.records import (
    AccessToken,
    Allocation,
    AllocationRequest,
    DeadLetter,
    DrainCall,
    FoldPosition,
    InstanceRecord,
    Lease,
    Release,
    Remembered,
    Reply,
    SessionAnswer,
    SessionCall,
    SessionOrder,
    WorkerHeartbeat,
)
from mim.contracts.reports import ContainersReport, ContainerUse, ServiceReport
from mim.contracts.routes import GATEWAY
from mim.contracts.routes import PORTS as PORT_ROUTES
from mim.contracts.stored import ChatRow, ContactRow, MediaRow, MessageRow, StatsRow, StoredCall, StoredReply
from mim.contracts.values import (
    Account,
    ApiKeyUse,
    Contact,
    ErrorEntry,
    Figures,
    IncomingContact,
    IncomingLocation,
    IncomingMedia,
    IncomingMessage,
    IncomingPoll,
    LogLine,
    Ports,
    QrCode,
    Reason,
    Restriction,
    Webhook,
)

FOLDER = Path(__file__).with_name("schemas")
ACCEPT = "MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/contract"
UPDATE = os.environ.get("MIM_UPDATE_SNAPSHOTS") == "1"

BUS: tuple[type[BaseModel], ...] = tuple(
    dict.fromkeys(
        model
        for channel in asyncapi.channels()
        if channel.event is None
        for model in (channel.model, channel.answer)
        if isinstance(model, type)
    )
)
REST = tuple(dict.fromkeys(route.body for route in (*GATEWAY, *PORT_ROUTES) if route.body is not None))


def kind(event: type[Event]) -> str:
    """`instance.created` and the like."""
    return event_type(event).removeprefix("mim.").removesuffix(".v1")


SCHEMAS: dict[str, type[BaseModel]] = (
    {f"event.{kind(event)}": envelope_of(event) for event in EVENTS}
    | {f"bus.{model.__name__}": model for model in BUS}
    | {f"rest.{model.__name__}": model for model in REST}
)


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


# ------------------------------------------------------------------------------------------------ snapshots


@pytest.mark.parametrize(("name", "model"), SCHEMAS.items(), ids=SCHEMAS.keys())
def test_a_schema_is_as_it_was_agreed(name: str, model: type[BaseModel]) -> None:
    path = FOLDER / f"{name}.json"
    present = schema_of(model)
    if UPDATE:
        path.write_text(json.dumps(present, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    agreed = json.loads(path.read_text()) if path.exists() else None
    assert present == agreed, f"the schema of {name} changed; if that is meant: {ACCEPT}"


def test_every_snapshot_belongs_to_a_message() -> None:
    left_over = {path.stem for path in FOLDER.glob("*.json")} - set(SCHEMAS)
    assert not left_over, f"no message has these snapshots any more; remove the files: {sorted(left_over)}"


@pytest.mark.parametrize(("name", "model"), SCHEMAS.items(), ids=SCHEMAS.keys())
def test_nothing_that_was_agreed_was_taken_away_or_made_necessary(name: str, model: type[BaseModel]) -> None:
    agreed, present = json.loads((FOLDER / f"{name}.json").read_text()), schema_of(model)
    places = {"": (agreed, present)}
    for definition, schema in agreed.get("$defs", {}).items():
        assert definition in present.get("$defs", {}), f"{definition} is gone"
        places[definition] = (schema, present["$defs"][definition])
    for where, (old, new) in places.items():
        gone = set(old.get("properties", {})) - set(new.get("properties", {}))
        assert not gone, f"{where}: consumers still read {sorted(gone)}"
        needed = set(new.get("required", [])) - set(old.get("required", []))
        assert not needed, f"{where}: producers do not send {sorted(needed)} yet"
        lost = set(old.get("enum", [])) - set(new.get("enum", []))
        assert not lost, f"{where}: {sorted(lost)} is still in the stream"


# -------------------------------------------------------------------------------------------------- samples

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 24, 12, 0, 0, 123_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=20)
REASON = Reason(code="TOKEN_REJECTED", message="Пожалуйста 🎉", user_action="new_token", since=NOW)
ACCOUNT = Account(id="42", username="u", first_name="Имя", phone_number="+49170", lid="7@lid")
CONTACT = Contact(id="1", name="n", username="u", phone_number="+49170", lid="7@lid")
PORTS = Ports(api=3001, mcp=3002)
MEDIA = Media(kind="image", source="https://example.com/a.png", file_name="a.png")
REF = MessageRef(id="225", chat_id="1", from_me=True, sender="7")
STEP = LoginStep(
    type="input_password",
    instructions="Введите пароль",
    fields=(LoginField(name="password", label="l", required=True, secret=True),),
    code="2@x",
    expires_at=LATER,
)
TEXT = SendMessage(id="m", instance_id=ID, provider="telegram", to="1", text="x", expires_at=NOW, kind="text")
SEALED = {"token": "v1.x", "proxy": "v1.y"}
FIGURES = Figures(
    restart_count=1,
    health_check_count=2,
    consecutive_failures=3,
    error_count=4,
    errors_cleared_at=NOW,
    errors=(ErrorEntry(error_id="e", error_type="X", error_message="m", timestamp=NOW, source="s"),),
    authenticated_at=NOW,
    uptime_start=NOW,
)
API_KEY = ApiKeyUse(sha256="h", created_at=NOW, usage_count=1, first_used_at=NOW, last_used_at=NOW)
HOOK = Webhook(
    enabled=False,
    url="https://example.com",
    filters={"allowGroups": False, "allowPrivate": True, "events": ("message.read",)},
)
INCOMING = IncomingMessage(
    id="7",
    chat_id="1",
    from_me=True,
    body="b\n",
    type="image",
    is_group=True,
    timestamp=NOW,
    contact=CONTACT,
    media=IncomingMedia(
        kind="voice", mime_type="audio/ogg", file_name="a.ogg", size_bytes=9, duration_s=1.5, reference="f"
    ),
    location=IncomingLocation(latitude=59.9, longitude=30.3, name="n", address="a"),
    contact_card=IncomingContact(name="Anna", phone_number="on request"),
    poll=IncomingPoll(question="q", options=("a", "b"), multiple=True),
    reply_to="6",
    forwarded=True,
)
COMMON: dict[str, Any] = {
    "instance_id": ID,
    "user_id": "u",
    "provider": "telegram",
    "type_instance": ("api", "mcp"),
    "expose": "gateway",
    "isolation": "container",
}
# A value for every field that any event has; each event takes its own.
FIELDS: dict[str, Any] = COMMON | {
    "epoch": 3,
    "actor": "me",
    "reason": REASON,
    "login": "user",
    "step": STEP,
    "login_step": STEP,
    "display_name": "Имя",
    "desired": "stopped",
    "webhook": HOOK,
    "secrets": ("token", "proxy"),
    "token_hint": "abcd",
    "ports": PORTS,
    "api_key_sha256": "h",
    "worker": "w",
    "boot": "b",
    "code": "2@x",
    "expires_at": LATER,
    "account": ACCOUNT,
    "id": "m-1",
    "to": "1",
    "messenger_id": "9",
    "media": INCOMING.media,
    "chat_id": "1",
    "type": "image",
    "body": "b",
    "target": "8",
    "reply_to": "7",
    "until": LATER,
    "messenger_ids": ("9", "10"),
    "ids": ("m-1", None),
    "contact": CONTACT,
    "timestamp": NOW,
    "from_me": True,
    "is_group": True,
    "emoji": "👍🏽",
    "change": "joined",
    "members": (CONTACT,),
    "by": CONTACT,
    "title": "Группа",
    "restriction": Restriction(kind="flood_wait", scope="chat 1", until=LATER),
    "place": 3,
    "api_calls": 1,
    "first_call_at": NOW,
    "last_call_at": NOW,
    "health_checks": 2,
    "observed_at": NOW,
    "action": "delete",
    "origin": "rest 127.0.0.1",
    "ok": True,
    "changed": ("name",),
    "api_keys": (API_KEY,),
    "figures": FIGURES,
}
REQUEST = AllocationRequest(**COMMON, worker="w", lost_ports=(3001,))
ALLOCATION = Allocation(ports=PORTS, api_key_sha256="h", worker="w", boot="b")
QR = QrCode(code="2@x", generated_at=NOW, expires_at=LATER)
SAMPLES: tuple[Model, ...] = (
    CreateInstance(**COMMON, login="bot", actor="me", origin="o", reply_to="mim.reply.x", name="Имя", start=False,
                   webhook=HOOK, sealed=SEALED, token_hint="abcd"),
    ChangeInstance(instance_id=ID, verb="stop", actor="me", origin="o", reply_to="mim.reply.x"),
    UpdateInstance(instance_id=ID, actor="me", origin="o", reply_to="mim.reply.x", name="Имя", webhook=HOOK,
                   sealed=SEALED, removed=("proxy",), token_hint="abcd", rotate_api_key=True, clear_errors=True,
                   start=True),
    Outcome(instance_id=ID, ok=False, status="error", instance_seq=7, code="X", message="m"),
    SendMessage(id="m", instance_id=ID, provider="telegram", to="1", text="👋🏽\n", parse_mode="HTML",
                disable_web_page_preview=True, disable_notification=True, expires_at=LATER, actor="me",
                kind="image", media=MEDIA, location=Location(latitude=1, longitude=2, name="n", address="a"),
                contact=ContactCard(name="Anna", phone_number="+49 170 1234567"),
                poll=Poll(question="q", options=("a", "b"), multiple=True), reply_to=REF, target=REF, emoji="👍🏽"),
    SessionOrder(instance_id=ID, user_id="u", provider="telegram", login="user", action="hold", boot="b", epoch=3,
                 ports=PORTS, api_key_sha256="h", secrets=("token",), resumes=True, status="stopped", reason=REASON,
                 restriction=Restriction(kind="k", scope="s", until=NOW)),
    WorkerHeartbeat(worker="w", boot="b", provider="telegram", host="h", capacity=9, load=3, address="10.0.0.1",
                    port=3000, memory_bytes=5, only=ID, draining=True),
    DrainCall(draining=True),
    REQUEST,
    Release(instance_id=ID, provider="telegram"),
    Lease(instance_id=ID, ports=Ports(api=3001, mcp=3002)),
    Remembered(fingerprint="f", seed="s", status=200, answer="a"),
    Reply(allocation=ALLOCATION, code="X", message="m"),
    DeadLetter(service="s", subject="x", reason="r", code="X", time=NOW, payload="eA==", headers={"a": "b"}),
    FoldPosition(seq=7),
    LogLine(timestamp=NOW, level="error", message="m", source="s"),
    SessionCall(instance_id=ID, phone_number="+49170", login={"code": "v1.x"}, api_key_sha256="h"),
    SessionAnswer(pairing_code="ABCD", expires_at=LATER, code="X", message="m"),
    DeliveryCall(instance_id=ID, instance_seq=7, delivery_id=ID, test_id="t", status="failed", limit=3, offset=2),
    DeliveryReply(
        deliveries=(Delivery(id=ID, instance_id=ID, event_id="e", event="message.received", status="failed", tries=8,
                             next_at=LATER, created_at=NOW, tried_at=NOW, done_at=NOW, status_code=404, error="m",
                             response="no", duration_ms=1.5),),
        counts={"failed": 1}, body={"message": {"body": "b"}}, redelivered=1,
        test=Trial(delivered=True, status_code=204, duration_ms=1.5, error="m"), code="X", message="m",
    ),
    StoredCall(instance_id=ID, chat_id="1", messenger_id="2", is_group=True, search="x", limit=3, offset=2),
    StoredReply(
        messages=(MessageRow(id="1", messageId="m", chatId="1", fromMe=True, body="b", type="image", isGroup=True,
                             timestamp=NOW, contact="Anna", contactId="1", status="read", replyTo="2", forwarded=True,
                             edited=True, deleted=True, reactions={"me": "👍"},
                             media=MediaRow(kind="image", mimeType="image/png", fileName="a", sizeBytes=3,
                                            reference="v1.x")),),
        chats=(ChatRow(id="1", name="n", isGroup=True, lastMessage="b", lastMessageAt=NOW, lastFromMe=True, unread=2,
                       messageCount=3),),
        contacts=(ContactRow(id="1", name="n", username="u", phoneNumber="+49", lid="7", lastSeen=NOW),), total=3,
        stats=StatsRow(total=3, sent=1, received=2, chats=1, groups=1, oldest=NOW, newest=NOW), code="X", message="m",
    ),
    BulkCall(instance_id=ID, provider="telegram", bulk_id="0" * 32, message=TEXT, recipients=("1",), per_minute=3,
             status="sent", limit=3, offset=2),
    BulkReply(
        bulks=(Bulk(id="0" * 32, instance_id=ID, status="running", per_minute=3, total=2, counts={"sent": 1},
                    created_at=NOW, done_at=LATER),),
        items=(BulkItem(position=0, to="1", status="failed", message_id="m", messenger_id="9", code="X", error="m"),),
        total=1, code="X", message="m",
    ),
    AccessToken(id="t", name="n", role="viewer", user_id="u", sha256="h", created_at=NOW, created_by="me",
                expires_at=LATER),
    ContainersReport(engine="unix:///e", running=1, total=1, names=("mim-1",), error="e", containers=(
        ContainerUse(name="mim-1", instance_id=ID, state="running", memory_mb=1, memory_limit_mb=2, cpu_percent=3),)),
    ServiceReport(service="s", boot="b", up=True, host="h", memory_bytes=1, cpu_percent=2.5, uptime_s=3.5,
                  figures={"a": 1, "b": [2.5]}),
    InstanceRecord(
        **{key: value for key, value in (COMMON | FIELDS).items() if key in InstanceRecord.model_fields} | {"id": ID},
        status="qr_ready", logged_in=True, resumes=True, worker_epoch=2, qr=QR,
        message_stats={"sent_count": 1, "received_count": 2, "daily_sent": 3, "daily_received": 4,
                       "daily_reset_at": NOW},
        last_seen=NOW, created_at=NOW, updated_at=NOW, event_seq=9, instance_seq=8,
    ),
)  # fmt: skip


def sample_of(event: type[Event]) -> Event:
    own = {name: FIELDS[name] for name in event.model_fields if name in FIELDS}
    own |= (
        {"message": INCOMING if event is messages.MessageReceived else "why"} if "message" in event.model_fields else {}
    )
    return event(**own)


def test_there_is_a_sample_of_every_message_that_leaves_no_field_at_its_default() -> None:
    assert {type(sample) for sample in SAMPLES} == set(BUS)
    for sample in (*SAMPLES, *(sample_of(event) for event in EVENTS)):
        has_plain = isinstance(sample, (CreateInstance, UpdateInstance))
        plain = {"token", "proxy"} if has_plain else set()  # never written by us
        missing = set(type(sample).model_fields) - sample.model_fields_set - plain
        assert not missing, f"give {type(sample).__name__} a sample value for {sorted(missing)}"


def with_unknown(value: Any) -> Any:
    """The JSON with a field of a later version in every object but those that map words to values."""
    if isinstance(value, dict):
        wider = {key: item if key in ("reactions", "counts") else with_unknown(item) for key, item in value.items()}
        return wider | {"from_a_later_version": {"x": 1}}
    return [with_unknown(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_message_survives_the_bus_whole(sample: Model) -> None:
    assert type(sample).model_validate_json(sample.model_dump_json().encode()) == sample


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_fields_of_a_later_version_are_ignored(sample: Model) -> None:
    doc = sample.model_dump(mode="json")
    maps = (
        {"sealed", "headers", "figures", "counts", "body", "login"} if not isinstance(sample, InstanceRecord) else set()
    )  # maps from names to values: a new key there is data, not a field
    wider = {key: value if key in maps else with_unknown(value) for key, value in doc.items()} | {"later": [1]}
    assert type(sample).model_validate_json(json.dumps(wider)) == sample


@pytest.mark.parametrize("event", EVENTS, ids=kind)
def test_an_event_survives_its_envelope_and_a_later_version(event: type[Event]) -> None:
    envelope = wrap(sample_of(event), id="1", source="test", time=NOW)
    raw = envelope.model_dump_json().encode()
    assert unwrap(raw) == envelope
    assert unwrap(json.dumps(with_unknown(json.loads(raw))).encode()) == envelope


@pytest.mark.parametrize("event", EVENTS, ids=kind)
def test_an_envelope_is_a_cloud_event_that_names_its_kind_and_instance(event: type[Event]) -> None:
    told = sample_of(event)
    doc = json.loads(wrap(told, id="1", source="test", time=NOW).model_dump_json())
    assert doc["specversion"] == "1.0"
    assert doc["type"] == f"mim.{kind(event)}.v1"
    assert (doc["id"], doc["source"], doc["subject"]) == ("1", "test", ID)
    assert doc["time"] == "2026-11-24T12:00:00.123Z"
    assert doc["datacontenttype"] == "application/json"
    family, _, name = kind(event).partition(".")
    assert event_subject(told) == f"mim.evt.{family}.{ID}.{'delete' if event is messages.Audited else name}"


# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes: attribute → form of its value.
ATTRIBUTES = {
    "specversion": r"1\.0",
    "id": r".+",
    "source": r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+",  # a URI reference, not empty
    "type": r"[a-z0-9_]+(?:\.[a-z0-9_]+)+",  # "SHOULD be prefixed with a reverse-DNS name"
    "subject": r".+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",  # RFC 3339
    "datacontenttype": r"application/json",
}


@pytest.mark.parametrize("event", EVENTS, ids=kind)
def test_attributes_of_an_envelope_conform_to_cloud_events(event: type[Event]) -> None:
    doc = json.loads(wrap(sample_of(event), id="1", source="telegram-host-1", time=NOW).model_dump_json())
    assert isinstance(doc.pop("data"), dict)
    assert doc.keys() == ATTRIBUTES.keys()
    for name, value in doc.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name), name
        assert isinstance(value, str), name
        assert re.fullmatch(ATTRIBUTES[name], value), name


def test_an_event_of_an_unknown_kind_is_passed_over_and_a_broken_one_refused() -> None:
    assert unwrap(b'{"type": "mim.instance.teleported.v1"}') is None
    for raw in (b"", b"{", b"[]", b"{}", b'{"type": "mim.instance.created.v1"}'):
        with pytest.raises(Invalid):
            unwrap(raw)


def test_a_command_needs_no_body_and_its_subject_has_the_last_word() -> None:
    command = parse_command(f"mim.cmd.instance.{ID.upper()}.stop", b"")
    assert command == ChangeInstance(instance_id=ID, verb="stop", actor="nats")
    told = {"instance_id": "another", "verb": "delete", "actor": "me", "later": 1}
    assert parse_command(f"mim.cmd.instance.{ID}.stop", json.dumps(told).encode()) == ChangeInstance(
        instance_id=ID, verb="stop", actor="me"
    )


def test_secrets_in_a_command_are_never_written_out() -> None:
    command = CreateInstance(**COMMON, token="hunter2", proxy="http://u:hunter3@p:1")
    assert "hunter" not in command.model_dump_json() + repr(command)


def test_models_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValidationError):
        SAMPLES[1].actor = "x"  # type: ignore[attr-defined]
