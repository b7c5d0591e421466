"""The messages that wait to be sent by the sessions of one worker: in order, once, and never silently twice.

An instance that has something to send has one durable push consumer with one message in flight; all of a worker's
consumers deliver to one inbox. A consumer costs the server 9 ms and 100 KB, so it is made when the first message comes
(every worker hears of all messages of its provider) and put down when nothing came for a while.

The consumer is also the evidence of a crash: a session that ends in order deletes it, so the next one starts with fresh
delivery counts; after a crash it is still there, and what is in flight then was perhaps sent already. Then the events
of the instance tell, and where these leave doubt the message fails as UNCERTAIN instead of being sent twice. A worker
that was cut off and goes on with an instance which nobody else has held since knows what it tried.

What became of a message that was tried is told whatever happens to its session: until it is, and the message is gone,
the consumer stays. One that was deleted by somebody else, or stands still, is made again by `look_again`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, ConsumerInfo
from nats.js.errors import APIError, NotFoundError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, Unavailable
from mim.contracts.messages import SendMessage
from mim.runtime import logs, tracing
from mim.runtime.bus import Bus
from mim.runtime.consumers import stands_still
from mim.runtime.history import age_s, count, subjects_in, was_told
from mim.runtime.service import park
from mim.runtime.streams import OUTBOX_CONSUMER_PREFIX, outbox_consumer

log = structlog.get_logger()

IDLE_S = 300.0
EMPTY_S = 0.05
KEEP_ALIVE_S = 3.0  # the consumer's ack_wait is 10 s
TOLD_S = 2.0
NAME_EXISTS, EXISTS_ACTIVE = 10013, 10105
"""nats-server's errors for a consumer that delivers to somebody else who listens, or seems to (server/errors.json)."""
Tell = Callable[[], Awaitable[None]]
Deliver = Callable[[SendMessage, bool], Awaitable[Tell]]


class Outbox:
    """One for each worker. `open(id, epoch, deliver)` starts the flow of an instance's messages to
    `deliver(message, doubt)`; what that returns is called, and repeated by itself until it has told what became of the
    message. `doubt` says that an earlier attempt may have gone through.
    """

    def __init__(self, bus: Bus, provider: str, inbox: str, idle_s: float = IDLE_S) -> None:
        self._bus = bus
        self._provider = provider
        self._inbox = inbox
        self._idle_s = idle_s
        self._deliver: dict[str, Deliver] = {}
        self._consumers: dict[str, float] = {}  # when each was last needed
        self._due: dict[str, ConsumerInfo | None] = {}  # what may wait though nothing brings it, and what was seen
        self._noticing: set[asyncio.Task[ConsumerInfo | None]] = set()
        self._making: dict[str, asyncio.Task[ConsumerInfo | None]] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._epochs: dict[str, int] = {}
        self._held: dict[str, int] = {}  # of those whose consumer delivered here, the epoch then
        self._doubtful: dict[str, int] = {}  # from which delivery on the first message was perhaps tried by others
        self._running: dict[str, asyncio.Task[None]] = {}
        self._telling: set[str] = set()
        self._finishing: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, tuple[int, datetime]] = {}  # sequence and time of the last that is done with, of each

    async def listen(self) -> None:
        """Subscribe the inbox, and hear of messages for which there is no consumer yet."""
        await self._bus.nc.subscribe(self._inbox, cb=self._arrive)
        await self._bus.nc.subscribe(subjects.messages_of(self._provider), cb=self._notice)
        self._bus.on_reconnect(self._returned)

    async def open(self, instance_id: str, epoch: int, deliver: Deliver) -> None:
        """Start the flow for an instance. Raises: Unavailable if the bus is away."""
        if (closing := self._closing.get(instance_id)) is not None:
            await asyncio.shield(closing)
        self._deliver[instance_id] = deliver
        self._epochs[instance_id] = epoch
        self._due[instance_id] = None
        if await self._is_waiting(instance_id):
            await self._consume(instance_id)

    async def close(self, instance_id: str) -> None:
        """Stop the flow in order: the message in flight is cancelled (its deliverer knows what that means), the rest
        waits for the next session.

        While the bus does not take what became of it, the consumer stays as the evidence that it was tried. It goes on
        if who called is cancelled: what is half closed looks like a crash; who calls again waits for its end.
        """
        if self._deliver.pop(instance_id, None) is not None:
            begun = self._closing[instance_id] = asyncio.create_task(self._close(instance_id))
            begun.add_done_callback(lambda _: self._closing.pop(instance_id, None))
        if (closing := self._closing.get(instance_id)) is not None:
            await asyncio.shield(closing)

    async def _close(self, instance_id: str) -> None:
        task = self._running.pop(instance_id, None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if (making := self._making.get(instance_id)) is not None:
            await asyncio.wait({making}, timeout=TOLD_S)  # or the server may make it when nobody here is left
        in_doubt = self._doubtful.pop(instance_id, None) is not None
        if in_doubt:
            self._held.pop(instance_id, None)
        is_made = self._consumers.pop(instance_id, None) is not None
        finishing = self._finishing.get(instance_id)
        if finishing is not None and not (await asyncio.wait({finishing}, timeout=TOLD_S))[0]:
            return
        if is_made:
            with suppress(nats.errors.Error, APIError, TimeoutError, OSError):
                await self._leave(instance_id, in_doubt=in_doubt)

    async def empty(self, instance_id: str, epoch: int, refuse: Deliver) -> None:
        """End the flow of an instance for good: every message that still waits goes to `refuse`. Waits for the bus."""
        await self.close(instance_id)
        await self._bus.surely(partial(self.open, instance_id, epoch, refuse))
        while await self._bus.surely(partial(self._is_waiting, instance_id)):  # noqa: ASYNC110 - the server's queue
            await asyncio.sleep(EMPTY_S)
        await self.close(instance_id)
        for kept in (self._epochs, self._held, self._told):
            kept.pop(instance_id, None)

    async def tidy(self) -> None:
        """Put down consumers that nothing came to for `idle_s`, for ever."""
        while True:
            await asyncio.sleep(self._idle_s / 5)
            oldest = asyncio.get_running_loop().time() - self._idle_s
            busy = self._running.keys() | self._finishing.keys()
            for instance_id in [key for key, at in self._consumers.items() if at < oldest and key not in busy]:
                await self._bus.surely(partial(self._put_down, instance_id))

    async def look_again(self) -> None:
        """Find what waits and nothing brings: what came while this worker was cut off, what a server that lagged
        behind did not show when the flow was opened, what lost its consumer. Raises: Unavailable if the bus does not
        answer."""
        if not self._due:
            return
        waiting = {subjects.last_token(subject) for subject in await subjects_in(self._bus, subjects.OUTBOX)}
        for instance_id in self._due.keys() - (waiting & self._deliver.keys()):
            del self._due[instance_id]
        for instance_id in self._due.keys() - self._running.keys() - self._telling:
            await self._bus.surely(partial(self._look_at, instance_id))

    async def _look_at(self, instance_id: str) -> None:
        before = self._due.get(instance_id)
        now = await self._consume(instance_id, takes_over=instance_id not in self._consumers)
        if now is not None and stands_still(before, now) and instance_id in self._due:
            log.warning("consumer_made_again", instance_id=instance_id)
            await self._delete(instance_id)
            now = await self._consume(instance_id)
        if instance_id in self._due:
            self._due[instance_id] = now

    def _returned(self) -> None:
        """The connection was away: others may have been back before, and have sent what was not heard here."""
        self._due |= dict.fromkeys(self._deliver.keys() - self._due.keys())

    async def _put_down(self, instance_id: str) -> None:
        self._consumers.pop(instance_id, None)
        try:
            await self._leave(instance_id)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot put down a consumer: {error}") from error
        if instance_id in self._deliver and await self._is_waiting(instance_id):
            await self._consume(instance_id)  # it came just then

    async def waiting(self, instance_id: str | None = None) -> tuple[int, float]:
        """How many messages of this provider, or of one instance, wait, and for how many seconds the oldest has.

        Raises: Unavailable if the bus does not answer.
        """
        all_of = subjects.messages_of(self._provider)
        subject = all_of if instance_id is None else subjects.message_command(self._provider, instance_id)
        depth = await count(self._bus, subjects.OUTBOX, subject)
        if depth == 0:
            return 0, 0.0
        return depth, await age_s(self._bus, subjects.OUTBOX, subject)

    async def _is_waiting(self, instance_id: str) -> bool:
        data, _ = await self._bus.last(subjects.OUTBOX, subjects.message_command(self._provider, instance_id))
        return data is not None

    async def _notice(self, msg: Msg) -> None:
        instance_id = subjects.last_token(msg.subject)
        if instance_id not in self._deliver:
            return
        self._due.setdefault(instance_id, None)  # until it arrives
        if instance_id not in self._consumers:
            self._consumers[instance_id] = asyncio.get_running_loop().time()
            task = asyncio.create_task(self._bus.surely(partial(self._consume, instance_id)))
            self._noticing.add(task)
            task.add_done_callback(self._noticing.discard)

    async def _consume(self, instance_id: str, *, takes_over: bool = True) -> ConsumerInfo | None:
        """See to it that there is a consumer that delivers here; None if it delivers to somebody else, or if the
        instance was given up while this waited for the bus: its next holder has the consumer then."""
        if instance_id not in self._deliver:
            return None
        if (making := self._making.get(instance_id)) is None:
            making = self._making[instance_id] = asyncio.create_task(self._make(instance_id, takes_over))
            making.add_done_callback(lambda _: self._making.pop(instance_id, None))
        return await asyncio.shield(making)

    async def _make(self, instance_id: str, takes_over: bool) -> ConsumerInfo | None:
        self._consumers[instance_id] = asyncio.get_running_loop().time()
        subject = subjects.message_command(self._provider, instance_id)
        config = outbox_consumer(instance_id, subject, self._inbox)
        try:
            epoch = self._epochs[instance_id]
            # Each epoch has one holder: who has two in a row has held the instance throughout.
            foreign = instance_id not in self._held or epoch > self._held[instance_id] + 1
            # Asked before: of one that is there the answer does not tell whether it was just made.
            if foreign and not await self._is_gone(instance_id):
                self._doubtful[instance_id] = 2  # what the last holder left may be here before the answer is
            made = await self._made(config)
            if made is not None and not made.num_ack_pending:
                self._doubtful.pop(instance_id, None)
            if made is None and takes_over:
                # The last holder is frozen, not gone: its delivery counts go with its consumer, so doubt what it has.
                former = await self._bus.js.consumer_info(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + instance_id)
                if former.num_ack_pending:
                    self._doubtful[instance_id] = 1
                await self._delete(instance_id)
                made = await self._bus.js.add_consumer(subjects.OUTBOX, config)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot open the outbox: {error}") from error
        if made is not None:
            self._held[instance_id] = epoch
        return made

    async def _made(self, config: ConsumerConfig) -> ConsumerInfo | None:
        try:
            info = await self._bus.js.add_consumer(subjects.OUTBOX, config)
        except APIError as error:
            if error.err_code not in (NAME_EXISTS, EXISTS_ACTIVE):
                raise
            return None
        # A cluster's answer is not always an error.
        return info if info.config.deliver_subject == config.deliver_subject else None

    async def _leave(self, instance_id: str, *, in_doubt: bool = False) -> None:
        """Delete the consumer, unless another worker has it by now, or what another has tried is still in flight."""
        with suppress(NotFoundError):
            info = await self._bus.js.consumer_info(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + instance_id)
            if info.config.deliver_subject == self._inbox and not (in_doubt and info.num_ack_pending):
                await self._delete(instance_id)

    async def _delete(self, instance_id: str) -> None:
        with suppress(NotFoundError):
            await self._bus.js.delete_consumer(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + instance_id)

    async def _arrive(self, msg: Msg) -> None:
        instance_id = subjects.last_token(msg.subject)
        deliver = self._deliver.get(instance_id)
        if deliver is None or instance_id in self._running or instance_id in self._telling:
            return  # not acknowledged: it comes again
        self._due.pop(instance_id, None)
        self._consumers[instance_id] = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._handle(instance_id, msg, deliver))
        self._running[instance_id] = task
        task.add_done_callback(lambda done: self._done(instance_id, done))

    def _done(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._running.get(instance_id) is task:
            del self._running[instance_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox_failed", instance_id=instance_id, exc_info=error)

    async def _handle(self, instance_id: str, msg: Msg, deliver: Deliver) -> None:
        with logs.of_instance(instance_id), tracing.consuming(msg.subject, msg.headers):
            await self._handle_one(instance_id, msg, deliver)

    async def _handle_one(self, instance_id: str, msg: Msg, deliver: Deliver) -> None:
        keeper = _Keeper(msg)
        tell: Tell | None = None
        try:
            message = await self._read(instance_id, msg)
            if message is None:
                return
            # What a server that was lost had delivered and did not arrive is not in doubt: it was not tried here.
            doubtful_from = self._doubtful.pop(instance_id, None)
            again = doubtful_from is not None and msg.metadata.num_delivered >= doubtful_from
            # Whatever became of the consumer: the first one may have been told by who had the instance before.
            asks = again or instance_id not in self._told
            if not self._is_done(instance_id, msg) and not (
                asks and await self._bus.surely(partial(was_told, self._bus, message, msg.metadata.timestamp))
            ):
                tell = await deliver(message, again)
        except asyncio.CancelledError:
            with suppress(nats.errors.Error):
                await msg.nak()
            raise
        finally:
            keeper.cancel()
        self._telling.add(instance_id)
        task = self._finishing[instance_id] = asyncio.create_task(self._finish(instance_id, msg, tell))
        task.add_done_callback(lambda done: self._finished(instance_id, done))

    def _is_done(self, instance_id: str, msg: Msg) -> bool:
        """Whether it was told already what became of a message: its consumer was lost before it was acknowledged, or
        nats-server, killed just then, has forgotten the acknowledgement. They come in their order, so what is older
        than the last one was told before it; by both marks, should the server have forgotten messages and count anew.
        """
        if instance_id not in self._told:
            return False
        sequence, timestamp = self._told[instance_id]
        return msg.metadata.sequence.stream <= sequence and msg.metadata.timestamp <= timestamp

    def _finished(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._finishing.get(instance_id) is task:
            del self._finishing[instance_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox_failed", instance_id=instance_id, exc_info=error)

    async def _finish(self, instance_id: str, msg: Msg, tell: Tell | None) -> None:
        """Tell what became of a message that was tried, and be done with it, however long the bus is away."""
        keeper = _Keeper(msg)
        try:
            if tell is not None:  # or it was found to be told, and so may the next one be
                await tell()
                self._told[instance_id] = (msg.metadata.sequence.stream, msg.metadata.timestamp)
        finally:
            keeper.cancel()
            # The next one may arrive before these tasks are reaped.
            self._running.pop(instance_id, None)
            self._telling.discard(instance_id)
        await self._bus.surely(partial(self._ack, instance_id, msg))

    async def _read(self, instance_id: str, msg: Msg) -> SendMessage | None:
        try:
            message = SendMessage.model_validate_json(msg.data)
            if message.instance_id != instance_id or message.provider != self._provider:
                raise Invalid(ErrorCode.INVALID_MESSAGE, "instance_id or provider differ from the subject")
        except (ValueError, Invalid) as error:
            reason = error
            await self._bus.surely(lambda: park(self._bus, self._bus.source, msg, reason))
            self._running.pop(instance_id, None)
            await self._bus.surely(partial(self._ack, instance_id, msg))
            return None
        return message

    async def _ack(self, instance_id: str, msg: Msg) -> None:
        if msg.is_acked:
            return
        try:
            await msg.ack_sync(timeout=2)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            if instance_id not in self._deliver and await self._is_gone(instance_id):
                return  # with the consumer of its next holder: nobody here will make it again
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the acknowledgement was not confirmed") from error

    async def _is_gone(self, instance_id: str) -> bool:
        try:
            await self._bus.js.consumer_info(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + instance_id)
        except NotFoundError:
            return True
        except (nats.errors.Error, APIError, TimeoutError, OSError):
            return False
        return False


class _Keeper:
    """Tells the server again and again that a message is being worked at. A timer: most are done before it is due."""

    def __init__(self, msg: Msg) -> None:
        self._msg = msg
        self._telling: asyncio.Task[None] | None = None
        self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._due)

    def _due(self) -> None:
        self._telling = asyncio.create_task(self._tell())
        self._wait()

    async def _tell(self) -> None:
        with suppress(nats.errors.Error, OSError):
            await self._msg.in_progress()

    def cancel(self) -> None:
        """Tell no more."""
        self._timer.cancel()
