"""What a message event means for the tables. Pure.

A message that is there already stays as it is, whatever comes again; everything else changes what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mim.contracts.content import MessageKind
from mim.contracts.messages import (
    CloudEvent,
    Event,
    GroupChanged,
    InstanceDeleted,
    MessageDeleted,
    MessageDelivered,
    MessageEdited,
    MessageReaction,
    MessageRead,
    MessageReceived,
    MessageSent,
)
from mim.contracts.values import Contact, IncomingMessage

Row = dict[str, Any]
ME = "me"
"""Under this name the account's own reaction stands."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that was not there; `contact` wrote it."""

    row: Row
    contact: Row | None
    chat_name: str | None


@dataclass(frozen=True, slots=True)
class Edited:
    """A message has another text."""

    instance_id: str
    messenger_id: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was taken back."""

    instance_id: str
    messenger_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reacted:
    """`who` reacted to a message; an empty `emoji` takes it back."""

    instance_id: str
    messenger_id: str
    who: str
    emoji: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Messages that were sent arrived or were read."""

    instance_id: str
    messenger_ids: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class ChatSeen:
    """The account itself has read a chat."""

    instance_id: str
    chat_id: str


@dataclass(frozen=True, slots=True)
class ChatNamed:
    """A group has another name."""

    instance_id: str
    chat_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The instance is gone, and all its messages with it."""

    instance_id: str


Change = NewMessage | Edited | Deleted | Reacted | Confirmed | ChatSeen | ChatNamed | Forgotten


def change_of(envelope: CloudEvent[Event], seq: int) -> Change | None:
    """The change that an event makes, `seq` being its place in the stream; None for all other events."""
    event, at = envelope.data, envelope.time
    match event:
        case MessageReceived(message=message):
            return _received(event.instance_id, message, seq)
        case MessageSent():
            return _sent(event, at, seq)
        case MessageDelivered() | MessageRead():
            return Confirmed(event.instance_id, event.messenger_ids, event.name)
        case MessageEdited():
            return Edited(event.instance_id, event.messenger_id, event.body, event.timestamp)
        case MessageDeleted():
            return Deleted(event.instance_id, event.messenger_id, event.timestamp)
        case MessageReaction():
            who = ME if event.from_me or event.contact is None else event.contact.id
            return Reacted(event.instance_id, event.messenger_id, who, event.emoji)
        case GroupChanged(title=str(title)):
            return ChatNamed(event.instance_id, event.chat_id, title)
        case InstanceDeleted():
            return Forgotten(event.instance_id)
        case _:
            return None


def _received(instance_id: str, message: IncomingMessage, seq: int) -> NewMessage:
    contact, media = message.contact, message.media
    row = {
        "instance_id": instance_id,
        "chat_id": message.chat_id,
        "messenger_id": message.id,
        "message_id": None,
        "seq": seq,
        "timestamp": message.timestamp.replace(microsecond=0),
        "from_me": message.from_me,
        "is_group": message.is_group,
        "kind": message.type,
        "body": message.body,
        "search": searched(message.body),
        "status": "sent" if message.from_me else "received",
        "contact_id": None if message.from_me else contact.id,
        "contact_name": None if message.from_me else contact.name or contact.username,
        "reply_to": message.reply_to,
        "forwarded": message.forwarded,
        "media": media.model_dump(mode="json") if media else None,
    }
    if message.from_me:
        return NewMessage(row, None, None)
    name = None if message.is_group else contact.name or contact.username
    return NewMessage(row, _contact(instance_id, contact, message.timestamp), name)


def _contact(instance_id: str, contact: Contact, seen: datetime) -> Row:
    return {
        "instance_id": instance_id,
        "contact_id": contact.id,
        "name": contact.name,
        "username": contact.username,
        "phone_number": contact.phone_number,
        "lid": contact.lid,
        "last_seen": seen,
    }


def _sent(event: MessageSent, at: datetime, seq: int) -> Change | None:
    instance_id, target = event.instance_id, event.target or ""
    match event.type:
        case MessageKind.EDIT:
            return Edited(instance_id, target, event.body, at)
        case MessageKind.DELETE:
            return Deleted(instance_id, target, at)
        case MessageKind.REACTION:
            return Reacted(instance_id, target, ME, event.body)
        case MessageKind.READ:
            return ChatSeen(instance_id, event.chat_id or event.to)
        case MessageKind.TYPING:
            return None
    chat = event.chat_id or event.to
    row = {
        "instance_id": instance_id,
        "chat_id": chat,
        "messenger_id": event.messenger_id,
        "message_id": event.id,
        "seq": seq,
        # Messengers tell times in whole seconds; within one the order is that of the events.
        "timestamp": at.replace(microsecond=0),
        "from_me": True,
        "is_group": is_group(chat),
        "kind": _kind(event),
        "body": event.body,
        "search": searched(event.body),
        "status": "sent",
        "contact_id": None,
        "contact_name": None,
        "reply_to": event.reply_to,
        "forwarded": event.type == MessageKind.FORWARD,
        "media": event.media.model_dump(mode="json") if event.media else None,
    }
    return NewMessage(row, None, None)


def _kind(event: MessageSent) -> str:
    if event.type != MessageKind.FORWARD:
        return event.type
    return event.media.kind if event.media else MessageKind.TEXT


def is_group(chat_id: str) -> bool:
    """Whether a chat's id is that of a group: WhatsApp's end with `@g.us`, Telegram's are negative."""
    return chat_id.endswith("@g.us") or chat_id.startswith("-")


def searched(text: str) -> str:
    """A text as it is kept for searching: without case, in one line."""
    return " ".join(text.casefold().split())
