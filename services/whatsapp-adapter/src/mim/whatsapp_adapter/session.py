"""One WhatsApp account's live link: a supervised child process, and what its events mean for the instance.

The library reports nothing when QR codes run out, when a reconnect after pairing fails, or when WhatsApp falls silent,
so every phase in which something has to happen has a deadline here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mim.contracts.errors import ErrorCode, NotReady, Rejected, SessionEnded
from mim.contracts.login import LoginFieldName
from mim.contracts.messages import (
    Change,
    GroupChanged,
    MessageDeleted,
    MessageDelivered,
    MessageEdited,
    MessageReaction,
    MessageRead,
    Receipt,
)
from mim.contracts.values import Account, Restriction
from mim.runtime.bus import disk_is_full
from mim.runtime.fetch import sweep
from mim.runtime.session import SessionContext
from mim.whatsapp_adapter.endings import (
    FIRST_QR,
    LOGIN_WINDOW,
    NEXT_QR,
    ending,
    login_ending,
    no_room,
    qr_expired,
    unreachable,
)
from mim.whatsapp_adapter.groups import GroupMethods
from mim.whatsapp_adapter.login_file import LoginFile
from mim.whatsapp_adapter.messages import (
    account_of,
    download_failure,
    incoming_of,
    own_number,
    pairing_failure,
)
from mim.whatsapp_adapter.process import ChildEndedError, ChildProcess, Fields
from mim.whatsapp_adapter.sending import SendMethods

_QR_GRACE = timedelta(seconds=5)

_CONNECT_WITHIN_S = 60.0
_LOGOUT_WITHIN_S = 10.0
_DOWNLOAD_WITHIN_S = 60.0
_CODE_WITHIN_S = 20.0

_ROOM_BYTES = 64_000_000

_HAPPENINGS: dict[str, type[Receipt | Change | GroupChanged]] = {
    kind.name: kind
    for kind in (MessageDelivered, MessageRead, MessageEdited, MessageDeleted, MessageReaction, GroupChanged)
}


@dataclass(frozen=True)
class _Deadline:
    """Until when something must happen, and what it means if it does not."""

    at: float
    otherwise: SessionEnded


class WhatsAppSession(GroupMethods, SendMethods):
    """Implements `mim.runtime.session.Session`.

    Settings: `whatsapp_proxy_url`, `whatsapp_ca_file`, `whatsapp_child_wrapper` (arguments put before the child's
    module name; sandbox only), `whatsapp_ping_s` (seconds between proofs of life, default 30) and
    `whatsapp_ping_within_s` (how long one may take, default 20), `media_max_bytes`, `media_private`. The instance's
    secret `proxy` goes before the setting.
    """

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._log = context.log
        self._child: ChildProcess | None = None
        self._ready = asyncio.Event()
        self._authenticated = False
        self._leaving = False
        self._login = LoginFile(context)
        self._login_gone = False
        self._unfinished: Fields | None = None
        self._uploads = 0
        self._qr_since: datetime | None = None
        self._qr_shown_at: datetime | None = None
        self._deadline: _Deadline | None = None
        self._handlers: dict[str, Callable[[Fields], Awaitable[None]]] = {
            "qr": self._on_qr,
            "login": self._on_login,
            "paired": self._on_paired,
            "connected": self._on_connected,
            "disconnected": self._on_disconnected,
            "incoming": self._on_incoming,
            "happened": self._on_happened,
        }

    @property
    def pid(self) -> int | None:
        """The process id of the child, while there is one."""
        return self._child.pid if self._child else None

    async def run(self) -> None:
        """Connect, log in, stay connected, report."""
        login = self._login
        if disk_is_full(self._context.data_dir, _ROOM_BYTES):
            raise no_room()
        if not await login.open():
            await self._context.turn_to_link()
        sweep(self._context.data_dir)
        child = self._child = await ChildProcess.spawn(self._context.settings, self._context.log)
        works = (self._follow(child), self._prove(child), self._keep_login())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            self._must_happen(_CONNECT_WITHIN_S, unreachable("WhatsApp did not answer: check network and proxy"))
            await child.tell("start", db=str(login.database), proxy=self._proxy(), room_bytes=_ROOM_BYTES)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            next(task for task in tasks if task in done).result()
        except ChildEndedError as error:
            self._log.warning("whatsapp_ended", code=ErrorCode.SESSION_CRASHED, why=str(error))
            raise NotReady(ErrorCode.SESSION_CRASHED, str(error)) from None
        except SessionEnded as error:
            self._log.warning("whatsapp_ended", code=error.code, why=error.message)
            raise
        finally:
            self._child = None
            self._ready.clear()
            for task in tasks:
                task.cancel()
            await child.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._context.outlive(self._store(child))
            if self._login_gone:
                login.forget()
            elif self._authenticated:
                await login.hand_over()

    # -------------------------------------------------------------------------------------- asked of WhatsApp

    def _connected(self) -> ChildProcess:
        if self._child is None or not self._ready.is_set():
            raise NotReady(ErrorCode.NOT_READY, "the account is not connected to WhatsApp at the moment")
        return self._child

    async def answer_login(self, fields: Mapping[LoginFieldName, str]) -> None:
        """Raises: Rejected always."""
        del fields
        raise Rejected(ErrorCode.NOT_SUPPORTED, "WhatsApp asks for nothing but a scan, or a number for a pairing code")

    async def download(self, reference: str, path: Path, most_bytes: int) -> None:
        """Write the file of a message to `path`; see `mim.runtime.session.Session.download`."""
        child = self._connected()
        fields = {"message": reference, "path": str(path), "most_bytes": most_bytes}
        answer = await self._ask(child, "download", _DOWNLOAD_WITHIN_S, **fields)
        if answer["event"] == "failed":
            raise download_failure(answer["message"])

    async def logout(self) -> None:
        """Unlink the device at WhatsApp, if connected."""
        child = self._child
        if child is None or not self._ready.is_set():
            return
        self._leaving = True
        answer = await self._ask(child, "logout", _LOGOUT_WITHIN_S)
        if answer["event"] == "failed":
            raise NotReady(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused: {answer['message']}")

    async def pairing_code(self, phone_number: str) -> tuple[str, datetime]:
        """A code of eight characters that links the phone with this number instead of a QR code.

        It is good for as long as QR codes are shown. Raises: NotReady if none is shown now, Refused if this is no
        phone number or WhatsApp does not take it.
        """
        number, child, since = own_number(phone_number), self._child, self._qr_since
        if child is None or since is None or self._authenticated:
            raise NotReady(
                ErrorCode.NOT_READY, "a pairing code can be had while a QR code is shown: start the instance"
            )
        answer = await self._ask(child, "pairing_code", _CODE_WITHIN_S, phone=number)
        if answer["event"] == "failed":
            self._log.warning("pairing_code_refused", why=answer["message"])
            raise pairing_failure(answer["message"])
        until = since + LOGIN_WINDOW
        self._log.info("pairing_code_given", good_until=until.isoformat(timespec="seconds"))
        return answer["code"], until

    async def _ask(self, child: ChildProcess, command: str, within_s: float, **fields: object) -> Fields:
        try:
            return await child.ask(command, within_s, **fields)
        except (TimeoutError, ChildEndedError) as error:
            raise unreachable(str(error) or f"WhatsApp did not answer within {within_s:.0f} s") from None

    async def _note_ban(self, event: Fields) -> None:
        if event["event"] == "banned":
            until = self._context.now() + timedelta(seconds=event["expires_in_s"])
            await self._context.restricted(Restriction(kind="ban", scope="account", until=until))

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
                await self._note_ban(event)
                raise end
            handler = self._handlers.get(event["event"])
            if handler is not None:
                self._unfinished = event
                await handler(event)
                self._unfinished = None

    async def _store(self, child: ChildProcess) -> None:
        """Store what came in and was not stored when the session ended: the library has told WhatsApp that it was
        taken, so it would not come again. What was stored already is passed over."""
        left = [self._unfinished] if self._unfinished else []
        for event in (*left, *child.left()):
            if event["event"] == "incoming":
                await self._on_incoming(event)
            elif event["event"] == "happened":
                await self._on_happened(event)

    async def _prove(self, child: ChildProcess) -> None:
        """While connected, make a real round trip now and then: an open socket alone proves nothing."""
        settings = self._context.settings
        every_s = float(settings.get("whatsapp_ping_s", 30))
        within_s = float(settings.get("whatsapp_ping_within_s", 20))
        while True:
            await self._ready.wait()
            await asyncio.sleep(every_s)
            if not self._ready.is_set() or self._uploads:  # the question would have to wait for the upload
                continue
            try:
                answer = await child.ask("ping", within_s)
            except TimeoutError:
                raise unreachable(f"WhatsApp did not answer within {within_s:.0f} s on an open connection") from None
            if answer["event"] == "done":
                self._context.proved()

    async def _keep_login(self) -> None:
        await self._ready.wait()
        await self._login.keep_on()

    # ------------------------------------------------------------------------------------------------ events

    async def _on_qr(self, event: Fields) -> None:
        life = FIRST_QR if self._qr_shown_at is None else NEXT_QR
        self._qr_shown_at = self._context.now()
        self._qr_since = self._qr_since or self._qr_shown_at
        self._log.info("qr_shown", good_for_s=life.total_seconds())
        self._must_happen((life + _QR_GRACE).total_seconds(), qr_expired())
        await self._context.qr_ready(event["code"], self._qr_shown_at + life)

    async def _on_login(self, event: Fields) -> None:
        now = self._context.now()
        if end := login_ending(event["outcome"], now - (self._qr_shown_at or now)):
            raise end

    async def _on_paired(self, event: Fields) -> None:
        self._log.info("whatsapp_linked")
        self._must_happen(_CONNECT_WITHIN_S, unreachable("WhatsApp linked the account but did not let it in"))
        await self._report_authenticated(account_of(event))

    async def _on_connected(self, event: Fields) -> None:
        self._deadline = None
        self._log.info("whatsapp_connected")
        account = account_of(event)
        await self._report_authenticated(account)
        if self._qr_since is not None:
            await self._login.keep()  # from here on no loss of this machine costs another scan
            self._qr_since = None
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
        self._log.warning("whatsapp_disconnected")
        self._must_happen(_CONNECT_WITHIN_S, unreachable("the connection was lost and did not come back"))
        await self._context.reconnecting(ErrorCode.MESSENGER_UNREACHABLE, "the connection to WhatsApp was lost")

    async def _on_incoming(self, event: Fields) -> None:
        await self._context.received(incoming_of(event))
        self._log.info("message_received", messenger_id=event["id"], type=event["type"])

    async def _on_happened(self, event: Fields) -> None:
        fields = {key: value for key, value in event.items() if key not in ("event", "kind", "at")}
        at = datetime.fromtimestamp(event["at"], UTC)
        await self._context.happened(_HAPPENINGS[event["kind"]], at=at, **fields)

    # ----------------------------------------------------------------------------------------------- settings

    def _proxy(self) -> str | None:
        return self._context.secrets.get("proxy") or self._context.settings.get("whatsapp_proxy_url") or None
