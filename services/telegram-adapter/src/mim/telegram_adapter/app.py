"""The Telegram worker as a process: `mim run telegram-adapter`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mim.contracts.answers import TelegramSent
from mim.contracts.api import TelegramMediaBody, TelegramSendBody, media
from mim.contracts.login import LoginKind
from mim.contracts.messages import MessageSent
from mim.contracts.states import Provider
from mim.runtime.bus import Bus
from mim.runtime.instance_port import SendRoute
from mim.runtime.service import Tasks
from mim.runtime.session import Session, SessionContext
from mim.runtime.settings import Settings
from mim.runtime.worker import worker
from mim.telegram_adapter import lazy_aiogram
from mim.telegram_adapter.session import TelegramSession


@asynccontextmanager
async def telegram_adapter(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Hold the sessions of Telegram bots."""
    send = SendRoute(body=TelegramSendBody, message=_message, answer=_answer)
    send_media = SendRoute(body=TelegramMediaBody, message=_media_message, answer=_answer)
    holding = worker(
        bus,
        settings,
        provider=Provider.TELEGRAM,
        factory=_session,
        send_routes={
            "/api/v1/telegram/send": send,
            "/api/v1/telegram/send-telegram-message": send,
            "/api/v1/telegram/send-media": send_media,
        },
    )
    async with holding, Tasks(bus) as tasks:
        # In a thread and not awaited: neither the start nor the first bot shall wait for it.
        tasks.start(asyncio.to_thread(lazy_aiogram.build), "schemas")
        yield


def _session(context: SessionContext) -> Session:
    """A bot's session, or that of a person's account, whose library is loaded when the first one comes."""
    if context.login is not LoginKind.USER:
        return TelegramSession(context)
    from mim.telegram_adapter.user_session import UserSession  # noqa: PLC0415

    return UserSession(context)


def _message(body: TelegramSendBody) -> dict[str, Any]:
    return {
        "to": body.chat_id,
        "text": body.message,
        "parse_mode": body.parse_mode,
        "disable_web_page_preview": body.disable_web_page_preview,
        "disable_notification": body.disable_notification,
    }


def _media_message(body: TelegramMediaBody) -> dict[str, Any]:
    return {"to": body.chat_id, "text": body.caption, "media": media(body.source, body.kind, body.file_name)}


def _answer(sent: MessageSent) -> TelegramSent:
    return TelegramSent(id=sent.id, messageId=sent.messenger_id)
