"""The methods of the Bot API that the emulator knows, https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mim.emulators.telegram.bots import WEBHOOK_SET, ApiError, Bot, Json
from mim.emulators.telegram.emulator import Emulator, poll

_MAX_TEXT = 4096
_MAX_CAPTION = 1024
MAX_UPLOAD_BYTES = 50 << 20  # https://core.telegram.org/bots/api#sending-files
_MAX_PHOTO_BYTES = 10 << 20
_MAX_DOWNLOAD_BYTES = 20 << 20  # https://core.telegram.org/bots/api#getfile
_MODES = {"", "none", "markdown", "markdownv2", "html"}
_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")
_KINDS = {
    "photo": "image",
    "document": "document",
    "audio": "audio",
    "voice": "voice",
    "video": "video",
    "sticker": "sticker",
}
_MOST_OPTIONS = 12
_CONTENT = frozenset(("text", "caption", "location", "venue", "contact", "poll", *_KINDS))
_OURS = frozenset(("bot", "media", "parse_mode", "deleted", "reaction"))  # what only the inbox tells


_PICTURE = {"width": 1, "height": 1}
_MORE: dict[str, Json] = {
    "document": {},
    "audio": {"duration": 0},
    "voice": {"duration": 0},
    "video": _PICTURE | {"duration": 0},
    "sticker": _PICTURE | {"type": "regular", "is_animated": False, "is_video": False},
}


class Upload(NamedTuple):
    """A file of a multipart request; `content` is what is in it, or only its beginning if it is a large one."""

    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    content: bytes


class Args(dict[str, str]):
    """Arguments of a call by name, each as the text that a form would hold, and the files that came along."""

    def __init__(self, given: dict[str, str], files: dict[str, Upload] | None = None) -> None:
        super().__init__(given)
        self.files = files or {}


Method = Callable[[Emulator, Bot, Args], Awaitable[object]]


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
    text = args.get("text", "").strip()
    _check_mode(args)
    if not text:
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text) > _MAX_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    return _post(emulator, bot, args, {"text": text}, {"parse_mode": args.get("parse_mode")})


def _file_method(field: str) -> Method:
    async def send(emulator: Emulator, bot: Bot, args: Args) -> Json:
        emulator.find_chat(args.get("chat_id", ""))
        _check_mode(args)
        file, caption = _attached(args, field), args.get("caption", "").strip()
        if len(caption) > _MAX_CAPTION:
            raise ApiError(400, "Bad Request: message caption is too long")
        media = {"kind": _KINDS[field], **{name: getattr(file, name) for name in ("file_name", "size_bytes", "sha256")}}
        if len(file.content) == file.size_bytes:
            emulator.keep_file(file.content, file.sha256)
        shown = {} if field == "sticker" else {"caption": caption}
        told = {"parse_mode": args.get("parse_mode"), "media": media}
        return _post(emulator, bot, args, shown | {field: _described(file, field)}, told)

    return send


async def _send_location(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _post(emulator, bot, args, {"location": _spot(args)})


async def _send_venue(emulator: Emulator, bot: Bot, args: Args) -> Json:
    venue = {"location": _spot(args), "title": args.get("title", ""), "address": args.get("address", "")}
    return _post(emulator, bot, args, {"location": venue["location"], "venue": venue})


async def _send_contact(emulator: Emulator, bot: Bot, args: Args) -> Json:
    card = {"phone_number": args.get("phone_number", ""), "first_name": args.get("first_name", "")}
    if not all(card.values()):
        raise ApiError(400, "Bad Request: PHONE_NUMBER_INVALID")
    return _post(emulator, bot, args, {"contact": card})


async def _send_poll(emulator: Emulator, bot: Bot, args: Args) -> Json:
    options = [item["text"] if isinstance(item, dict) else str(item) for item in json.loads(args.get("options", "[]"))]
    if not 2 <= len(options) <= _MOST_OPTIONS:
        raise ApiError(400, "Bad Request: poll must have at least 2 option")
    multiple = args.get("allows_multiple_answers") == "true"
    made = poll(str(bot.message_id), args.get("question", ""), options, multiple=multiple)
    return _post(emulator, bot, args, {"poll": made})


async def _forward_message(emulator: Emulator, bot: Bot, args: Args) -> Json:
    source = emulator.message(bot, args.get("from_chat_id", ""), args.get("message_id", ""), "forward")
    sender = source.get("from") or bot.user
    origin = {"type": "user", "date": source["date"], "sender_user": sender}
    shown = {key: value for key, value in source.items() if key in _CONTENT}
    told = {key: value for key, value in source.items() if key == "media"}
    return _post(emulator, bot, args, shown | {"forward_origin": origin}, told)


async def _edit_text(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _edit(emulator, bot, args, "text")


async def _edit_caption(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return _edit(emulator, bot, args, "caption")


def _edit(emulator: Emulator, bot: Bot, args: Args, field: str) -> Json:
    message = emulator.message(bot, args.get("chat_id", ""), args.get("message_id", ""), "edit")
    if message.get("from") is not None:
        raise ApiError(400, "Bad Request: message can't be edited")
    if field not in message:
        raise ApiError(400, f"Bad Request: there is no {field} in the message to edit")
    if message[field] == args.get(field):
        raise ApiError(400, "Bad Request: message is not modified")
    message[field] = args.get(field, "")
    message["edit_date"] = int(time.time())
    return _public(message) | {"from": bot.user, "chat": emulator.find_chat(args["chat_id"])}


async def _delete_message(emulator: Emulator, bot: Bot, args: Args) -> bool:
    emulator.message(bot, args.get("chat_id", ""), args.get("message_id", ""), "delete")["deleted"] = True
    return True


async def _set_reaction(emulator: Emulator, bot: Bot, args: Args) -> bool:
    message = emulator.message(bot, args.get("chat_id", ""), args.get("message_id", ""), "react to")
    message["reaction"] = [item["emoji"] for item in json.loads(args.get("reaction", "[]"))]
    return True


async def _chat_action(emulator: Emulator, bot: Bot, args: Args) -> bool:
    emulator.find_chat(args.get("chat_id", ""))
    emulator.act(bot, args["chat_id"], args.get("action", ""))
    return True


def _post(emulator: Emulator, bot: Bot, args: Args, shown: Json, told: Json | None = None) -> Json:
    """Put a message into a chat; returns it as Telegram's `Message`. `told` is for the chat's inbox alone."""
    chat = emulator.find_chat(args.get("chat_id", ""))
    message: Json = {"message_id": bot.next_message_id(), "date": int(time.time()), **shown}
    if args.get("reply_parameters"):
        to = json.loads(args["reply_parameters"])
        answered = emulator.message(bot, str(to.get("chat_id") or args["chat_id"]), str(to["message_id"]), "be replied")
        message["reply_to_message"] = {key: answered[key] for key in ("message_id", "date")} | {"chat": chat}
    emulator.deliver(bot, args["chat_id"], message | (told or {}))
    return _public(message) | {"from": bot.user, "chat": chat}


def _public(message: Json) -> Json:
    return {key: value for key, value in message.items() if key not in _OURS}


def _spot(args: Args) -> Json:
    try:
        return {"latitude": float(args["latitude"]), "longitude": float(args["longitude"])}
    except (KeyError, ValueError):
        raise ApiError(400, "Bad Request: latitude is empty") from None


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
    if field == "photo" and not file.content.startswith(_PHOTOS):
        raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
    return file


def _described(file: Upload, field: str) -> Json | list[Json]:
    """A file as a `PhotoSize` list, `Document`, `Audio`, … of the Bot API."""
    about: Json = {"file_id": file.sha256, "file_unique_id": file.sha256[:16], "file_size": file.size_bytes}
    if field == "photo":
        return [about | {"width": 1, "height": 1}]
    about |= {"file_name": file.file_name, "mime_type": file.content_type}
    return about | _MORE[field]


async def _get_chat(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return emulator.groups.about(bot, emulator.find_chat(args.get("chat_id", "")))


async def _get_member_count(emulator: Emulator, bot: Bot, args: Args) -> int:
    group = emulator.groups.of(bot, args.get("chat_id", ""))
    return len(group.people) + len(group.bots)


async def _get_admins(emulator: Emulator, bot: Bot, args: Args) -> list[Json]:
    group = emulator.groups.of(bot, args.get("chat_id", ""))
    return [group.member(user) for user in group.people if user in group.admins]


async def _get_member(emulator: Emulator, bot: Bot, args: Args) -> Json:
    return emulator.groups.of(bot, args.get("chat_id", "")).member(_integer(args, "user_id", 0))


async def _ban_member(emulator: Emulator, bot: Bot, args: Args) -> bool:
    emulator.groups.ban(bot, args.get("chat_id", ""), _integer(args, "user_id", 0))
    return True


async def _unban_member(emulator: Emulator, bot: Bot, args: Args) -> bool:
    group = emulator.groups.of(bot, args.get("chat_id", ""), as_admin=True)
    if group.chat["type"] != "supergroup":
        raise ApiError(400, "Bad Request: method is available for supergroup and channel chats only")
    group.banned.discard(_integer(args, "user_id", 0))
    return True


async def _promote_member(emulator: Emulator, bot: Bot, args: Args) -> bool:
    is_admin = any(value == "true" for name, value in args.items() if name.startswith("can_"))
    emulator.groups.promote(bot, args.get("chat_id", ""), _integer(args, "user_id", 0), is_admin=is_admin)
    return True


async def _export_link(emulator: Emulator, bot: Bot, args: Args) -> str:
    return emulator.groups.export_link(bot, args.get("chat_id", ""))


async def _get_file(emulator: Emulator, _: Bot, args: Args) -> Json:
    content = emulator.files.get(args.get("file_id", ""))
    if content is None:
        raise ApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    if len(content) > _MAX_DOWNLOAD_BYTES:
        raise ApiError(400, "Bad Request: file is too big")
    about = {"file_id": args["file_id"], "file_unique_id": args["file_id"][-12:], "file_size": len(content)}
    return about | {"file_path": f"files/{args['file_id']}"}


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


METHODS: dict[str, Method] = {
    "getme": _get_me,
    "getupdates": _get_updates,
    "sendmessage": _send_message,
    **{f"send{field}": _file_method(field) for field in _KINDS},
    "sendlocation": _send_location,
    "sendvenue": _send_venue,
    "sendcontact": _send_contact,
    "sendpoll": _send_poll,
    "forwardmessage": _forward_message,
    "editmessagetext": _edit_text,
    "editmessagecaption": _edit_caption,
    "deletemessage": _delete_message,
    "setmessagereaction": _set_reaction,
    "sendchataction": _chat_action,
    "getchat": _get_chat,
    "getchatmembercount": _get_member_count,
    "getchatadministrators": _get_admins,
    "getchatmember": _get_member,
    "banchatmember": _ban_member,
    "unbanchatmember": _unban_member,
    "promotechatmember": _promote_member,
    "exportchatinvitelink": _export_link,
    "getfile": _get_file,
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
    return int(text) if re.fullmatch(r"-?\d{1,16}", text) else default
