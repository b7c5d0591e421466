"""The methods of the Bot API that the emulator knows, https://core.telegram.org/bots/api#available-methods."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable

from mim.emulators.telegram.bots import WEBHOOK_SET, ApiError, Bot, Json
from mim.emulators.telegram.emulator import Emulator

_MAX_TEXT = 4096
_MODES = {"", "none", "markdown", "markdownv2", "html"}

Args = dict[str, str]
"""Arguments of a call by name, each as the text that a form would hold."""


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
    if args.get("parse_mode", "").lower() not in _MODES:
        raise ApiError(400, "Bad Request: unsupported parse_mode")
    if not text:
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text) > _MAX_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    message: Json = {"message_id": bot.next_message_id(), "date": int(time.time()), "text": text}
    emulator.deliver(bot, args["chat_id"], message | {"parse_mode": args.get("parse_mode")})
    return message | {"from": bot.user, "chat": chat}


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
    "setwebhook": _set_webhook,
    "deletewebhook": _delete_webhook,
    "getwebhookinfo": _get_webhook_info,
    "logout": _log_out,
    "close": _close,
}


def _allow(bot: Bot, args: Args) -> None:
    if args.get("allowed_updates"):
        bot.allowed = frozenset(json.loads(args["allowed_updates"]))


def _integer(args: Args, name: str, default: int) -> int:
    text = args.get(name, "")
    return int(text) if re.fullmatch(r"-?\d{1,10}", text) else default
