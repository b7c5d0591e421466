"""The client library, as the child uses it: calls made one after the other, events told in our words in their order."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import importlib
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mim.whatsapp_adapter.group_info import as_in_group, changed_of, group_of
from mim.whatsapp_adapter.incoming import (
    PHONE_SERVER,
    Fields,
    group_changes,
    joined_group,
    message_events,
    name,
    name_chat,
    people,
    receipts,
    size_of,
)
from mim.whatsapp_adapter.outgoing import UPLOADED_AS, Author, attach, bare, compose, point

log = logging.getLogger(__name__)

_MEMBERS_S = 3.0
_QUIET_S = 0.1
_MOST_NAMES = 10_000  # remembered; the library's own store knows all
_CLIENT = "session"  # the library's name for its only client in this process


class Library:
    """The client library, its calls made one after the other: concurrent ones can abort the process."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._calls = asyncio.Lock()
        self._telling_now = asyncio.Lock()  # locks are fair: who came first tells first
        self._heard_at = 0.0
        self._phones: dict[str, str] = {}
        self._lids: dict[str, str] = {}
        self._client: Any = None
        self._types: Any = None

    def start(self, db: str, proxy: str | None) -> Awaitable[None]:
        """Connect. Returns what ends when the connection does, with the library's error if there was one."""
        self._types = importlib.import_module("neonize.aioze.client")
        importlib.import_module("neonize.utils.log").log.setLevel(logging.WARNING)
        self._client = self._types.NewAClient(db, uuid=_CLIENT)
        self._subscribe(importlib.import_module("neonize.aioze.events"))
        self._watch_login()
        settings = self._types.ProxySettings(proxy_address=proxy) if proxy else None
        return self._connect(settings)

    async def _connect(self, settings: Any) -> None:
        task = await self._client.connect(settings)
        await task

    async def send(self, to: str, content: Fields, prepared: str | None) -> Fields:
        """Say or do what `content` says (`outgoing.compose`), or send what is ready: uploaded, or forwarded."""
        # Always a whole message: given a string, the library would look for mentions and ask WhatsApp about groups.
        message, author = self._types.Message(), self._author()
        if prepared is None:
            compose(message, content, to, author)
        else:
            message.ParseFromString(base64.b64decode(prepared))
            point(message, content, to, author)
        async with self._calls:
            response = await self._client.send_message(to, message)
        return {"message_id": response.ID}

    async def read(self, chat: str, sender: str, message_id: str) -> None:
        """Mark a message as read."""
        kinds = importlib.import_module("neonize.utils.enum").ReceiptType
        where, who = self._jid(chat), self._jid(sender)
        async with self._calls:
            await self._client.mark_read(message_id, chat=where, sender=who, receipt=kinds.READ)

    async def typing(self, chat: str) -> None:
        """Show that somebody types; WhatsApp takes it away by itself."""
        enum = importlib.import_module("neonize.utils.enum")
        what = enum.ChatPresence.CHAT_PRESENCE_COMPOSING, enum.ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT
        async with self._calls:
            await self._client.send_chat_presence(self._jid(chat), *what)

    def _author(self) -> Author:
        account = self._account()
        address = f"{account['lid']}@lid" if account["lid"] else f"{account['phone_number']}@s.whatsapp.net"
        return Author(address, int(time.time() * 1000), os.urandom(32))

    def _jid(self, address: str) -> Any:
        user, _, server = address.partition("@")
        return importlib.import_module("neonize.utils.jid").build_jid(user, server)

    async def upload(self, path: str, kind: str, **about: str) -> str:
        """Encrypt and upload a file. Returns the message that shows it, for `send`."""
        # Not the library's `build_…_message`: those need ffmpeg and Pillow for thumbnails, and guess types by libmagic.
        as_kind = UPLOADED_AS.get(kind, kind)
        content = await asyncio.to_thread(Path(path).read_bytes)
        kinds = importlib.import_module("neonize.utils.enum").MediaType
        async with self._calls:
            uploaded = await self._client.upload(content, kinds[f"Media{as_kind.capitalize()}"])
        message = self._types.Message()
        attach(message, uploaded, kind=kind, **about)
        return base64.b64encode(message.SerializeToString()).decode()

    async def download(self, message: str, path: str, most_bytes: int) -> None:
        """Write the file that a message came with. Raises: ValueError if it is larger than `most_bytes`."""
        whole = bare(self._types.Message.FromString(base64.b64decode(message)))
        if size_of(whole) > most_bytes:
            raise ValueError("the file is too large")
        async with self._calls:
            content = await self._client.download_any(whole)
        await asyncio.to_thread(Path(path).write_bytes, content)

    async def pairing_code(self, phone: str) -> str:
        """Ask for a code with which the phone can link this client instead of scanning."""
        async with self._calls:
            code: str = await self._client.PairPhone(phone, show_push_notification=True)
        return code

    async def groups(self) -> list[Fields]:
        """The groups that the account belongs to."""
        async with self._calls:
            found = await self._client.get_joined_groups()
        return [await self._group(info) for info in found]

    async def group(self, group: str) -> Fields:
        """One group."""
        async with self._calls:
            info = await self._client.get_group_info(self._jid(group))
        return await self._group(info)

    async def create_group(self, title: str, members: list[str]) -> Fields:
        """Make a group with these people and the account itself."""
        async with self._calls:
            info = await self._client.create_group(title, [self._jid(member) for member in members])
        return await self._group(info)

    async def participants(self, group: str, change: str, members: list[str]) -> list[Fields]:
        """Add, remove, promote or demote people; each of them with the code why it was not done, if so."""
        changes = importlib.import_module("neonize.utils.enum").ParticipantChange
        where, whom = self._jid(group), [self._jid(member) for member in members]
        async with self._calls:
            if change != "add":
                # Members go by the name that the group has for them, hidden or not.
                whom = as_in_group(await self._client.get_group_info(where), whom)
            found = await self._client.update_group_participants(where, whom, changes(change))
            # What is written next goes to these: the notification may be later than that. The change is made already.
            with suppress(Exception):
                async with asyncio.timeout(_MEMBERS_S):
                    await self._client.get_group_info(where)
        return await self._named([changed_of(each, change) for each in found])

    async def invite(self, group: str, *, renew: bool) -> str:
        """The link by which people come into a group; `renew` makes the present one useless."""
        async with self._calls:
            link: str = await self._client.get_group_invite_link(self._jid(group), renew)
        return link

    async def _group(self, info: Any) -> Fields:
        group = group_of(info)
        await self._named(group["participants"])
        return group

    async def _named(self, persons: list[Fields]) -> list[Fields]:
        for person in persons:
            name(person, *await self._names(person["phone_number"], person["lid"]))
        return persons

    async def logout(self) -> None:
        """Unlink this device."""
        async with self._calls:
            await self._client.logout()

    async def ping(self) -> None:
        """Make a round trip to WhatsApp: the smallest query that changes nothing and is never cached."""
        async with self._calls:
            await self._client.get_status_privacy()

    async def close(self) -> None:
        """Disconnect, and tell what has come. The library's own `stop` is no use: it writes shared maps while others
        read them."""
        if self._client is None or not self._client.connected:
            return
        await self._client.disconnect()
        # It has told WhatsApp that it took a message before it tells us of it.
        self._heard_at = time.monotonic()
        while self._telling_now.locked() or time.monotonic() - self._heard_at < _QUIET_S:  # noqa: ASYNC110 - an end is not told
            await asyncio.sleep(_QUIET_S / 4)

    def _subscribe(self, kinds: Any) -> None:
        say = self._say

        def on(kind: Any, tell: Callable[[Any], None]) -> None:
            async def handler(_client: object, event: Any) -> None:
                try:
                    tell(event)
                except Exception:
                    log.exception("an event of the library was not understood")

            self._client.event(kind)(handler)

        def reason(event: Any) -> str:
            return str(reasons.Name(event.Reason)).lower()

        reasons = importlib.import_module("neonize.proto.Neonize_pb2").ConnectFailureReason
        on(kinds.PairStatusEv, self._on_pair_status)
        on(kinds.ConnectedEv, lambda _: say("connected", **self._account()))
        on(kinds.DisconnectedEv, lambda _: say("disconnected"))
        on(kinds.LoggedOutEv, lambda event: say("logged_out", reason=reason(event)))
        on(kinds.StreamReplacedEv, lambda _: say("replaced"))
        on(kinds.TemporaryBanEv, lambda event: say("banned", expires_in_s=event.Expire))
        on(kinds.ClientOutdatedEv, lambda _: say("outdated"))
        on(kinds.ConnectFailureEv, lambda event: say("refused", message=f"{reason(event)} {event.Message}".strip()))
        on(kinds.KeepAliveTimeoutEv, lambda _: say("silent"))
        self._client.event(kinds.MessageEv)(self._telling(message_events))
        self._client.event(kinds.ReceiptEv)(self._telling(receipts))
        self._client.event(kinds.GroupInfoEv)(self._telling(group_changes))
        self._client.event(kinds.JoinedGroupEv)(
            self._telling(lambda event: [joined_group(event, self._account(), time.time())])
        )

    def _telling(self, read: Callable[[Any], list[tuple[str, Fields]]]) -> Callable[[object, Any], Awaitable[None]]:
        """A handler that tells what `read` makes of an event, in the order in which events came."""

        async def handler(_client: object, event: Any) -> None:
            self._heard_at = time.monotonic()
            try:
                async with self._telling_now:
                    for what, fields in read(event):
                        await self._named(people(fields))
                        name_chat(fields)
                        self._say(what, **fields)
            except Exception:
                log.exception("an event of the library was not understood")

        return handler

    async def _names(self, phone: str | None, lid: str | None) -> tuple[str | None, str | None]:
        """Both names of somebody, the missing one from what the library has learned."""
        if phone and lid:
            if len(self._phones) >= _MOST_NAMES:
                self._phones, self._lids = {}, {}
            self._lids[phone], self._phones[lid] = lid, phone
        elif lid and not phone:
            phone = self._phones.get(lid) or await self._looked_up("get_pn_from_lid", lid, "lid")
        elif phone:
            lid = self._lids.get(phone) or await self._looked_up("get_lid_from_pn", phone, PHONE_SERVER)
        return phone, lid

    async def _looked_up(self, question: str, user: str, server: str) -> str | None:
        async with self._calls:
            try:
                found = await getattr(self._client, question)(self._jid(f"{user}@{server}"))
            except Exception:  # noqa: BLE001 - it is simply not known, in the library's own ways to say so
                return None
        return str(found.User) or None

    def _watch_login(self) -> None:
        loop = asyncio.get_running_loop()

        async def on_qr(_client: object, code: bytes) -> None:
            self._say("qr", code=code.decode())

        def on_login(_uuid: int, outcome: int) -> None:
            # Called on a thread of the library's.
            text = ctypes.string_at(outcome).decode()
            loop.call_soon_threadsafe(lambda: self._say("login", outcome=text))

        self._client.event.qr(on_qr)
        # The library reports the end of the QR codes and a wish for a passkey only here, and offers no other way in.
        self._client._NewAClient__onLoginStatus = on_login  # noqa: SLF001

    def _on_pair_status(self, event: Any) -> None:
        if event.Error:
            self._say("pair_failed", message=event.Error)
        else:
            self._say("paired", phone_number=event.ID.User)

    def _account(self) -> Fields:
        # `me` was told by the library before it reported the connection; asking for it on a client that never
        # connected would abort the process.
        me = self._client.me
        return {
            "phone_number": me.JID.User if me else "",
            "lid": me.LID.User if me else "",
            "push_name": (me.PushName or me.BussinessName) if me else "",
        }
