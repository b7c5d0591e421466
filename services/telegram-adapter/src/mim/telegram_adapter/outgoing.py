"""From the contract's messages to methods of the Bot API. Pure.

Sending and its limits: https://core.telegram.org/bots/api#sending-files, #sendmessage, #sendphoto.
"""

from __future__ import annotations

from typing import Any

from aiogram.methods import SendAudio, SendDocument, SendPhoto, SendVideo, TelegramMethod
from aiogram.methods import SendMessage as SendText
from aiogram.types import FSInputFile, LinkPreviewOptions, Message

from mim.contracts.messages import SendMessage
from mim.contracts.values import MediaKind
from mim.runtime.fetch import Fetched

MOST_BYTES = {
    MediaKind.IMAGE: 10 << 20,
    MediaKind.DOCUMENT: 50 << 20,
    MediaKind.AUDIO: 50 << 20,
    MediaKind.VIDEO: 50 << 20,
}
"""The largest file of each kind that Telegram takes from a bot."""


def method(message: SendMessage, chat: str, file: Fetched | None) -> TelegramMethod[Message]:
    """The call that sends a message to a chat: its text, or a file with the text as its caption."""
    common: dict[str, Any] = {
        "chat_id": chat,
        "parse_mode": message.parse_mode,
        "disable_notification": message.disable_notification or None,
    }
    if message.media is None or file is None:
        preview = LinkPreviewOptions(is_disabled=True) if message.disable_web_page_preview else None
        return SendText(text=message.text, link_preview_options=preview, **common)
    upload = FSInputFile(file.path, filename=file.file_name)
    common["caption"] = message.text or None
    match message.media.kind:
        case MediaKind.IMAGE:
            return SendPhoto(photo=upload, **common)
        case MediaKind.AUDIO:
            return SendAudio(audio=upload, **common)
        case MediaKind.VIDEO:
            return SendVideo(video=upload, **common)
        case _:
            return SendDocument(document=upload, **common)
