"""From the contract's messages to methods of the Bot API. Pure.

Methods and their limits: https://core.telegram.org/bots/api#available-methods, #sending-files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiogram.methods import (
    DeleteMessage,
    EditMessageCaption,
    EditMessageText,
    ForwardMessage,
    SendAudio,
    SendChatAction,
    SendContact,
    SendDocument,
    SendLocation,
    SendPhoto,
    SendPoll,
    SendSticker,
    SendVenue,
    SendVideo,
    SendVoice,
    SetMessageReaction,
    TelegramMethod,
)
from aiogram.methods import SendMessage as SendText
from aiogram.types import FSInputFile, LinkPreviewOptions, ReactionTypeEmoji, ReplyParameters

from mim.contracts.content import MediaKind, MessageKind, MessageRef
from mim.contracts.errors import ErrorCode, Refused
from mim.contracts.messages import SendMessage
from mim.runtime.fetch import Fetched

MOST_BYTES = {
    MediaKind.IMAGE: 10 << 20,
    MediaKind.DOCUMENT: 50 << 20,
    MediaKind.AUDIO: 50 << 20,
    MediaKind.VOICE: 50 << 20,
    MediaKind.VIDEO: 50 << 20,
    MediaKind.STICKER: 512 << 10,
}
"""The largest file of each kind that Telegram takes from a bot."""

_FILES: dict[MediaKind, Callable[..., TelegramMethod[Any]]] = {
    MediaKind.IMAGE: lambda file, **rest: SendPhoto(photo=file, **rest),
    MediaKind.DOCUMENT: lambda file, **rest: SendDocument(document=file, **rest),
    MediaKind.AUDIO: lambda file, **rest: SendAudio(audio=file, **rest),
    MediaKind.VOICE: lambda file, **rest: SendVoice(voice=file, **rest),
    MediaKind.VIDEO: lambda file, **rest: SendVideo(video=file, **rest),
    MediaKind.STICKER: lambda file, parse_mode, caption, **rest: SendSticker(sticker=file, **rest),  # noqa: ARG005
}


def method(message: SendMessage, chat: str, file: Fetched | None) -> TelegramMethod[Any]:
    """The call that says or does in a chat what the message's kind says; a sticker's text is left out.

    Raises: Refused if an id is none of Telegram's.
    """
    if not message.kind.is_message:
        return _act(message, chat)
    common: dict[str, Any] = {
        "chat_id": chat,
        "disable_notification": message.disable_notification or None,
        "reply_parameters": _reply(message.reply_to),
    }
    if message.media is not None and file is not None:
        upload = FSInputFile(file.path, filename=file.file_name)
        caption = message.text or None
        return _FILES[message.media.kind](upload, caption=caption, parse_mode=message.parse_mode, **common)
    if message.location is not None:
        return _place(message, common)
    if message.contact is not None:
        card = message.contact
        return SendContact(phone_number=card.phone_number, first_name=card.name, **common)
    if message.poll is not None:
        poll = message.poll
        # Anonymous, as every poll of the apps is unless one asks for another.
        return SendPoll(
            question=poll.question, options=list(poll.options), allows_multiple_answers=poll.multiple, **common
        )
    if message.kind is MessageKind.FORWARD:
        target = _target(message)
        del common["reply_parameters"]
        return ForwardMessage(from_chat_id=target.chat_id or chat, message_id=_number(target), **common)
    preview = LinkPreviewOptions(is_disabled=True) if message.disable_web_page_preview else None
    return SendText(text=message.text, parse_mode=message.parse_mode, link_preview_options=preview, **common)


def caption_edit(message: SendMessage, chat: str) -> TelegramMethod[Any]:
    """The edit of a message that is a file: its caption is its text."""
    return EditMessageCaption(
        chat_id=chat, message_id=_number(_target(message)), caption=message.text, parse_mode=message.parse_mode
    )


def _act(message: SendMessage, chat: str) -> TelegramMethod[Any]:
    if message.kind is MessageKind.TYPING:
        return SendChatAction(chat_id=chat, action="typing")
    number = _number(_target(message))
    match message.kind:
        case MessageKind.EDIT:
            preview = LinkPreviewOptions(is_disabled=True) if message.disable_web_page_preview else None
            return EditMessageText(
                chat_id=chat,
                message_id=number,
                text=message.text,
                parse_mode=message.parse_mode,
                link_preview_options=preview,
            )
        case MessageKind.DELETE:
            return DeleteMessage(chat_id=chat, message_id=number)
        case MessageKind.REACTION:
            emoji = [ReactionTypeEmoji(emoji=message.emoji)] if message.emoji else []
            return SetMessageReaction(chat_id=chat, message_id=number, reaction=[*emoji])
        case kind:
            raise Refused(ErrorCode.NOT_SUPPORTED, f"a Telegram bot cannot do this: {kind}")


def _place(message: SendMessage, common: dict[str, Any]) -> TelegramMethod[Any]:
    place = message.location
    if place is None:
        raise ValueError("a message without a location has no place")
    spot: dict[str, Any] = {"latitude": place.latitude, "longitude": place.longitude}
    if place.name is None:
        return SendLocation(**spot, **common)
    return SendVenue(title=place.name, address=place.address or place.name, **spot, **common)


def _reply(to: MessageRef | None) -> ReplyParameters | None:
    if to is None:
        return None
    return ReplyParameters(message_id=_number(to), chat_id=to.chat_id)


def _target(message: SendMessage) -> MessageRef:
    if message.target is None:
        raise Refused(ErrorCode.INVALID_FIELDS, f"kind {message.kind} needs target: the message that it is about")
    return message.target


def _number(ref: MessageRef) -> int:
    if not ref.id.isdecimal() or len(ref.id) > 15:
        raise Refused(ErrorCode.INVALID_FIELDS, f"{ref.id!r} is not the id of a message at Telegram: those are numbers")
    return int(ref.id)
