"""The WhatsApp worker as a process: `mim run whatsapp-adapter`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from mim.contracts.answers import WhatsAppSent
from mim.contracts.api import WhatsAppSendBody, media
from mim.contracts.content import MediaKind
from mim.contracts.messages import MessageSent
from mim.contracts.states import Provider
from mim.runtime.bus import Bus
from mim.runtime.instance_port import SendRoute
from mim.runtime.settings import Settings
from mim.runtime.worker import worker
from mim.whatsapp_adapter.session import WhatsAppSession


def whatsapp_adapter(bus: Bus, settings: Settings) -> AbstractAsyncContextManager[None]:
    """Hold the sessions of WhatsApp accounts."""
    send = SendRoute(body=WhatsAppSendBody, message=_message, answer=_answer)
    return worker(
        bus, settings, provider=Provider.WHATSAPPWEB, factory=WhatsAppSession, send_routes={"/api/v1/send": send}
    )


def _message(body: WhatsAppSendBody) -> dict[str, Any]:
    if body.media_type == "text" or body.source is None:
        return {"to": body.number, "text": body.message}
    file = media(body.source, MediaKind(body.media_type), body.file_name)
    return {"to": body.number, "text": body.caption or body.message, "media": file}


def _answer(sent: MessageSent) -> WhatsAppSent:
    return WhatsAppSent(id=sent.id, messageId=sent.messenger_id, messageType=sent.type)
