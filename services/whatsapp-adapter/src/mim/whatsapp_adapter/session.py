"""One WhatsApp account's live link: a supervised child process, and what its events mean for the instance.

The library reports nothing when QR codes run out, when a reconnect after pairing fails, or when WhatsApp falls silent,
so every phase in which something has to happen has a deadline here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mim.contracts.errors import ErrorCode, MimError, NotReady, SessionEnded
from mim.contracts.messages import SendMessage
from mim.contracts.values import Account, Contact, IncomingMessage
from mim.runtime.session import SentMessage, SessionContext
from mim.whatsapp_adapter.endings import FIRST_QR, NEXT_QR, ending, login_ending, qr_expired, unreachable
from mim.whatsapp_adapter.messages import recipient, send_failure
from mim.whatsapp_adapter.process import ChildEndedError, ChildProcess, Fields

DATABASE = "session.sqlite3"

_QR_GRACE = timedelta(seconds=5)

_CONNECT_WITHIN_S = 60.0
_SEND_WITHIN_S = 60.0
_LOGOUT_WITHIN_S = 10.0
_CODE_WITHIN_S = 20.0


@dataclass(frozen=True)
class _Deadline:
    """Until when something must happen, and what it means if it does not."""

    at: float
    otherwise: SessionEnded


class WhatsAppSession:
    """Implements `mim.runtime.session.Session`.

    Settings: `whatsapp_proxy_url`, `whatsapp_ca_file`, `whatsapp_child_wrapper` (arguments put before the child's
    module name; sandbox only), `whatsapp_ping_s` (seconds between proofs of life, default 60) and
    `whatsapp_ping_within_s` (how long one may take, default 20). The instance's secret `proxy` goes before the setting.
    """

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._child: ChildProcess | None = None
        self._ready = asyncio.Event()
        self._authenticated = False
        self._leaving = False
        self._login_gone = False
        self._qr_shown_at: datetime | None = None
        self._deadline: _Deadline | None = None
        self._handlers: dict[str, Callable[[Fields], Awaitable[None]]] = {
            "qr": self._on_qr,
            "login": self._on_login,
            "paired": self._on_paired,
            "connected": self._on_connected,
            "disconnected": self._on_disconnected,
            "incoming": self._on_incoming,
        }

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.pid if self._child else None

    async def run(self) -> None:
        """Connect, log in, stay connected, report."""
        database = self._database()
        child = self._child = await ChildProcess.spawn(self._context.settings, self._context.log)
        tasks = [asyncio.create_task(self._follow(child)), asyncio.create_task(self._prove(child))]
        try:
            self._must_happen(_CONNECT_WITHIN_S, unreachable("WhatsApp did not answer: check network and proxy"))
            await child.tell("start", db=str(database), proxy=self._proxy())
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            next(task for task in tasks if task in done).result()
        except ChildEndedError as error:
            raise NotReady(ErrorCode.SESSION_CRASHED, str(error)) from None
        finally:
            self._child = None
            self._ready.clear()
            for task in tasks:
                task.cancel()
            await child.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._login_gone:
                _remove(database)

    async def send(self, message: SendMessage) -> SentMessage:
        """Send one text and return WhatsApp's id for it."""
        to = recipient(message.to)
        child = self._child
        if child is None or not self._ready.is_set():
            raise NotReady(ErrorCode.NOT_READY, "the account is not connected to WhatsApp at the moment")
        try:
            answer = await child.ask("send", _SEND_WITHIN_S, to=to, text=message.text)
        except (TimeoutError, ChildEndedError) as error:
            why = str(error) or f"no answer within {_SEND_WITHIN_S:.0f} s"
            raise MimError(ErrorCode.UNCERTAIN, f"it is open whether the message was sent: {why}") from None
        if answer["event"] == "failed":
            raise send_failure(answer["message"])
        self._context.proved()
        return SentMessage(messenger_id=answer["message_id"], chat_id=to)

    async def logout(self) -> None:
        """Unlink the device at WhatsApp, if connected."""
        child = self._child
        if child is None or not self._ready.is_set():
            return
        self._leaving = True
        await self._ask(child, "logout", _LOGOUT_WITHIN_S)

    async def pairing_code(self, phone: str) -> str:
        """A code of eight characters that links the phone with this number instead of a QR code.

        It is good for as long as QR codes are shown. Raises: NotReady if none is shown now.
        """
        child = self._child
        if child is None or self._qr_shown_at is None or self._authenticated:
            raise NotReady(
                ErrorCode.NOT_READY, "a pairing code can be had while a QR code is shown: start the instance"
            )
        number = recipient(phone).partition("@")[0]
        code: str = (await self._ask(child, "pairing_code", _CODE_WITHIN_S, phone=number))["code"]
        return code

    async def _ask(self, child: ChildProcess, command: str, within_s: float, **fields: object) -> Fields:
        try:
            answer = await child.ask(command, within_s, **fields)
        except (TimeoutError, ChildEndedError) as error:
            raise unreachable(str(error) or f"WhatsApp did not answer within {within_s:.0f} s") from None
        if answer["event"] == "failed":
            raise NotReady(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused: {answer['message']}")
        return answer

    # ------------------------------------------------------------------------------------ what has to happen

    def _must_happen(self, within_s: float, otherwise: SessionEnded) -> None:
        self._deadline = _Deadline(asyncio.get_running_loop().time() + within_s, otherwise)

    async def _follow(self, child: ChildProcess) -> None:
        """Handle events one by one, and watch the deadline between them."""
        while True:
            deadline = self._deadline
            try:
                async with asyncio.timeout_at(deadline.at if deadline else None):
                    event = await child.next_event()
            except TimeoutError:
                if deadline is None:
                    raise
                raise deadline.otherwise from None
            self._login_gone = event["event"] == "logged_out"
            if end := ending(event):
                raise end
            handler = self._handlers.get(event["event"])
            if handler is not None:
                await handler(event)

    async def _prove(self, child: ChildProcess) -> None:
        """While connected, make a real round trip now and then: an open socket alone proves nothing."""
        settings = self._context.settings
        every_s = float(settings.get("whatsapp_ping_s", 60))
        within_s = float(settings.get("whatsapp_ping_within_s", 20))
        while True:
            await self._ready.wait()
            await asyncio.sleep(every_s)
            if not self._ready.is_set():
                continue
            try:
                answer = await child.ask("ping", within_s)
            except TimeoutError:
                raise unreachable(f"WhatsApp did not answer within {within_s:.0f} s on an open connection") from None
            if answer["event"] == "done":
                self._context.proved()

    # ------------------------------------------------------------------------------------------------ events

    async def _on_qr(self, event: Fields) -> None:
        life = FIRST_QR if self._qr_shown_at is None else NEXT_QR
        self._qr_shown_at = self._context.now()
        self._must_happen((life + _QR_GRACE).total_seconds(), qr_expired())
        await self._context.qr_ready(event["code"], self._qr_shown_at + life)

    async def _on_login(self, event: Fields) -> None:
        now = self._context.now()
        if end := login_ending(event["outcome"], now - (self._qr_shown_at or now)):
            raise end

    async def _on_paired(self, event: Fields) -> None:
        self._must_happen(_CONNECT_WITHIN_S, unreachable("WhatsApp linked the account but did not let it in"))
        await self._report_authenticated(_account(event))

    async def _on_connected(self, event: Fields) -> None:
        self._deadline = None
        account = _account(event)
        await self._report_authenticated(account)
        self._ready.set()
        self._context.proved()
        await self._context.client_ready(account)

    async def _report_authenticated(self, account: Account) -> None:
        if not self._authenticated:
            self._authenticated = True
            await self._context.authenticated(account)

    async def _on_disconnected(self, _event: Fields) -> None:
        if not self._ready.is_set() or self._leaving:
            return  # part of pairing, where the library reconnects as a linked device, or of leaving
        self._ready.clear()
        self._must_happen(_CONNECT_WITHIN_S, unreachable("the connection was lost and did not come back"))
        await self._context.reconnecting(ErrorCode.MESSENGER_UNREACHABLE, "the connection to WhatsApp was lost")

    async def _on_incoming(self, event: Fields) -> None:
        await self._context.received(_incoming(event))

    # ----------------------------------------------------------------------------------------------- settings

    def _proxy(self) -> str | None:
        return self._context.secrets.get("proxy") or self._context.settings.get("whatsapp_proxy_url") or None

    def _database(self) -> Path:
        """The file with the login's keys, for its owner's eyes only before the library first opens it."""
        folder = self._context.data_dir
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        database = folder / DATABASE
        database.touch(mode=0o600)
        database.chmod(0o600)
        return database


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _account(event: Fields) -> Account:
    number = event["phone_number"]
    return Account(
        id=f"{number}@s.whatsapp.net",
        first_name=event.get("push_name") or None,
        phone_number=number,
        lid=event.get("lid") or None,
    )


def _incoming(event: Fields) -> IncomingMessage:
    fields: dict[str, Any] = {key: event[key] for key in ("id", "chat_id", "from_me", "body", "type", "is_group")}
    contact = Contact(
        id=event["phone_number"] or event["lid"] or event["chat_id"],
        name=event["name"],
        phone_number=event["phone_number"],
        lid=event["lid"],
    )
    return IncomingMessage(**fields, timestamp=datetime.fromtimestamp(event["timestamp"], UTC), contact=contact)
