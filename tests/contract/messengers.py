"""The messengers of the conformance suite: a real session of each adapter, its messenger emulated, and a person there.

async with connected(Provider.TELEGRAM, folder) as messenger:
sent = await messenger.send(text="hello")
assert messenger.shown(sent).text == "hello"
"""

from __future__ import annotations

import asyncio
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from mim.contracts.content import MessageKind
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.messages import Change, GroupChanged, Receipt, SendMessage
from mim.contracts.providers import PROVIDERS
from mim.contracts.states import Provider
from mim.contracts.values import Account, IncomingMessage, Restriction
from mim.emulators import telegram, whatsapp
from mim.emulators.whatsapp import WhatsAppEmulator
from mim.runtime.session import SentMessage, Session
from mim.telegram_adapter.session import TelegramSession
from mim.whatsapp_adapter.session import WhatsAppSession

WITHIN_S = 20.0
INSTANCE = "5f0c1d3e-0000-4000-8000-000000000042"
Json = dict[str, Any]


class Recorder:
    """A session context that keeps what is reported."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self.instance_id = INSTANCE
        self.settings, self.secrets, self.data_dir = settings, secrets, data_dir
        data_dir.mkdir(mode=0o700)
        self.log = structlog.wrap_logger(None, processors=[self._drop], wrapper_class=structlog.BoundLogger)
        self._reported: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def _drop(self, *_: object) -> Mapping[str, Any]:
        raise structlog.DropEvent

    def now(self) -> datetime:
        return datetime.now(UTC)

    def proved(self) -> None:
        """Nobody asks here."""

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        self._reported.put_nowait(("qr_ready", (code, expires_at)))

    async def authenticated(self, account: Account) -> None:
        self._reported.put_nowait(("authenticated", account))

    async def client_ready(self, account: Account) -> None:
        self._reported.put_nowait(("client_ready", account))

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        self._reported.put_nowait(("reconnecting", (code, message)))

    async def received(self, message: IncomingMessage) -> None:
        self._reported.put_nowait(("received", message))

    async def happened(self, kind: type[Receipt | Change | GroupChanged], *, at: datetime, **fields: Any) -> None:
        # As the worker does: what does not fit the event's model must not come from an adapter.
        event = kind(instance_id=INSTANCE, provider=Provider.TELEGRAM, timestamp=at, **fields)
        self._reported.put_nowait((kind.name, event))

    async def restricted(self, restriction: Restriction | None) -> None:
        self._reported.put_nowait(("restricted", restriction))

    async def next(self, name: str) -> Any:
        """What is reported next under this name; everything else before it is passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                reported, what = await self._reported.get()
                if reported == name:
                    return what


@dataclass(frozen=True)
class Shown:
    """A message as the person sees it; `more` has location, contact, poll and what became of it, as far as known."""

    text: str
    media: Json | None = None
    location: tuple[float, float] | None = None
    contact: str | None = None
    options: list[str] | None = None
    reply_to: str | None = None
    forwarded: bool = False
    edited: bool = False
    deleted: bool = False
    reaction: str = ""


@dataclass(kw_only=True)
class Messenger(ABC):
    """One account that is connected, and the person it talks to, whose chat is `chat`."""

    provider: Provider
    recorder: Recorder
    session: Session
    chat: str
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def can(self, word: str) -> bool:
        """Whether the provider says that it can do this."""
        return word in {capability.value for capability in PROVIDERS[self.provider].capabilities}

    async def send(self, **content: Any) -> SentMessage:
        """Let the account say or do something in the person's chat."""
        message = SendMessage(
            id=f"m-{next(self._ids)}",
            instance_id=INSTANCE,
            provider=self.provider,
            to=self.chat,
            expires_at=datetime.now(UTC) + timedelta(minutes=1),
            **content,
        )
        return await self.session.send(message)

    async def hears(self, name: str) -> Any:
        """What the account reports next."""
        return await self.recorder.next(name)

    @abstractmethod
    def shown(self, sent: SentMessage | str) -> Shown:
        """A message of the chat as the person sees it."""

    @abstractmethod
    async def says(self, **content: Any) -> str:
        """The person says something: text, reply_to, location, contact, poll, media {kind, content, content_type}."""

    @abstractmethod
    async def does(self, kind: str, target: str, text: str = "") -> None:
        """The person does something to a message: edit, delete or reaction."""

    @abstractmethod
    def saw(self, kind: MessageKind, target: str = "") -> bool:
        """Whether the person saw `typing`, or that the account read their message `target`."""


@dataclass(kw_only=True)
class TelegramBot(Messenger):
    """A bot, and a person who wrote to it."""

    emulator: telegram.Emulator
    bot: int = 42

    def shown(self, sent: SentMessage | str) -> Shown:
        identity = sent if isinstance(sent, str) else sent.messenger_id
        found = self.emulator.seen(self.bot, self.chat, identity)
        place, poll, card = found.get("location"), found.get("poll"), found.get("contact")
        return Shown(
            text=found.get("text") or found.get("caption") or "",
            media=found.get("media"),
            location=(place["latitude"], place["longitude"]) if place else None,
            contact=card["first_name"] if card else None,
            options=[option["text"] for option in poll["options"]] if poll else None,
            reply_to=str(found["reply_to_message"]["message_id"]) if "reply_to_message" in found else None,
            forwarded="forward_origin" in found,
            edited="edit_date" in found,
            deleted=found.get("deleted", False),
            reaction="".join(found.get("reaction", ())),
        )

    async def says(self, **content: Any) -> str:
        file = {"file_id": "f1", "file_unique_id": "u1", "file_size": 9}
        fields: Json = {}
        text = content.get("text")
        if "media" in content:
            kind, text = content["media"]["kind"], None
            shown = file | {"width": 1, "height": 1, "duration": 0, "type": "regular", "is_animated": False}
            shown |= {"is_video": False, "mime_type": content["media"]["content_type"]}
            fields["photo" if kind == "image" else kind] = [shown] if kind == "image" else shown
            fields["caption"] = content.get("text", "")
        if "location" in content:
            fields["location"] = {name: content["location"][name] for name in ("latitude", "longitude")}
        if "contact" in content:
            card = content["contact"]
            fields["contact"] = {"first_name": card["name"], "phone_number": card["phone"]}
        if "poll" in content:
            fields["poll"] = telegram.poll("p", content["poll"]["question"], content["poll"]["options"])
        if "reply_to" in content:
            chat = {"id": int(self.chat), "type": "private"}
            fields["reply_to_message"] = {"message_id": int(content["reply_to"]), "date": 0, "chat": chat}
        return str(self.emulator.say(self.bot, self.chat, text, **fields))

    async def does(self, kind: str, target: str, text: str = "") -> None:
        if kind == "edit":
            self.emulator.edit(self.bot, self.chat, int(target), text)
        else:
            self.emulator.react(self.bot, self.chat, int(target), text)

    def saw(self, kind: MessageKind, target: str = "") -> bool:
        assert not target, "a bot cannot show that it read a message"
        return kind is MessageKind.TYPING and (self.bot, self.chat, "typing") in self.emulator.actions


@dataclass(kw_only=True)
class WhatsAppAccount(Messenger):
    """A linked account, and a contact with a phone."""

    emulator: WhatsAppEmulator
    own: str = "15550001111"
    other: str = "15550002222"

    def shown(self, sent: SentMessage | str) -> Shown:
        identity = sent if isinstance(sent, str) else sent.messenger_id
        found = next(each for each in self.emulator.phones.get(self.other).inbox if each.id == identity)
        place, more = found.more.get("location"), found.more
        return Shown(
            text=found.text,
            media=found.media,
            location=(place["latitude"], place["longitude"]) if place else None,
            contact=more["contact"]["name"] if "contact" in more else None,
            options=more["poll"]["options"] if "poll" in more else None,
            reply_to=more.get("reply_to"),
            edited=more.get("edited", False),
            deleted=more.get("deleted", False),
            reaction=more.get("reaction", ""),
        )

    async def says(self, **content: Any) -> str:
        phones = self.emulator.phones
        identity, _ = await self.emulator.messages.incoming(phones.get(self.other), phones.get(self.own), content)
        return identity

    async def does(self, kind: str, target: str, text: str = "") -> None:
        await self.says(target=target, own=True, **{kind: text})

    def saw(self, kind: MessageKind, target: str = "") -> bool:
        events = self.emulator.messages.events
        if kind is MessageKind.TYPING:
            return any(event["type"] == "typing" for event in events)
        return any(event.get("kind") == "read" and event.get("message_id") == target for event in events)


@asynccontextmanager
async def connected(provider: Provider, folder: Path) -> AsyncIterator[Messenger]:
    """An account of a provider that is ready."""
    make = {Provider.TELEGRAM: _telegram_bot, Provider.WHATSAPPWEB: _whatsapp}[provider]
    async with make(folder) as messenger:
        yield messenger


@asynccontextmanager
async def _telegram_bot(folder: Path) -> AsyncIterator[Messenger]:
    async with telegram.serve(emulator=telegram.Emulator()) as emulator:
        settings = {"telegram_api_url": emulator.url, "telegram_poll_s": "1", "telegram_pacing": "off"}
        recorder = Recorder(folder / "session", settings | {"media_private": "true"}, {"token": f"42:{'x' * 35}"})
        session = TelegramSession(recorder)
        async with _running(session):
            await recorder.next("client_ready")
            yield TelegramBot(
                provider=Provider.TELEGRAM, recorder=recorder, session=session, chat="1001", emulator=emulator
            )


@asynccontextmanager
async def _whatsapp(folder: Path) -> AsyncIterator[Messenger]:
    async with whatsapp.serve(folder / "whatsapp") as emulator:
        settings = {
            "whatsapp_proxy_url": emulator.proxy_url,
            "whatsapp_ca_file": str(emulator.ca_file),
            "whatsapp_child_wrapper": f"-m mim.emulators.whatsapp.trust {emulator.root_file}",
            "media_private": "true",
        }
        recorder = Recorder(folder / "session", settings, {})
        session = WhatsAppSession(recorder)
        account = WhatsAppAccount(
            provider=Provider.WHATSAPPWEB, recorder=recorder, session=session, chat="+1 555 000 2222", emulator=emulator
        )
        emulator.phones.get(account.other, "Bob")
        async with _running(session):
            code, _ = await recorder.next("qr_ready")
            await emulator.pairing.scan(code, account.own)
            await recorder.next("client_ready")
            yield account


@asynccontextmanager
async def _running(session: Session) -> AsyncIterator[None]:
    run = asyncio.create_task(session.run())
    try:
        yield
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError, MimError):
            await run


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.to_thread(os.sched_yield)
