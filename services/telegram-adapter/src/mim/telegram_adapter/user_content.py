"""Between the contract's messages and those of MTProto, for a person's account. Pure.

Schema: https://core.telegram.org/schema; what each kind of file is follows from the attributes of its document.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from mim.contracts.content import MediaKind, MessageKind, MessageRef
from mim.contracts.errors import ErrorCode, Refused
from mim.contracts.messages import SendMessage
from mim.contracts.values import (
    Contact,
    IncomingContact,
    IncomingLocation,
    IncomingMedia,
    IncomingMessage,
    IncomingPoll,
)
from mim.runtime.fetch import Fetched

PARSE_MODES = {"HTML": "html", "Markdown": "md", "MarkdownV2": "md", None: None}
"""Telethon's names of the ways to format a text."""


def attachment(message: SendMessage) -> Any:
    """What a message consists of beside its text and file: a place, a contact card or a poll; None without."""
    if message.location is not None:
        place = message.location
        spot = types.InputGeoPoint(place.latitude, place.longitude)
        if place.name is None:
            return types.InputMediaGeoPoint(spot)
        return types.InputMediaVenue(spot, place.name, place.address or place.name, "", "", "")
    if message.contact is not None:
        card = message.contact
        return types.InputMediaContact(card.phone_number, card.name, "", "")
    if message.poll is not None:
        poll = message.poll
        answers = [types.PollAnswer(_text(option), bytes([index])) for index, option in enumerate(poll.options)]
        made = types.Poll(_id_of(message.id), _text(poll.question), answers, 0, multiple_choice=poll.multiple)
        return types.InputMediaPoll(made)
    return None


def _text(text: str) -> Any:
    return types.TextWithEntities(text, [])


def _id_of(message_id: str) -> int:
    return int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:7], "big")


def file_options(message: SendMessage, file: Fetched) -> dict[str, Any]:
    """How `send_file` shows a file as what it is meant to be."""
    kind = message.media.kind if message.media else MediaKind.DOCUMENT
    attributes: list[Any] = [types.DocumentAttributeFilename(file.file_name)]
    if kind is MediaKind.STICKER:
        attributes.append(types.DocumentAttributeSticker("", types.InputStickerSetEmpty()))
    if kind is MediaKind.AUDIO:
        attributes.append(types.DocumentAttributeAudio(0, title=file.file_name))
    if kind is MediaKind.VIDEO:
        attributes.append(types.DocumentAttributeVideo(0, 1, 1, supports_streaming=True))
    if kind is MediaKind.VOICE:
        attributes.append(types.DocumentAttributeAudio(0, voice=True))
    return {
        "attributes": attributes,
        "mime_type": file.content_type,
        "force_document": kind is MediaKind.DOCUMENT,
        "voice_note": kind is MediaKind.VOICE,
        "caption": None if kind is MediaKind.STICKER else message.text or None,
    }


def act(message: SendMessage, peer: Any) -> Any:
    """The request that reacts, or shows that somebody types."""
    if message.kind is MessageKind.TYPING:
        return functions.messages.SetTypingRequest(peer, types.SendMessageTypingAction())
    reaction = [types.ReactionEmoji(message.emoji)] if message.emoji else []
    return functions.messages.SendReactionRequest(peer, number(target(message)), reaction=reaction)


def target(message: SendMessage) -> MessageRef:
    """The message that it is about. Raises: Refused."""
    if message.target is None:
        raise Refused(ErrorCode.INVALID_FIELDS, f"kind {message.kind} needs target: the message that it is about")
    return message.target


def number(ref: MessageRef) -> int:
    """The id of a message. Raises: Refused if it cannot be Telegram's."""
    if not ref.id.isdecimal() or len(ref.id) > 10:
        raise Refused(ErrorCode.INVALID_FIELDS, f"{ref.id!r} is not the id of a message at Telegram: those are numbers")
    return int(ref.id)


def address(to: str) -> int | str:
    """A recipient as Telethon resolves it: an id as chats show it, a phone number with its plus, or a @name."""
    return int(to) if to.removeprefix("-").isdecimal() else to


def phone(to: str) -> str | None:
    """The digits of a phone number as people write it; None if it cannot be one."""
    digits = re.sub(r"[\s()./+-]", "", to)
    return digits if re.fullmatch(r"[1-9]\d{6,14}", digits) else None


# ------------------------------------------------------------------------------------------------ incoming


def incoming(message: Any, chat_id: int, sender: Any, *, is_group: bool) -> IncomingMessage:
    """A message that came in or was sent by another device; `sender` is who wrote it, if that is known."""
    media, place = media_of(message, chat_id), _location(message)
    card, poll = _card(message), _poll(message)
    body = message.message or ""
    if not body and (poll or card or place):
        body = poll.question if poll else card.name if card else place.name or "" if place else ""
    kind = media.kind.value if media else "location" if place else "contact" if card else "poll" if poll else "text"
    return IncomingMessage(
        id=str(message.id),
        chat_id=str(chat_id),
        from_me=bool(message.out),
        body=body,
        type=kind,
        is_group=is_group,
        timestamp=message.date,
        contact=contact(sender, chat_id),
        media=media,
        location=place,
        contact_card=card,
        poll=poll,
        reply_to=None if message.reply_to_msg_id is None else str(message.reply_to_msg_id),
        forwarded=message.fwd_from is not None,
    )


def contact(who: Any, otherwise: int) -> Contact:
    """Somebody by the one id that stays; `otherwise` is the chat, where it is not known who it was."""
    if who is None:
        return Contact(id=str(otherwise))
    phone = getattr(who, "phone", None)
    return Contact(
        id=str(utils.get_peer_id(who)),
        name=utils.get_display_name(who) or None,
        username=getattr(who, "username", None),
        phone_number=phone,
    )


def media_of(message: Any, chat_id: int) -> IncomingMedia | None:
    """The file of a message."""
    reference = f"{chat_id}/{message.id}"  # where its file is asked for
    if isinstance(message.media, types.MessageMediaPhoto):
        size_bytes = message.file.size if message.file else None
        return IncomingMedia(kind=MediaKind.IMAGE, mime_type="image/jpeg", size_bytes=size_bytes, reference=reference)
    document = message.document
    if document is None:
        return None
    found = {type(attribute): attribute for attribute in document.attributes}
    named, audio = found.get(types.DocumentAttributeFilename), found.get(types.DocumentAttributeAudio)
    video = found.get(types.DocumentAttributeVideo)
    kind = MediaKind.DOCUMENT
    if types.DocumentAttributeSticker in found:
        kind = MediaKind.STICKER
    elif video is not None:
        kind = MediaKind.VIDEO
    elif audio is not None:
        kind = MediaKind.VOICE if audio.voice else MediaKind.AUDIO
    return IncomingMedia(
        kind=kind,
        mime_type=document.mime_type,
        file_name=named.file_name if named else None,
        size_bytes=document.size,
        duration_s=getattr(video or audio, "duration", None) or None,
        reference=reference,
    )


def _location(message: Any) -> IncomingLocation | None:
    media = message.media
    spot = getattr(media, "geo", None)
    if not isinstance(spot, types.GeoPoint):
        return None
    named = {"name": media.title, "address": media.address} if isinstance(media, types.MessageMediaVenue) else {}
    return IncomingLocation(latitude=spot.lat, longitude=spot.long, **named)


def _card(message: Any) -> IncomingContact | None:
    card = message.media
    if not isinstance(card, types.MessageMediaContact):
        return None
    name = " ".join(filter(None, (card.first_name, card.last_name)))
    return IncomingContact(name=name, phone_number=card.phone_number)


def _poll(message: Any) -> IncomingPoll | None:
    if not isinstance(message.media, types.MessageMediaPoll):
        return None
    poll = message.media.poll
    options = tuple(answer.text.text for answer in poll.answers)
    return IncomingPoll(question=poll.question.text, options=options, multiple=bool(poll.multiple_choice))
