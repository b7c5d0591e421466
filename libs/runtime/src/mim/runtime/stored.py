"""What an account's message events come to: stored messages, chats, contacts, groups. Pure but for `read`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from mim.contracts import subjects
from mim.contracts.answers import Chat, ContactItem, StoredMessage, StoredStats
from mim.contracts.errors import Invalid
from mim.contracts.messages import CloudEvent, Event, MessageReceived, MessageSent, unwrap
from mim.contracts.values import Contact
from mim.runtime.bus import Bus
from mim.runtime.history import newest

MOST = 10_000
"""So many of the newest message events of an instance are looked at."""
Stored = tuple[StoredMessage, Contact | None]


async def read(bus: Bus, instance_id: str) -> list[Stored]:
    """The messages of an instance that the stream still holds, oldest first. Raises: Unavailable."""
    entries, _ = await newest(bus, subjects.EVENTS, subjects.message_events(instance_id), MOST)
    found = []
    for entry in entries:
        with suppress(Invalid):
            envelope = unwrap(entry.data or b"")
            if envelope is not None and (stored := stored_message(envelope)) is not None:
                found.append(stored)
    return found


def stored_message(envelope: CloudEvent[Event]) -> Stored | None:
    """The message that an event tells of, and who wrote it; None for other events."""
    match envelope.data:
        case MessageReceived(message=message):
            stored = StoredMessage(
                id=message.id,
                chatId=message.chat_id,
                fromMe=message.from_me,
                body=message.body,
                type=message.type,
                isGroup=message.is_group,
                timestamp=message.timestamp,
                contact=message.contact.name or message.contact.username or message.contact.id,
            )
            return stored, None if message.from_me else message.contact
        case MessageSent() as sent:
            chat = sent.chat_id or sent.to
            stored = StoredMessage(
                id=sent.messenger_id,
                chatId=chat,
                fromMe=True,
                body=sent.body,
                type=sent.type,
                isGroup=is_group(chat),
                timestamp=envelope.time,
                contact=None,
            )
            return stored, None
        case _:
            return None


def is_group(chat_id: str) -> bool:
    """Whether a chat's id is that of a group: WhatsApp's end with `@g.us`, Telegram's are negative."""
    return chat_id.endswith("@g.us") or chat_id.startswith("-")


def chats(messages: Iterable[Stored]) -> list[Chat]:
    """The chats, the latest first."""
    found: dict[str, Chat] = {}
    for message, contact in messages:
        before = found.pop(message.chatId, None)
        name = None if message.isGroup or contact is None else contact.name or contact.username
        found[message.chatId] = Chat(
            id=message.chatId,
            name=name or (before.name if before else None),
            isGroup=message.isGroup or (before.isGroup if before else False),
            lastMessage=message.body,
            lastMessageAt=message.timestamp,
            messageCount=(before.messageCount if before else 0) + 1,
        )
    return list(found.values())[::-1]


def contacts(messages: Iterable[Stored]) -> list[ContactItem]:
    """Everybody who wrote, the latest first."""
    found: dict[str, ContactItem] = {}
    for message, contact in messages:
        if contact is not None:
            found.pop(contact.id, None)
            found[contact.id] = ContactItem(
                id=contact.id,
                name=contact.name,
                username=contact.username,
                phoneNumber=contact.phone_number,
                lid=contact.lid,
                lastSeen=message.timestamp,
            )
    return list(found.values())[::-1]


def stats(messages: list[Stored]) -> StoredStats:
    """What there is, in numbers."""
    sent = sum(message.fromMe for message, _ in messages)
    known = chats(messages)
    times = [message.timestamp for message, _ in messages]
    return StoredStats(
        total=len(messages),
        sent=sent,
        received=len(messages) - sent,
        chats=len(known),
        groups=sum(chat.isGroup for chat in known),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )
