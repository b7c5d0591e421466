"""What callers send to an instance's own port becomes a message, and what they get for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mim.contracts.api import TelegramMediaBody, TelegramSendBody, WhatsAppSendBody
from mim.contracts.content import Media, MediaKind
from mim.contracts.messages import MessageSent, SendMessage
from mim.contracts.states import Provider
from mim.telegram_adapter import app as telegram
from mim.whatsapp_adapter import app as whatsapp

INSTANCE = "00000000-0000-4000-8000-000000000001"
URL = "https://example.com/files/a"


def message(provider: Provider, fields: dict[str, Any]) -> SendMessage:
    expires_at = datetime.now(UTC) + timedelta(minutes=1)
    return SendMessage(id="m-1", instance_id=INSTANCE, provider=provider, expires_at=expires_at, **fields)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ({"source": f"{URL}.jpg"}, Media(kind=MediaKind.IMAGE, source=f"{URL}.jpg")),
        ({"source": f"{URL}.MP3?x=1"}, Media(kind=MediaKind.AUDIO, source=f"{URL}.MP3?x=1")),
        ({"source": URL}, Media(kind=MediaKind.DOCUMENT, source=URL)),
        (
            {"source": URL, "mediaType": "video", "fileName": "v"},
            Media(kind=MediaKind.VIDEO, source=URL, file_name="v"),
        ),
    ],
)
def test_telegram_media(body: dict[str, str], media: Media) -> None:
    parsed = TelegramMediaBody.model_validate({"chatId": 134527512, "caption": "look", **body})
    got = message(Provider.TELEGRAM, telegram._media_message(parsed))
    assert (got.to, got.text, got.media) == ("134527512", "look", media)


def test_telegram_text() -> None:
    parsed = TelegramSendBody.model_validate({"chatId": "134527512", "message": "Тест!", "parseMode": "HTML"})
    got = message(Provider.TELEGRAM, telegram._message(parsed))
    assert (got.to, got.text, got.media, got.parse_mode) == ("134527512", "Тест!", None, "HTML")


@pytest.mark.parametrize("kind", ["image", "document", "audio", "video"])
def test_whatsapp_media(kind: str) -> None:
    parsed = WhatsAppSendBody.model_validate(
        {"number": "15550002222", "source": URL, "caption": "look", "mediaType": kind, "fileName": "a.bin"}
    )
    got = message(Provider.WHATSAPPWEB, whatsapp._message(parsed))
    assert (got.to, got.text) == ("15550002222", "look")
    assert got.media == Media(kind=MediaKind(kind), source=URL, file_name="a.bin")
    facts: dict[str, Any] = {"instance_id": INSTANCE, "epoch": 1, "id": "m-1", "to": got.to}
    sent = MessageSent(provider=Provider.WHATSAPPWEB, messenger_id="3EB0", type=kind, **facts)
    assert whatsapp._answer(sent).model_dump().items() >= {"messageId": "3EB0", "messageType": kind}.items()


def test_whatsapp_text() -> None:
    parsed = WhatsAppSendBody.model_validate({"number": "15550002222", "message": "hi", "mediaType": "text"})
    got = message(Provider.WHATSAPPWEB, whatsapp._message(parsed))
    assert (got.text, got.media) == ("hi", None)
