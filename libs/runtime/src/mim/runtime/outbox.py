"""The messages that wait to be sent by the sessions of one worker: in order, once, and never silently twice.

Each instance has one durable push consumer with one message in flight; all of a worker's consumers deliver to one
inbox. The consumer itself is the evidence of a crash: a session that ends in order deletes it, so the next one starts
with fresh delivery counts; after a crash it is still there, and a message that it delivers again was perhaps sent
already. Then the last `sent` event of the instance tells, and where that leaves doubt the message fails as UNCERTAIN
instead of being sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, Unavailable
from mim.contracts.messages import MessageSent, SendMessage, unwrap
from mim.runtime.bus import Bus
from mim.runtime.service import park
from mim.runtime.streams import OUTBOX_CONSUMER_PREFIX, outbox_consumer

log = structlog.get_logger()

KEEP_ALIVE_S = 3.0  # the consumer's ack_wait is 10 s
Deliver = Callable[[SendMessage, bool], Awaitable[None]]


class Outbox:
    """One for each worker. `open(id, deliver)` starts the flow of an instance's messages to `deliver(message, doubt)`;
    when that returns, the message is done. `doubt` says that an earlier attempt may have gone through."""

    def __init__(self, bus: Bus, provider: str, inbox: str) -> None:
        self._bus = bus
        self._provider = provider
        self._inbox = inbox
        self._deliver: dict[str, Deliver] = {}
        self._doubtful: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def listen(self) -> None:
        """Subscribe the inbox."""
        await self._bus.nc.subscribe(self._inbox, cb=self._arrive)

    async def open(self, instance_id: str, deliver: Deliver) -> None:
        """Start the flow for an instance. Raises: Unavailable if the bus is away."""
        self._deliver[instance_id] = deliver
        subject = subjects.message_command(self._provider, instance_id)
        config = outbox_consumer(instance_id, subject, self._inbox)
        try:
            try:
                await self._bus.js.add_consumer(subjects.OUTBOX, config)
            except APIError as error:
                if "deliver" not in (error.description or "").lower():
                    raise
                # The last holder is frozen, not gone: its delivery counts go with its consumer, so doubt the first.
                self._doubtful.add(instance_id)
                await self._delete(instance_id)
                await self._bus.js.add_consumer(subjects.OUTBOX, config)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot open the outbox: {error}") from error

    async def close(self, instance_id: str) -> None:
        """Stop the flow in order: the message in flight is cancelled (its deliverer knows what that means), the rest
        waits for the next session."""
        if self._deliver.pop(instance_id, None) is None:
            return
        task = self._running.pop(instance_id, None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with suppress(nats.errors.Error, APIError, TimeoutError, OSError):
            await self._delete(instance_id)

    async def _delete(self, instance_id: str) -> None:
        with suppress(NotFoundError):
            await self._bus.js.delete_consumer(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + instance_id)

    async def _arrive(self, msg: Msg) -> None:
        instance_id = subjects.last_token(msg.subject)
        deliver = self._deliver.get(instance_id)
        if deliver is None or instance_id in self._running:
            return  # not acknowledged: it comes again
        task = asyncio.create_task(self._handle(instance_id, msg, deliver))
        self._running[instance_id] = task
        task.add_done_callback(lambda done: self._done(instance_id, done))

    def _done(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._running.get(instance_id) is task:
            del self._running[instance_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox_failed", instance_id=instance_id, exc_info=error)

    async def _handle(self, instance_id: str, msg: Msg, deliver: Deliver) -> None:
        keeper = asyncio.create_task(_keep(msg))
        try:
            message = await self._read(instance_id, msg)
            if message is None:
                return
            again = msg.metadata.num_delivered > 1 or instance_id in self._doubtful
            self._doubtful.discard(instance_id)
            if not (again and await self._was_sent(instance_id, message.id)):
                await deliver(message, again)
        except asyncio.CancelledError:
            with suppress(nats.errors.Error):
                await msg.nak()
            raise
        finally:
            keeper.cancel()
        self._running.pop(instance_id, None)  # the next one may arrive before this task is reaped
        await self._bus.surely(lambda: self._ack(msg))

    async def _read(self, instance_id: str, msg: Msg) -> SendMessage | None:
        try:
            message = SendMessage.model_validate_json(msg.data)
            if message.instance_id != instance_id or message.provider != self._provider:
                raise Invalid(ErrorCode.INVALID_MESSAGE, "instance_id or provider differ from the subject")
        except (ValueError, Invalid) as error:
            reason = error
            await self._bus.surely(lambda: park(self._bus, self._bus.source, msg, reason))
            self._running.pop(instance_id, None)
            await self._bus.surely(lambda: self._ack(msg))
            return None
        return message

    async def _ack(self, msg: Msg) -> None:
        if msg.is_acked:
            return
        try:
            await msg.ack_sync(timeout=2)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the acknowledgement was not confirmed") from error

    async def _was_sent(self, instance_id: str, message_id: str) -> bool:
        subject = subjects.message_event(instance_id, MessageSent.name)
        data, _ = await self._bus.surely(lambda: self._bus.last(subjects.EVENTS, subject))
        envelope = unwrap(data) if data else None
        return envelope is not None and isinstance(envelope.data, MessageSent) and envelope.data.id == message_id


async def _keep(msg: Msg) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S)
        with suppress(nats.errors.Error, OSError):
            await msg.in_progress()
