"""One instance at its worker: obeys the newest order, runs sessions with backoff, turns what they raise into status.

This is the one place where NotReady, NeedsUser and Fatal become `reconnecting`, a person's next step, or `error`.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from mim.contracts.errors import ErrorCode, Fatal, NeedsUser, NotReady, SessionEnded
from mim.contracts.login import LoginStep
from mim.contracts.messages import (
    ActionRequired,
    Authenticated,
    Change,
    ClientReady,
    GroupChanged,
    InstanceEvent,
    InstanceFailed,
    InstanceRestricted,
    InstanceStopped,
    InstanceWaiting,
    LoggedOut,
    MessageReceived,
    QrReady,
    Receipt,
    Reconnecting,
)
from mim.contracts.reasons import reason_of, turn_reason
from mim.contracts.records import OrderAction, SessionOrder
from mim.contracts.states import Status, UserAction
from mim.contracts.values import Account, IncomingMessage, Reason, Restriction
from mim.runtime.admission import Doors, Turn
from mim.runtime.backoff import RECONNECT
from mim.runtime.bus import Bus
from mim.runtime.context import RunnerContext
from mim.runtime.delivery import Delivery
from mim.runtime.fetch import Limits
from mim.runtime.kept_login import KeptLogin, is_kept
from mim.runtime.media import MediaStore, MessageFiles
from mim.runtime.outbox import Outbox
from mim.runtime.outliving import Outliving
from mim.runtime.recent import Recent
from mim.runtime.restriction import Restricted
from mim.runtime.secrets import LOGIN, SecretsUnreadable
from mim.runtime.sending import Sender
from mim.runtime.session import Session, SessionFactory
from mim.runtime.store import Secrets
from mim.runtime.tried import Tried

END_S = 5.0
STEADY_S = 60.0  # a session that was ready for so long starts its backoff afresh

_ASKS: dict[str, tuple[ErrorCode, UserAction]] = {
    "input_password": (ErrorCode.PASSWORD_REQUIRED, UserAction.ENTER_PASSWORD),
    "confirm": (ErrorCode.CODE_REQUIRED, UserAction.CONFIRM_ON_PHONE),
}
_ENDINGS: dict[Status, type[InstanceEvent]] = {
    Status.LOGGED_OUT: LoggedOut,
    Status.ACTION_REQUIRED: ActionRequired,
    Status.ERROR: InstanceFailed,
}


class Runner:
    """Made by the worker for each instance that it was given an order for."""

    def __init__(
        self,
        order: SessionOrder,
        *,
        bus: Bus,
        outbox: Outbox,
        sender: Sender,
        secrets: Secrets,
        media: MediaStore,
        factory: SessionFactory,
        settings: Mapping[str, str],
        folder: Path,
        worker: str,
        proved: Callable[[str], None],
        doors: Doors,
    ) -> None:
        self.order = order
        self.status = order.status
        self.reason = order.reason
        self.account: Account | None = None
        self.observed_at: datetime | None = None
        self._bus = bus
        self._outbox = outbox
        self._secrets = secrets
        self._media = media
        self.files = MessageFiles(media, secrets, order.user_id, order.instance_id)
        self._factory = factory
        self._settings = settings
        self._folder = folder
        self._worker = worker
        self._count_proof = proved
        self._turn = Turn(doors, self._tell_place)
        self.session: Session | None = None
        self.recent = Recent(bus, order.instance_id)
        self.restricted = Restricted(order.restriction, self._tell_restriction, bus.now)
        self.tried = Tried(folder)
        self._delivery = Delivery(bus, sender, self)
        self._kept: KeptLogin | None = None
        self._task: asyncio.Task[None] | None = None
        self._ran_epoch, self._was_fenced = 0, False
        self.ready = asyncio.Event()
        self._log: FilteringBoundLogger = structlog.get_logger().bind(instance_id=order.instance_id)
        self._outliving: Outliving = Outliving(self._log)

    # ---------------------------------------------------------------------------------------------- orders

    async def obey(self, order: SessionOrder) -> None:
        """Do what an order says; returns when it is done or, for RUN, under way."""
        self.order = order
        match order.action:
            case OrderAction.RUN:
                if order.epoch > self._ran_epoch:
                    await self.end()
                    if self._was_fenced:  # the record still says what was so before the bus was away
                        message = "the worker was cut off from the bus; connecting again"
                        await self._say(self._event(Reconnecting, ErrorCode.BUS_UNAVAILABLE, message, UserAction.WAIT))
                        self._was_fenced = False
                    self._start()
            case OrderAction.HOLD:
                await self.end()
                if order.status is Status.STARTING:  # it shall stop, and nobody has said yet that it has
                    await self._say(self._event(InstanceStopped))
                else:
                    self.status, self.reason = order.status, order.reason
                await self._outbox_open()  # what waits fails with the reason when its time is over
                self.restricted.watch()
            case OrderAction.LOGOUT:
                await self._logout()
                message = "Logged out on request; start it to log in again"
                await self._say(self._event(LoggedOut, ErrorCode.REQUESTED, message, UserAction.SCAN_QR))
            case OrderAction.PURGE:
                await self._logout()
                await self._outbox.empty(order.instance_id, order.epoch, self._delivery.refuse)

    def _start(self) -> None:
        self._ran_epoch = self.order.epoch
        self.status, self.reason, self._kept = Status.STARTING, self.order.reason, None
        self._task = asyncio.create_task(self._live(self.order), name=f"session {self.order.instance_id}")

    async def end(self) -> None:
        """Close the session, if there is one; after this nothing of it runs."""
        self.ready.clear()
        self.restricted.leave()
        await self.files.leave()
        await self._outbox.close(self.order.instance_id)
        task, self._task = self._task, None
        if task is not None:
            await self._cancel(task)

    async def _cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        if not (await asyncio.wait({task}, timeout=END_S))[0]:
            self._log.error("session_does_not_end", after_s=END_S)
        if self._bus.connected:
            await self._outliving.done(END_S)

    async def fence(self) -> None:
        """This worker may have been given up: close the session so that no account is connected twice."""
        if self._task is not None:
            self.ready.clear()
            await self._cancel(self._task)  # first, because all that follows may have to wait for the bus
            await self.end()
            self._ran_epoch, self._was_fenced = 0, True

    @property
    def logged_in(self) -> bool:
        """Whether the account needs nobody to log it in, as far as is known yet."""
        return not is_kept(self.order) or (self._kept.login is not None if self._kept else self.order.resumes)

    def has_begun(self, epoch: int) -> bool:
        """Whether the run with this epoch has begun here."""
        return epoch <= self._ran_epoch

    async def _logout(self) -> None:
        session = self.session
        if session is not None:
            with suppress(Exception):
                async with asyncio.timeout(END_S):
                    await session.logout()
        await self.end()
        kept = KeptLogin(self._bus, self._secrets, self.order)
        await kept.find()
        await self._forget_login(kept)

    # --------------------------------------------------------------------------------------------- session

    async def _live(self, order: SessionOrder) -> None:
        try:
            await self._life(order)
        except Exception:  # noqa: BLE001 - logged, and told in the status
            # A defect of ours must not leave a status that nobody keeps true.
            self._log.exception("runner_crashed")
            self.ready.clear()
            message = "something broke in the worker; its log says what. Start the instance to try again"
            await self._say(self._event(InstanceFailed, ErrorCode.INTERNAL, message, UserAction.RESTART))

    async def _life(self, order: SessionOrder) -> None:
        loop = asyncio.get_running_loop()
        attempt, failing_since = 0, loop.time()
        await self._outbox_open()
        self.restricted.watch()
        while True:
            await self._turn.connect()
            began = loop.time()
            try:
                await self._run_once(order)
            except NotReady as error:
                if self.ready.is_set() and loop.time() - began > STEADY_S:
                    attempt = 0
                self.ready.clear()
                failing_since = began if attempt == 0 else failing_since
                attempt += 1
                wait_s = RECONNECT.wait_s(attempt, loop.time() - failing_since, random.random())  # noqa: S311
                if wait_s is None:
                    message = f"gave up after a day of trying: {error.message}"
                    await self._say(self._event(InstanceFailed, ErrorCode.GAVE_UP, message, UserAction.RESTART))
                    return
                if self.reason.code != error.code or self.status is not Status.RECONNECTING:
                    await self._say(self._event(Reconnecting, error.code, error.message, UserAction.WAIT))
                await asyncio.sleep(max(wait_s, error.retry_after_s or 0))
            except NeedsUser as error:
                self.ready.clear()
                kind = _ENDINGS.get(error.status, InstanceFailed)
                if error.status is Status.LOGGED_OUT:
                    await self._forget_login(self._kept)
                await self._say(self._event(kind, error.code, error.message, error.user_action))
                return
            except Fatal as error:
                self.ready.clear()
                await self._say(self._event(InstanceFailed, error.code, error.message, UserAction.RESTART))
                return

    async def _run_once(self, order: SessionOrder) -> None:
        await self._outliving.done()
        kept = KeptLogin(self._bus, self._secrets, order)
        try:
            opened = await self._opened(order, kept)
            self._kept = kept
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            session = self.session = self._factory(RunnerContext(self, opened, kept))
            await session.run()
        except SecretsUnreadable as error:
            raise Fatal(ErrorCode.INTERNAL, str(error)) from None
        except SessionEnded:
            raise
        except Exception as error:
            self._log.exception("session_crashed")
            raise NotReady(ErrorCode.SESSION_CRASHED, "the session broke off unexpectedly; trying again") from error
        finally:
            self.session = None
            self._turn.end()
        raise NotReady(ErrorCode.SESSION_CRASHED, "the session ended by itself; trying again")

    async def _opened(self, order: SessionOrder, kept: KeptLogin) -> dict[str, str]:
        """The secrets of the instance in the clear. Raises: SecretsUnreadable, NotReady if one is not to be seen."""
        place = (order.user_id, order.provider, order.instance_id)
        # Of the newest order: what was taken away since this run began is not waited for.
        opened = await self._bus.surely(lambda: self._secrets.open_all(*place, self.order.secrets))
        if is_kept(order):
            await kept.load()
            opened |= {} if kept.login is None else {LOGIN: kept.login}
        return opened

    async def _forget_login(self, kept: KeptLogin | None) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        if kept is not None and is_kept(self.order):
            with suppress(NotReady):  # what another run kept since is not this one's to forget
                await kept.keep(None)

    async def _outbox_open(self) -> None:
        order, deliver = self.order, self._delivery.deliver
        await self._bus.surely(lambda: self._outbox.open(order.instance_id, order.epoch, deliver))

    # --------------------------------------------------------------------------------------------- reports

    def _event(
        self,
        kind: type[InstanceEvent],
        code: str | None = None,
        message: str = "",
        action: UserAction = UserAction.NONE,
        **data: Any,
    ) -> InstanceEvent:
        reason = None
        if code is not None:
            reason = Reason(code=code, message=message, user_action=action, since=self._bus.now())
        return kind(
            instance_id=self.order.instance_id, epoch=self.order.epoch, actor=self._worker, reason=reason, **data
        )

    async def _say(self, event: InstanceEvent) -> None:
        if event.status is not None:
            self.status, self.reason = event.status, reason_of(event, self._bus.now())
        await self._bus.emit_surely(event)
        self._log.info("status", status=event.name, code=event.reason.code if event.reason else None)

    async def _tell_place(self, what: str, place: int) -> None:
        reason = self.reason = turn_reason(what, place, self._bus.now())
        order = self.order
        await self._bus.emit_surely(
            InstanceWaiting(
                instance_id=order.instance_id, epoch=order.epoch, actor=self._worker, reason=reason, place=place
            )
        )

    async def turn_to_link(self) -> None:
        """Wait for a place to be linked."""
        await self._turn.link()

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        """A QR code waits to be scanned."""
        self._turn.asked()
        order = self.order
        await self._say(
            QrReady(
                instance_id=order.instance_id, epoch=order.epoch, actor=self._worker, code=code, expires_at=expires_at
            )
        )

    async def login_step(self, step: LoginStep) -> None:
        """A person must enter something."""
        self._turn.asked()
        code, action = _ASKS.get(step.type, (ErrorCode.CODE_REQUIRED, UserAction.ENTER_CODE))
        await self._say(self._event(ActionRequired, code, step.instructions, action, step=step))

    async def authenticated(self, account: Account) -> None:
        """The messenger accepted the login."""
        self.account = account
        await self._say(self._event(Authenticated, account=account))

    async def client_ready(self, account: Account) -> None:
        """Messages can be sent and received."""
        self.account = account
        self.observed_at = self._bus.now()
        self.ready.set()
        self._turn.ready()
        await self._say(self._event(ClientReady, account=account))

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        """The link dropped; the library is at it."""
        self.ready.clear()
        await self._say(self._event(Reconnecting, code, message, UserAction.WAIT))

    async def received(self, message: IncomingMessage) -> None:
        """A message came in; returns when it is stored. One that was stored before is passed over."""
        if await self.recent.is_repeat(message):
            return
        message = self.files.seal(message)
        event = MessageReceived(
            instance_id=self.order.instance_id, provider=self.order.provider, epoch=self.order.epoch, message=message
        )
        # The messenger repeats what was not confirmed; the same id makes the repeat harmless.
        await self._bus.emit_surely(event, id=f"{self.order.instance_id}/{message.chat_id}/{message.id}/received")
        self.recent.received(message)
        if self._settings.get("media_download") == "at_once":
            self.files.fetch_ahead(self.session, message, self._folder, Limits.of(self._settings).max_bytes)

    @asynccontextmanager
    async def incoming_file(self, chat_id: str, message_id: str, sealed: str) -> AsyncIterator[Path]:
        """The file of a message that came in, for the length of the block. Raises: Refused, NotReady, Unavailable."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        most_bytes = Limits.of(self._settings).max_bytes
        async with self.files.get(self.session, chat_id, message_id, sealed, self._folder, most_bytes) as path:
            yield path

    async def happened(self, kind: type[Receipt | Change | GroupChanged], *, at: datetime, **fields: Any) -> None:
        """Something happened to a message or a group; returns when it is stored."""
        if issubclass(kind, Receipt):
            found = await self.recent.ids_of(fields["messenger_ids"])
            fields["ids"] = tuple(found) if any(found) else ()
        order = self.order
        event = kind(instance_id=order.instance_id, provider=order.provider, epoch=order.epoch, timestamp=at, **fields)
        # The messenger repeats what was not confirmed; the same id makes the repeat harmless.
        fingerprint = sha256(event.model_dump_json(exclude={"epoch", "ids"}).encode()).hexdigest()[:32]
        await self._bus.emit_surely(event, id=f"{order.instance_id}/{event.name}/{fingerprint}")

    async def _tell_restriction(self, restriction: Restriction | None) -> None:
        await self._bus.emit_surely(self._event(InstanceRestricted, restriction=restriction))

    async def waiting(self) -> tuple[int, float]:
        """How many messages wait to be sent, and for how many seconds the oldest has. Raises: Unavailable."""
        return await self._outbox.waiting(self.order.instance_id)
