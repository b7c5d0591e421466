"""Which events a webhook asks for, and what it is sent. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from pydantic.alias_generators import to_camel

from mim.contracts.fields import iso
from mim.contracts.messages import CloudEvent, Event, InstanceEvent, MessageEvent, MessageReceived
from mim.contracts.states import Provider
from mim.contracts.values import Webhook

RECEIVED = "message.received"
DEFAULT_EVENTS = (RECEIVED,)


def event_name(event: Event) -> str | None:
    """The name by which a webhook asks for an event, as the live stream has it: `message.received`, `qr_ready`; None
    for events that no webhook gets."""
    match event:
        case MessageEvent():
            return f"message.{event.name}"
        case InstanceEvent():
            return event.name
        case _:
            return None


def wants(webhook: Webhook, event: Event) -> bool:
    """Whether an event goes to a webhook."""
    asked: tuple[str, ...] = getattr(webhook.filters, "events", None) or DEFAULT_EVENTS
    if not webhook.enabled or event_name(event) not in asked:
        return False
    group = _is_group(event)
    return group is None or (webhook.filters.allow_groups if group else webhook.filters.allow_private)


def _is_group(event: Event) -> bool | None:
    """Whether an event is about a group chat; None if it is about no chat."""
    if not isinstance(event, MessageEvent):
        return None
    if isinstance(event, MessageReceived):
        return event.message.is_group
    chat: str = getattr(event, "chat_id", None) or getattr(event, "to", None) or ""
    # WhatsApp's group ids end so, Telegram's are negative.
    return bool(getattr(event, "is_group", False)) or chat.endswith("@g.us") or chat.startswith("-")


def body_of(envelope: CloudEvent[Event], provider: Provider) -> bytes:
    """What a webhook is sent: a received message in the shape of the contract, any other event by its name."""
    event = envelope.data
    about: dict[str, Any] = {"instance_id": event.instance_id, "provider": provider.value}
    if isinstance(event, MessageReceived):
        return orjson.dumps(about | {"message": _message(event)})
    data = event.model_dump(mode="json", exclude={"instance_id", "provider", "epoch", "actor"})
    return orjson.dumps(about | {"event": event_name(event), "timestamp": iso(envelope.time), "data": data})


def _message(event: MessageReceived) -> dict[str, Any]:
    # The reference of a file opens it at the messenger; it is for the worker only.
    found = event.message.model_dump(mode="json", exclude={"media": {"reference"}})
    return {to_camel(name): value for name, value in found.items()}


def trial_body(instance_id: str, provider: Provider, message_id: str, now: datetime) -> bytes:
    """A message that nobody wrote, for trying out a webhook."""
    message = {
        "id": f"test-{message_id}",
        "body": "This is a test of the webhook.",
        "fromMe": False,
        "timestamp": iso(now),
        "contact": {"id": "test", "name": "Test"},
        "type": "text",
        "chatId": "test",
    }
    return orjson.dumps({"instance_id": instance_id, "provider": provider.value, "message": message})
