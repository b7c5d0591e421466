"""From Telegram's updates to the contract's messages and events. Pure.

`Update` and `Message`: https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiogram.enums import ContentType
from aiogram.types import (
    Animation,
    Audio,
    Chat,
    Document,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
    Sticker,
    Update,
    User,
    Video,
    VideoNote,
    Voice,
)
from pydantic import ValidationError

from mim.contracts.content import MediaKind
from mim.contracts.messages import Change, GroupChange, GroupChanged, MessageEdited, MessageReaction
from mim.contracts.values import (
    Contact,
    IncomingContact,
    IncomingLocation,
    IncomingMedia,
    IncomingMessage,
    IncomingPoll,
)

UPDATE_KINDS = ["message", "edited_message", "channel_post", "edited_channel_post", "message_reaction"]
"""What is asked of Telegram (`allowed_updates`); other kinds that still come are passed over."""


class Happening(NamedTuple):
    """Something that is no message: the arguments of `SessionContext.happened`."""

    kind: type[Change | GroupChanged]
    at: datetime
    fields: dict[str, Any]


def read(update: Update) -> IncomingMessage | Happening | None:
    """What an update tells, or None for other kinds."""
    if (message := update.message or update.channel_post) is not None:
        return _group_change(message) or _message(message)
    if (edited := update.edited_message or update.edited_channel_post) is not None:
        return _edit(edited)
    if update.message_reaction is not None:
        return _reaction(update.message_reaction)
    return None


def salvage(answer: object) -> list[tuple[int, Update | None]] | None:
    """Read what can be read of a getUpdates answer that does not hold to the Bot API: (update id, update or None).

    One update of a form that aiogram does not know must not stop a bot for ever. None if not even the ids are there.
    """
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, list):
        return None
    if not all(isinstance(item, dict) and isinstance(item.get("update_id"), int) for item in result):
        return None
    return [(item["update_id"], _validated(item)) for item in result]


def _validated(item: object) -> Update | None:
    try:
        return Update.model_validate(item)
    except ValidationError:
        return None


def _message(message: Message) -> IncomingMessage:
    media, place, card, poll = media_of(message), _location(message), _card(message), _poll(message)
    body = message.text or message.caption or ""
    if not body and (poll or card or place):
        body = poll.question if poll else card.name if card else place.name or "" if place else ""
    reply = message.reply_to_message
    return IncomingMessage(
        id=str(message.message_id),
        chat_id=str(message.chat.id),
        body=body,
        type=_type(message, media),
        is_group=_is_group(message.chat),
        timestamp=message.date,
        contact=_sender(message),
        media=media,
        location=place,
        contact_card=card,
        poll=poll,
        reply_to=None if reply is None else str(reply.message_id),
        forwarded=message.forward_origin is not None,
    )


def _type(message: Message, media: IncomingMedia | None) -> str:
    if media is not None:
        return media.kind.value
    kind = ContentType(message.content_type).value
    return "location" if kind == "venue" else kind


def media_of(message: Message) -> IncomingMedia | None:
    """The file of a message."""
    if message.photo:
        largest = message.photo[-1]
        return IncomingMedia(
            kind=MediaKind.IMAGE, mime_type="image/jpeg", size_bytes=largest.file_size, reference=largest.file_id
        )
    for kind, file in (
        (MediaKind.VIDEO, message.animation or message.video or message.video_note),
        (MediaKind.DOCUMENT, message.document),
        (MediaKind.AUDIO, message.audio),
        (MediaKind.VOICE, message.voice),
        (MediaKind.STICKER, message.sticker),
    ):
        if file is not None:
            return _file(kind, file)
    return None


def _file(kind: MediaKind, file: Animation | Video | VideoNote | Document | Audio | Voice | Sticker) -> IncomingMedia:
    return IncomingMedia(
        kind=kind,
        mime_type=getattr(file, "mime_type", None),
        file_name=getattr(file, "file_name", None),
        size_bytes=file.file_size,
        duration_s=getattr(file, "duration", None),
        reference=file.file_id,
    )


def _location(message: Message) -> IncomingLocation | None:
    spot, venue = message.location, message.venue
    if spot is None:
        return None
    named = {} if venue is None else {"name": venue.title, "address": venue.address}
    return IncomingLocation(latitude=spot.latitude, longitude=spot.longitude, **named)


def _card(message: Message) -> IncomingContact | None:
    card = message.contact
    if card is None:
        return None
    name = " ".join(filter(None, (card.first_name, card.last_name)))
    return IncomingContact(name=name, phone_number=card.phone_number)


def _poll(message: Message) -> IncomingPoll | None:
    poll = message.poll
    if poll is None:
        return None
    options = tuple(option.text for option in poll.options)
    return IncomingPoll(question=poll.question, options=options, multiple=poll.allows_multiple_answers)


def _edit(message: Message) -> Happening:
    edited_at = datetime.fromtimestamp(message.edit_date, UTC) if message.edit_date else message.date
    return Happening(
        MessageEdited,
        edited_at,
        {
            "messenger_id": str(message.message_id),
            "chat_id": str(message.chat.id),
            "is_group": _is_group(message.chat),
            "contact": _sender(message),
            "body": message.text or message.caption or "",
        },
    )


def _reaction(change: MessageReactionUpdated) -> Happening:
    emojis = [reaction.emoji for reaction in change.new_reaction if isinstance(reaction, ReactionTypeEmoji)]
    return Happening(
        MessageReaction,
        change.date,
        {
            "messenger_id": str(change.message_id),
            "chat_id": str(change.chat.id),
            "is_group": _is_group(change.chat),
            "contact": _person(change.user) if change.user else _place(change.actor_chat or change.chat),
            "emoji": "".join(emojis),
        },
    )


def _group_change(message: Message) -> Happening | None:
    change: GroupChange | None = None
    members: tuple[Contact, ...] = ()
    title = None
    if message.new_chat_members:
        change, members = GroupChange.JOINED, tuple(_person(user) for user in message.new_chat_members)
    elif message.left_chat_member:
        change, members = GroupChange.LEFT, (_person(message.left_chat_member),)
    elif message.new_chat_title:
        change, title = GroupChange.RENAMED, message.new_chat_title
    elif message.group_chat_created or message.supergroup_chat_created:
        change, title = GroupChange.CREATED, message.chat.title
    if change is None:
        return None
    fields = {"chat_id": str(message.chat.id), "change": change, "members": members, "title": title}
    return Happening(GroupChanged, message.date, fields | {"by": _sender(message)})


def _is_group(chat: Chat) -> bool:
    return chat.type in ("group", "supergroup")


def _sender(message: Message) -> Contact:
    return _person(message.from_user) if message.from_user else _place(message.sender_chat or message.chat)


def _person(user: User) -> Contact:
    return Contact(id=str(user.id), name=user.full_name, username=user.username)


def _place(chat: Chat) -> Contact:
    return Contact(id=str(chat.id), name=chat.full_name, username=chat.username)
