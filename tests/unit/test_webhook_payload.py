"""Which events a webhook gets, and in which shape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mim.contracts.messages import ActivityReported, Event, MessageFailed, MessageReceived, MessageSent, QrReady, wrap
from mim.contracts.states import Provider
from mim.contracts.values import Contact, IncomingMessage, Webhook, WebhookFilters
from mim.webhooks.payload import body_of, event_name, trial_body, wants

ID = "00000000-0000-4000-8000-000000000001"
NOW = datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC)
BASE: dict[str, Any] = {"instance_id": ID, "provider": Provider.TELEGRAM}


class Filters(WebhookFilters):
    """Filters that name events."""

    events: tuple[str, ...] = ()


def received(*, group: bool = False) -> MessageReceived:
    contact = Contact(id="5", name="Anna")
    message = IncomingMessage(id="m1", chat_id="7", body="hi\u0000 😀", is_group=group, timestamp=NOW, contact=contact)
    return MessageReceived(**BASE, message=message)


def sent(chat: str) -> MessageSent:
    return MessageSent(**BASE, id="s1", to=chat, messenger_id="9")


QR = QrReady(instance_id=ID, actor="worker", code="x", expires_at=NOW)


def hook(*events: str, enabled: bool = True, **filters: bool) -> Webhook:
    return Webhook(url="https://x.example", enabled=enabled, filters=Filters(events=events, **filters))


def test_a_received_message_has_the_shape_of_the_contract() -> None:
    envelope = wrap(received(), id="e", source="s", time=NOW)
    body = orjson.loads(body_of(envelope, Provider.TELEGRAM))
    message = body.pop("message")
    assert body == {"instance_id": ID, "provider": "telegram"}
    wanted = {
        "id": "m1",
        "body": "hi\u0000 😀",
        "fromMe": False,
        "timestamp": "2026-11-25T12:00:00.123Z",
        "type": "text",
        "chatId": "7",
    }
    assert message.items() >= wanted.items()
    assert message["contact"]["id"] == "5"
    assert message["contact"]["name"] == "Anna"
    assert orjson.loads(trial_body(ID, Provider.TELEGRAM, "t", NOW))["message"].keys() == {*wanted, "contact"}


def test_another_event_says_which_it_is() -> None:
    envelope = wrap(sent("7"), id="e", source="s", time=NOW)
    body = orjson.loads(body_of(envelope, Provider.TELEGRAM))
    assert body["event"] == "message.sent"
    assert body["timestamp"] == "2026-11-25T12:00:00.123Z"
    assert body["data"]["messenger_id"] == "9"
    assert "epoch" not in body["data"]


@pytest.mark.parametrize(
    ("webhook", "event", "goes"),
    [
        (Webhook(url="https://x.example"), received(), True),
        (Webhook(url="https://x.example"), received(group=True), True),
        (Webhook(url="https://x.example"), sent("7"), False),
        (Webhook(url="https://x.example"), QR, False),
        (hook(), received(), True),
        (hook(enabled=False), received(), False),
        (hook(allow_groups=False), received(group=True), False),
        (hook(allow_groups=False), received(), True),
        (hook(allow_private=False), received(), False),
        (hook(allow_private=False), received(group=True), True),
        (hook("message.sent"), received(), False),
        (hook("message.sent"), sent("7"), True),
        (hook("message.sent", allow_groups=False), sent("-100"), False),
        (hook("message.sent", allow_groups=False), sent("1@g.us"), False),
        (hook("message.sent", allow_private=False), sent("7"), False),
        (hook("qr_ready", allow_private=False, allow_groups=False), QR, True),
        (hook("message.failed"), MessageFailed(**BASE, id="f", to="7", code="X", message="x"), True),
        (hook("reported"), ActivityReported(instance_id=ID), False),
    ],
)
def test_a_webhook_gets_what_it_asks_for(webhook: Webhook, event: Event, goes: bool) -> None:
    assert wants(webhook, event) is goes


def test_events_are_named_as_in_the_live_stream() -> None:
    assert [event_name(event) for event in (received(), QR, ActivityReported(instance_id=ID))] == [
        "message.received",
        "qr_ready",
        None,
    ]
