"""The messengers of the conformance suite: a real session of each adapter, its messenger emulated, and a person there.

    async with connected(ACCOUNTS["telegram bot"], folder) as messenger:
        sent = await messenger.send(text="hello")
        assert messenger.shown(sent).text == "hello"

What one of them cannot do, by its capabilities, is not asked of it.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from telethon import TelegramClient, events, utils
from telethon.tl import functions, types

from mim.contracts.content import Media, MessageKind
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.login import LoginKind, LoginStep
from mim.contracts.messages import Change, GroupChanged, Receipt, SendMessage
from mim.contracts.providers import PROVIDERS
from mim.contracts.states import Provider
from mim.contracts.stored import MediaRow, MessageRow
from mim.contracts.values import Account, IncomingMessage, Restriction
from mim.emulators import mtproto, telegram, whatsapp
from mim.emulators.mtproto import MTProtoEmulator
from mim.emulators.mtproto.describe import messages_of
from mim.emulators.mtproto.logins import token_of
from mim.emulators.mtproto.people import Person
from mim.emulators.whatsapp import WhatsAppEmulator
from mim.emulators.whatsapp.nodes import Jid
from mim.runtime.fetch import Fetched, Limits
from mim.runtime.media import file_of
from mim.runtime.session import SentMessage, Session
from mim.telegram_adapter.session import TelegramSession
from mim.telegram_adapter.user_session import UserSession
from mim.whatsapp_adapter.session import WhatsAppSession

WITHIN_S = 20.0
INSTANCE = "5f0c1d3e-0000-4000-8000-000000000042"
Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of account."""

    provider: Provider
    login: LoginKind | None = None


ACCOUNTS = {
    "whatsapp": Kind(Provider.WHATSAPPWEB),
    "telegram bot": Kind(Provider.TELEGRAM, LoginKind.BOT),
    "telegram user": Kind(Provider.TELEGRAM, LoginKind.USER),
}


class Recorder:
    """A session context that keeps what is reported."""

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str],
        secrets: dict[str, str] | None = None,
        login: LoginKind | None = None,
    ) -> None:
        self.instance_id, self.login = INSTANCE, login
        self.epoch, self.login_epoch = 1, 0
        secrets = {} if secrets is None else secrets
        self.settings, self.secrets, self.data_dir = settings, secrets, data_dir
        data_dir.mkdir(mode=0o700)
        self.log = structlog.wrap_logger(None, processors=[self._drop], wrapper_class=structlog.BoundLogger)
        self.kept: dict[tuple[str, str], MessageRow] = {}
        self.outliving: list[asyncio.Task[None]] = []
        self._reported: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def _drop(self, *_: object) -> Mapping[str, Any]:
        raise structlog.DropEvent

    async def turn_to_link(self) -> None:
        """There is always room."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        return file_of(media, self.instance_id, self.data_dir, Limits.of(self.settings, most_bytes), None)

    def proved(self) -> None:
        """Nobody asks here."""

    async def stored(self, chat_id: str, messenger_id: str) -> MessageRow | None:
        """What was noted by `keep`."""
        return self.kept.get((chat_id, messenger_id))

    def keep(self, sent: SentMessage, text: str) -> None:
        """Have a message that was sent as the message store has it."""
        file = sent.media
        media = file and MediaRow(
            kind=file.kind,
            mimeType=file.mime_type,
            fileName=file.file_name,
            sizeBytes=file.size_bytes,
            reference=file.reference,
        )
        about = {"id": sent.messenger_id, "chatId": sent.chat_id, "body": text, "type": file.kind if file else "text"}
        nobody = {"messageId": None, "contact": None, "contactId": None, "replyTo": None, "forwarded": False}
        state = {"fromMe": True, "isGroup": False, "timestamp": self.now(), "status": "sent", "reactions": {}}
        row = MessageRow(**about, **nobody, **state, edited=False, deleted=False, media=media)
        self.kept[(sent.chat_id or "", sent.messenger_id)] = row

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        self._reported.put_nowait(("qr_ready", (code, expires_at)))

    async def login_step(self, step: LoginStep) -> None:
        self._reported.put_nowait(("login_step", step))

    async def keep_login(self, login: str | None) -> None:
        self.secrets.pop("login", None)
        if login is not None:
            self.secrets["login"] = login

    async def authenticated(self, account: Account) -> None:
        self._reported.put_nowait(("authenticated", account))

    async def client_ready(self, account: Account) -> None:
        self._reported.put_nowait(("client_ready", account))

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        self._reported.put_nowait(("reconnecting", (code, message)))

    async def received(self, message: IncomingMessage) -> None:
        self._reported.put_nowait(("received", message))

    def outlive(self, work: Coroutine[Any, Any, None]) -> None:
        self.outliving.append(asyncio.create_task(work))

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

    kind: Kind
    recorder: Recorder
    session: Session
    chat: str
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def can(self, word: str) -> bool:
        """Whether the provider says that it can do this."""
        return word in PROVIDERS[self.kind.provider].can(self.kind.login)

    async def send(self, **content: Any) -> SentMessage:
        """Let the account say or do something in the person's chat."""
        message = SendMessage(
            id=f"m-{next(self._ids)}",
            instance_id=INSTANCE,
            provider=self.kind.provider,
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

    async def reads(self) -> tuple[str, ...]:
        """The person reads the chat; which receipts there will be."""
        return ("delivered", "read")

    @property
    @abstractmethod
    def person_id(self) -> str:
        """The person as a participant of groups."""

    @property
    @abstractmethod
    def third(self) -> str:
        """Somebody else who can be added to a group."""

    @abstractmethod
    async def has_group(self, title: str) -> str:
        """A group of the person's in which the account is an admin; its id."""

    @abstractmethod
    async def says_in(self, group: str, text: str) -> None:
        """The person writes in a group."""

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
        fields: Json = {}
        text = content.get("text")
        if "media" in content:
            kind, text, given = content["media"]["kind"], None, content["media"]["content"]
            file_id = self.emulator.keep_file(given)
            file = {"file_id": file_id, "file_unique_id": file_id[-12:], "file_size": len(given)}
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

    @property
    def person_id(self) -> str:
        return self.chat

    @property
    def third(self) -> str:
        return "1003"

    async def has_group(self, title: str) -> str:
        people = {int(self.chat): "Anna", int(self.third): "Carol"}
        return str(self.emulator.add_group(self.bot, -1001234, title, people)["id"])

    async def says_in(self, group: str, text: str) -> None:
        self.emulator.say(self.bot, group, text)

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
            forwarded=more.get("forwarded", False),
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

    @property
    def person_id(self) -> str:
        return self.other

    @property
    def third(self) -> str:
        return "15550003333"

    async def has_group(self, title: str) -> str:
        phones, changes = self.emulator.phones, self.emulator.group_changes
        own, other = phones.get(self.own), phones.get(self.other)
        group = await changes.create(title, other, [own])
        await changes.change("promote", group, other, [own])
        return str(group.jid)

    async def says_in(self, group: str, text: str) -> None:
        found = self.emulator.groups.get(Jid(group.partition("@")[0], "g.us"))
        await self.emulator.messages.to_group(self.emulator.phones.get(self.other), found, {"text": text})

    def saw(self, kind: MessageKind, target: str = "") -> bool:
        events = self.emulator.messages.events
        if kind is MessageKind.TYPING:
            return any(event["type"] == "typing" for event in events)
        return any(event.get("kind") == "read" and event.get("message_id") == target for event in events)


@dataclass(kw_only=True)
class TelegramUser(Messenger):
    """A person's account, and another person at a real client of their own."""

    emulator: MTProtoEmulator
    own: Person
    person: Person
    client: Any
    noticed: set[MessageKind] = field(default_factory=set)
    theirs: dict[str, int] = field(default_factory=dict)

    def shown(self, sent: SentMessage | str) -> Shown:
        identity = sent if isinstance(sent, str) else sent.messenger_id
        if identity not in self.theirs:
            self.theirs[identity] = self._their_id(identity)
        inbox = messages_of(self.emulator.world, self.person, sent=False)
        found = next((each for each in inbox if each["id"] == self.theirs[identity]), None)
        if found is None:
            return Shown(text="", deleted=True)
        media = found.get("media") or {}
        kind = "image" if media.get("kind") == "photo" else media.get("kind")
        return Shown(
            text=found["text"],
            media=media | {"kind": kind} if "sha256" in media else None,
            location=(media["latitude"], media["longitude"]) if kind in ("location", "venue") else None,
            contact=media.get("first_name"),
            options=media.get("options"),
            reply_to=self._own_id(found["reply_to"]) if "reply_to" in found else None,
            forwarded="forwarded_from" in found,
            edited="edited" in found,
            reaction="".join("".join(emojis) for emojis in found.get("reactions", {}).values()),
        )

    def _their_id(self, identity: str) -> int:
        """The person's own id of a message that the account knows by another: each box counts for itself."""
        return int(self.own.box.copies[int(identity)].post.copies[self.person.id])

    def _own_id(self, theirs: int) -> str:
        return str(self.person.box.copies[theirs].post.copies[self.own.id])

    async def says(self, **content: Any) -> str:
        peer, text = await self.client.get_input_entity("own_account"), content.get("text", "")
        if "media" in content:
            said = await self.client.send_file(peer, **_telethon_file(content["media"]), caption=text)
        elif "location" in content:
            spot = types.InputGeoPoint(content["location"]["latitude"], content["location"]["longitude"])
            said = await self.client.send_file(peer, types.InputMediaGeoPoint(spot))
        elif "contact" in content:
            card = content["contact"]
            said = await self.client.send_file(peer, types.InputMediaContact(card["phone"], card["name"], "", ""))
        elif "poll" in content:
            said = await self.client.send_file(peer, _telethon_poll(content["poll"]))
        else:
            reply = self._their_id(content["reply_to"]) if "reply_to" in content else None
            said = await self.client.send_message(peer, text, reply_to=reply)
        return self._own_id(said.id)

    async def does(self, kind: str, target: str, text: str = "") -> None:
        peer, mine = await self.client.get_input_entity("own_account"), self._their_id(target)
        if kind == "edit":
            await self.client.edit_message(peer, mine, text)
        elif kind == "delete":
            await self.client.delete_messages(peer, [mine], revoke=True)
        else:
            reaction = [types.ReactionEmoji(text)]
            await self.client(functions.messages.SendReactionRequest(peer, mine, reaction=reaction))

    async def reads(self) -> tuple[str, ...]:
        await self.client.send_read_acknowledge("own_account")
        return ("read",)  # Telegram does not tell when a message arrived

    @property
    def person_id(self) -> str:
        return str(self.person.id)

    @property
    def third(self) -> str:
        return "@carol_c"

    async def has_group(self, title: str) -> str:
        own = await self.client.get_input_entity("own_account")
        updates = await self.client(functions.channels.CreateChannelRequest(title, "", megagroup=True))
        group = updates.chats[0]
        await self.client(functions.channels.InviteToChannelRequest(group, [own]))
        await self.client.edit_admin(group, own, invite_users=True, ban_users=True, add_admins=True)
        return str(utils.get_peer_id(group))

    async def says_in(self, group: str, text: str) -> None:
        await self.client.get_dialogs()
        await self.client.send_message(int(group), text)

    def saw(self, kind: MessageKind, target: str = "") -> bool:
        del target  # a chat is read up to a message
        return kind in self.noticed

    async def notice(self, update: Any) -> None:
        """What the person's client is told."""
        if isinstance(update, types.UpdateUserTyping):
            self.noticed.add(MessageKind.TYPING)
        if isinstance(update, types.UpdateReadHistoryOutbox):
            self.noticed.add(MessageKind.READ)


@asynccontextmanager
async def connected(kind: Kind, folder: Path) -> AsyncIterator[Messenger]:
    """An account that is ready."""
    if kind.provider is Provider.WHATSAPPWEB:
        make = _whatsapp
    else:
        make = _telegram_user if kind.login is LoginKind.USER else _telegram_bot
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
                kind=ACCOUNTS["telegram bot"], recorder=recorder, session=session, chat="1001", emulator=emulator
            )


@asynccontextmanager
async def _telegram_user(folder: Path) -> AsyncIterator[Messenger]:
    async with mtproto.serve() as emulator:
        own = emulator.world.people.add(phone="15550001111", name="Own Account", username="own_account")
        person = emulator.world.people.add(phone="15550002222", name="Bob", username="bob_b")
        emulator.world.people.add(phone="15550003333", name="Carol", username="carol_c")
        recorder = Recorder(folder / "session", user_settings(emulator, folder), login=LoginKind.USER)
        session = UserSession(recorder)
        async with _client_of(emulator, person) as client, _running(session):
            url, _ = await recorder.next("qr_ready")
            emulator.world.scan(token_of(url), own)
            await recorder.next("client_ready")
            account = TelegramUser(
                kind=ACCOUNTS["telegram user"],
                recorder=recorder,
                session=session,
                chat="@bob_b",
                emulator=emulator,
                own=own,
                person=person,
                client=client,
            )
            client.add_event_handler(account.notice, events.Raw)
            yield account


def user_settings(emulator: MTProtoEmulator, folder: Path) -> dict[str, str]:
    """The settings of a session of a person's account."""
    (folder / "server.pub").write_text(emulator.public_pem)
    return {
        "telegram_api_id": "1",
        "telegram_api_hash": "any",
        "telegram_dc": f"127.0.0.1:{emulator.port}",
        "telegram_dc_key_file": str(folder / "server.pub"),
        "media_private": "true",
    }


@asynccontextmanager
async def _client_of(emulator: MTProtoEmulator, person: Person) -> AsyncIterator[Any]:
    """A client of somebody who is logged in."""
    mtproto.trust(emulator.public_pem)
    client = TelegramClient(mtproto.session_at(emulator.port), 1, "any", flood_sleep_threshold=0)
    await client.connect()
    qr = await client.qr_login()
    waiting = asyncio.create_task(qr.wait(WITHIN_S))
    await asyncio.sleep(0)
    emulator.world.scan(qr.token, person)
    await waiting
    try:
        yield client
    finally:
        await client.disconnect()


def _telethon_file(media: Json) -> Json:
    file = io.BytesIO(media["content"])
    file.name = media.get("name") or "file"
    attributes: list[Any] = []
    kind = media["kind"]
    if kind == "sticker":
        attributes = [types.DocumentAttributeSticker("", types.InputStickerSetEmpty())]
    elif kind == "video":
        attributes = [types.DocumentAttributeVideo(0, 1, 1)]
    elif kind in ("audio", "voice"):
        attributes = [types.DocumentAttributeAudio(0, voice=kind == "voice")]
    options = {"attributes": attributes, "mime_type": media["content_type"], "force_document": kind == "document"}
    return {"file": file, "voice_note": kind == "voice", **options}


def _telethon_poll(poll: Json) -> Any:
    answers = [
        types.PollAnswer(types.TextWithEntities(option, []), bytes([index]))
        for index, option in enumerate(poll["options"])
    ]
    return types.InputMediaPoll(types.Poll(1, types.TextWithEntities(poll["question"], []), answers, 0))


@asynccontextmanager
async def _whatsapp(folder: Path) -> AsyncIterator[Messenger]:
    async with whatsapp.serve(folder / "whatsapp") as emulator:
        settings = {
            "whatsapp_proxy_url": emulator.proxy_url,
            "whatsapp_ca_file": str(emulator.ca_file),
            "whatsapp_child_wrapper": f"-m mim.emulators.whatsapp.trust {emulator.root_file}",
            "media_private": "true",
        }
        recorder = Recorder(folder / "session", settings)
        session = WhatsAppSession(recorder)
        account = WhatsAppAccount(
            kind=ACCOUNTS["whatsapp"], recorder=recorder, session=session, chat="+1 555 000 2222", emulator=emulator
        )
        emulator.phones.get(account.other, "Bob")
        emulator.phones.get(account.third, "Carol")
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
