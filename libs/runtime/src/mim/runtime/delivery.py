"""One message from the outbox to the messenger: waits for the session, tries, and tells what became of it.

A message ends as sent, failed with the reason, or uncertain where it is open whether the messenger took it; it is never
sent a second time then.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused, Rejected
from mim.contracts.messages import MessageFailed, MessageQueued, MessageSent, SendMessage
from mim.contracts.providers import check_supported
from mim.contracts.records import SessionOrder
from mim.contracts.states import Status
from mim.contracts.values import Reason
from mim.runtime import metrics
from mim.runtime.bus import Bus
from mim.runtime.media import MessageFiles
from mim.runtime.outbox import Tell
from mim.runtime.recent import Recent
from mim.runtime.sending import Sender
from mim.runtime.session import SentMessage, Session
from mim.runtime.tried import Tried

log = structlog.get_logger()
SEND_S = 60.0
LAST_WORD_S = 2.5
TELL_S = 2.0  # a shorter wait is not worth an event


class Link(Protocol):
    """The instance that a message is sent by, as it stands now."""

    order: SessionOrder
    status: Status
    reason: Reason
    ready: asyncio.Event
    """Set while messages can be sent."""
    session: Session | None
    recent: Recent
    tried: Tried
    files: MessageFiles


class Delivery:
    """Delivers the messages of one instance."""

    def __init__(self, bus: Bus, sender: Sender, link: Link) -> None:
        self._bus = bus
        self._sender = sender
        self._link = link

    async def deliver(self, message: SendMessage, doubt: bool) -> Tell:
        """Send a message; returns what tells the outcome. `doubt`: an earlier attempt may have gone through."""
        try:
            if doubt or self._link.tried.holds(message.id):
                text = "a crash left it open whether this message was sent; it was not sent again"
                raise Refused(ErrorCode.UNCERTAIN, text)
            check_supported(message.provider, self._link.order.login, message)
            outcome: MessageSent | MessageFailed = self._sent(message, await self._send(message))
        except MimError as error:
            outcome = self._failed(message, error.code, error.message)
        except asyncio.CancelledError:
            self._link.recent.told()
            raise
        return partial(self._tell, message, outcome)

    async def _send(self, message: SendMessage) -> SentMessage:
        """Wait until the session is ready, and try until it takes the message. Raises: MimError."""
        link, told = self._link, ""
        while True:
            left_s = (message.expires_at - self._bus.now()).total_seconds()
            if not link.ready.is_set():
                told = await self._waits(message, told, ErrorCode.NOT_READY, self._standing(), None)
            try:
                async with asyncio.timeout(left_s):
                    await link.ready.wait()
            except TimeoutError:
                raise Rejected(ErrorCode.NOT_READY, f"it waited too long: {self._standing()}") from None
            session = link.session
            if session is None:
                link.ready.clear()
                continue
            try:
                return await self._measured(session, message)
            except NotReady as error:
                wait_s = error.retry_after_s or 1.0
                link.tried.settle()
                if wait_s >= left_s:
                    raise
                link.recent.told()
                told = await self._waits(message, told, error.code, error.message, error.retry_after_s)
                await asyncio.sleep(wait_s)

    async def refuse(self, message: SendMessage, _doubt: bool) -> Tell:
        """Fail a message of an instance that will never send again."""
        text = "the instance was deleted before the message was sent"
        return partial(self._tell, message, self._failed(message, ErrorCode.NOT_FOUND, text))

    def _standing(self) -> str:
        return f"the instance is {self._link.status} ({self._link.reason.message})"

    async def _waits(self, message: SendMessage, told: str, code: str, text: str, wait_s: float | None) -> str:
        """Tell why a message waits, once for each cause that lasts; returns what was told last."""
        if code == told or (wait_s is not None and wait_s < TELL_S):
            return told
        event = MessageQueued(
            instance_id=message.instance_id,
            provider=message.provider,
            epoch=self._link.order.epoch,
            id=message.id,
            to=message.to,
            code=code,
            message=text,
            until=None if wait_s is None else self._bus.now() + timedelta(seconds=wait_s),
        )
        await self._bus.emit_surely(event)
        return code

    async def _measured(self, session: Session, message: SendMessage) -> SentMessage:
        began = time.monotonic()
        outcome = "sent"
        try:
            return await self._attempt(session, message)
        except MimError as error:
            outcome = error.code
            raise
        finally:
            metrics.send_done(message.provider, outcome, time.monotonic() - began)

    async def _attempt(self, session: Session, message: SendMessage) -> SentMessage:
        """One attempt, ended even if the session is being closed: from here on a message is sent or open."""
        self._link.tried.note(message.id)
        self._link.recent.sending()
        attempt = asyncio.create_task(session.send(message))
        try:
            async with asyncio.timeout(SEND_S):
                return await asyncio.shield(attempt)
        except (asyncio.CancelledError, TimeoutError) as ended:
            await asyncio.wait({attempt}, timeout=LAST_WORD_S)
            if attempt.done() and not attempt.cancelled():
                error = attempt.exception()
                if error is None:
                    return attempt.result()
                if isinstance(error, NotReady) and isinstance(ended, asyncio.CancelledError):
                    self._link.tried.settle()
                    raise  # it waits for the next session; who cancels waits for this one to end
                if isinstance(error, MimError):
                    raise error from None
            attempt.cancel()
            text = "the session was closed or silent while this message was being sent; it was not sent again"
            raise Refused(ErrorCode.UNCERTAIN, text) from None
        except MimError:
            raise
        except Exception as error:
            log.warning("send_open", message_id=message.id, error=type(error).__name__)
            text = "the messenger did not confirm this message; it was not sent again"
            raise Refused(ErrorCode.UNCERTAIN, text) from error

    def _sent(self, message: SendMessage, sent: SentMessage) -> MessageSent:
        return MessageSent(
            instance_id=message.instance_id,
            provider=message.provider,
            epoch=self._link.order.epoch,
            id=message.id,
            to=message.to,
            messenger_id=sent.messenger_id,
            chat_id=sent.chat_id,
            type=message.kind,
            body=message.summary if sent.body is None else sent.body,
            target=message.target.id if message.target else None,
            reply_to=message.reply_to.id if message.reply_to else None,
            media=self._link.files.sealed(sent.media) if sent.media else None,
        )

    def _failed(self, message: SendMessage, code: str, text: str) -> MessageFailed:
        return MessageFailed(
            instance_id=message.instance_id,
            provider=message.provider,
            epoch=self._link.order.epoch,
            id=message.id,
            to=message.to,
            code=code,
            message=text,
        )

    async def _tell(self, message: SendMessage, outcome: MessageSent | MessageFailed) -> None:
        try:
            await self._bus.emit_surely(outcome, id=f"{outcome.instance_id}/{outcome.id}/{outcome.name}")
            self._link.tried.settle()
        finally:
            self._link.recent.told()
        self._sender.resolve(outcome)
        if isinstance(outcome, MessageSent):
            if message.kind.is_message:
                self._link.recent.sent(outcome.messenger_id, message.id)
            # Not earlier: who waits for the outcome would wait for the line as well.
            log.info("message_sent", message_id=outcome.id, messenger_id=outcome.messenger_id, type=outcome.type)
