"""From Telegram's updates to the contract's messages. Pure.

`Update` and `Message`: https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

from aiogram.enums import ContentType
from aiogram.types import Message, Update
from pydantic import ValidationError

from mim.contracts.values import Contact, IncomingMessage

UPDATE_KINDS = ["message", "channel_post"]
"""What is asked of Telegram (`allowed_updates`); other kinds that still come are passed over."""


def read(update: Update) -> IncomingMessage | None:
    """The message in an update, or None for other kinds. Of media the caption is the body and `type` the kind."""
    message = update.message or update.channel_post
    if message is None:
        return None
    return IncomingMessage(
        id=str(message.message_id),
        chat_id=str(message.chat.id),
        body=message.text or message.caption or "",
        type=ContentType(message.content_type).value,
        is_group=message.chat.type in ("group", "supergroup"),
        timestamp=message.date,
        contact=_contact(message),
    )


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


def _contact(message: Message) -> Contact:
    if message.from_user is not None:
        user = message.from_user
        return Contact(id=str(user.id), name=user.full_name, username=user.username)
    chat = message.sender_chat or message.chat
    return Contact(id=str(chat.id), name=chat.full_name, username=chat.username)
