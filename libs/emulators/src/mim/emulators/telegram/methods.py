"""The methods of the Bot API that the emulator knows, https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mim.emulators.telegram.bots import WEBHOOK_SET, ApiError, Bot, Json
from mim.emulators.telegram.emulator import Emulator

_MAX_TEXT = 4096
_MAX_CAPTION = 1024
MAX_UPLOAD_BYTES = 50 << 20  # https://core.telegram.org/bots/api#sending-files
_MAX_PHOTO_BYTES = 10 << 20
_MODES = {"", "none", "markdown", "markdownv2", "html"}
_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")
_KINDS = {"photo": "image", "document": "document", "audio": "audio", "video": "video"}


class Upload(NamedTuple):
    """A file of a multipart request: what it is, not what is in it; `head` are its first bytes."""

    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    head: bytes


class Args(dict[str, str]):
    """Arguments of a call by name, each as the text that a form would hold, and the files that came along."""

    def __init__(self, given: dict[str, str], files: dict[str, Upload] | None = None) -> None:
        super().__init__(given)
        self.files = files or {}


async def _get_me(_: Emulator, bot: Bot, __: Args) -> Json:
    return bot.user | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


async def _get_updates(_: Emulator, bot: Bot, args: Args) -> list[Json]:
    _allow(bot, args)
    limit = min(max(_integer(args, "limit", 100), 1), 100)
    return await bot.get_updates(_integer(args, "offset", 0), limit, _integer(args, "timeout", 0))


async def _send_message(emulator: Emulator, bot: Bot, args: Args) -> Json:
    chat = emulator.find_chat(args.get("chat_id", ""))
    text = args.get("text", "").strip()
    _check_mode(args)
    if not text:
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text) > _MAX_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    message: Json = {"message_id": bot.next_message_id(), "date": int(time.time()), "text": text}
    emulator.deliver(bot, args["chat_id"], message | {"parse_mode": args.get("parse_mode")})
    return message | {"from": bot.user, "chat": chat}


async def _send_photo(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _send_file(emulator, bot, args, "photo")


async def _send_document(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _send_file(emulator, bot, args, "document")


async def _send_audio(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _send_file(emulator, bot, args, "audio")


async def _send_video(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _send_file(emulator, bot, args, "video")


def _send_file(emulator: Emulator, bot: Bot, args: Args, field: str) -> Json:
    chat = emulator.find_chat(args.get("chat_id", ""))
    _check_mode(args)
    file, caption = _attached(args, field), args.get("caption", "").strip()
    if len(caption) > _MAX_CAPTION:
        raise ApiError(400, "Bad Request: message caption is too long")
    message: Json = {"message_id": bot.next_message_id(), "date": int(time.time()), "caption": caption}
    media = {"kind": _KINDS[field], **{name: getattr(file, name) for name in ("file_name", "size_bytes", "sha256")}}
    emulator.deliver(bot, args["chat_id"], message | {"parse_mode": args.get("parse_mode"), "media": media})
    return message | {"from": bot.user, "chat": chat, field: _described(file, field)}


def _attached(args: Args, field: str) -> Upload:
    """The file that an argument names. Raises: ApiError 400, as the official server answers."""
    name = args.get(field, "")
    file = args.files.get(name.removeprefix("attach://")) if name.startswith("attach://") else args.files.get(field)
    if file is None:
        raise ApiError(400, f"Bad Request: there is no {field} in the request")
    if not file.size_bytes:
        raise ApiError(400, "Bad Request: file must be non-empty")
    if field == "photo" and file.size_bytes > _MAX_PHOTO_BYTES:
        limit = f"the maximum size is {_MAX_PHOTO_BYTES} bytes"
        raise ApiError(400, f"Bad Request: file of size {file.size_bytes} bytes is too big for a photo; {limit}")
    if field == "photo" and not file.head.startswith(_PHOTOS):
        raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
    return file


def _described(file: Upload, field: str) -> Json | list[Json]:
    """A file as a `PhotoSize` list, `Document`, `Audio` or `Video` of the Bot API."""
    about: Json = {"file_id": file.sha256, "file_unique_id": file.sha256[:16], "file_size": file.size_bytes}
    if field == "photo":
        return [about | {"width": 1, "height": 1}]
    about |= {"file_name": file.file_name, "mime_type": file.content_type}
    return about | {"document": {}, "audio": {"duration": 0}, "video": {"width": 1, "height": 1, "duration": 0}}[field]


async def _set_webhook(_: Emulator, bot: Bot, args: Args) -> bool:
    bot.webhook = args.get("url", "")
    _allow(bot, args)
    bot.end_poll(ApiError(409, WEBHOOK_SET))
    return True


async def _delete_webhook(_: Emulator, bot: Bot, args: Args) -> bool:
    bot.webhook = ""
    if args.get("drop_pending_updates") == "true":
        bot.updates.clear()
    return True


async def _get_webhook_info(_: Emulator, bot: Bot, __: Args) -> Json:
    return {"url": bot.webhook, "has_custom_certificate": False, "pending_update_count": len(bot.updates)}


async def _log_out(_: Emulator, bot: Bot, __: Args) -> bool:
    bot.end_poll(ApiError(400, "Logged out"))
    return True


async def _close(_: Emulator, bot: Bot, __: Args) -> bool:
    bot.end_poll(ApiError(500))
    return True


METHODS: dict[str, Callable[[Emulator, Bot, Args], Awaitable[object]]] = {
    "getme": _get_me,
    "getupdates": _get_updates,
    "sendmessage": _send_message,
    "sendphoto": _send_photo,
    "senddocument": _send_document,
    "sendaudio": _send_audio,
    "sendvideo": _send_video,
    "setwebhook": _set_webhook,
    "deletewebhook": _delete_webhook,
    "getwebhookinfo": _get_webhook_info,
    "logout": _log_out,
    "close": _close,
}


def _check_mode(args: Args) -> None:
    if args.get("parse_mode", "").lower() not in _MODES:
        raise ApiError(400, "Bad Request: unsupported parse_mode")


def _allow(bot: Bot, args: Args) -> None:
    if args.get("allowed_updates"):
        bot.allowed = frozenset(json.loads(args["allowed_updates"]))


def _integer(args: Args, name: str, default: int) -> int:
    text = args.get(name, "")
    return int(text) if re.fullmatch(r"-?\d{1,10}", text) else default
