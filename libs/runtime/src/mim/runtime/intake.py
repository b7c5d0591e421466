"""Following the event stream into a database: what a durable consumer delivers is taken in batches, and acknowledged
when it is written down. What comes again after a crash has to change nothing then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import nats.errors
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import APIError, NotFoundError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime.bus import Bus
from mim.runtime.consumers import stands_still

BATCH = 256
ACK_WAIT_S = 10.0
KEEP_S = 5.0

Batch = list[tuple[int, Msg]]
"""Messages with their place in the stream, in its order."""


class Intake:
    """`take` gets every batch; it returns when all of it is written down. `lag` is told how much is still to come.

    The consumer is made by `config` if there is none; one that is gone, or stands still, is made anew behind what was
    seen. After a batch that was not full, what comes within `gather_s` shares the next one.
    """

    def __init__(
        self,
        bus: Bus,
        config: api.ConsumerConfig,
        take: Callable[[Batch], Awaitable[None]],
        lag: Callable[[int], None],
        gather_s: float = 0.0,
    ) -> None:
        self._bus = bus
        self._config = config.evolve(ack_policy=api.AckPolicy.EXPLICIT, ack_wait=ACK_WAIT_S, max_ack_pending=4 * BATCH)
        self._take = take
        self._lag = lag
        self._gather_s = gather_s
        self._arrived: dict[int, Msg] = {}  # by sequence, so that what comes again takes no more room
        self._wake = asyncio.Event()
        self._last = 0
        self._seen: api.ConsumerInfo | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Subscribe for the length of the block, and make the consumer if there is none."""
        inbox, group = self._config.deliver_subject or "", self._config.deliver_group or ""
        subscription = await self._bus.nc.subscribe(inbox, queue=group, cb=self._arrive)
        try:
            await self._bus.surely(self._provide)
            yield
        finally:
            with suppress(nats.errors.Error):  # what comes from now on is for others, or for the next start
                await subscription.unsubscribe()

    async def keep(self) -> None:
        """See to it that the consumer stays, for ever."""
        while True:
            await asyncio.sleep(KEEP_S)
            with suppress(Unavailable):
                await self._provide()

    async def run(self) -> None:
        """Take in what arrives, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._arrived:
                seqs = sorted(self._arrived)[:BATCH]
                batch = [(seq, self._arrived.pop(seq)) for seq in seqs]
                await self._take(batch)
                for _, msg in batch:
                    with suppress(nats.errors.Error, OSError):  # it comes again, and changes nothing then
                        await msg.ack()
                self._last = max(self._last, seqs[-1])
                if len(batch) < BATCH and self._gather_s:
                    await asyncio.sleep(self._gather_s)

    async def _arrive(self, msg: Msg) -> None:
        self._arrived[msg.metadata.sequence.stream] = msg
        self._wake.set()

    async def _provide(self) -> None:
        """The consumer as it is, or a new one that begins after what was seen. Raises: Unavailable."""
        name = self._config.durable_name or ""
        try:
            try:
                info = await self._bus.js.consumer_info(subjects.EVENTS, name)
                if stands_still(self._seen, info):
                    self._last = max(self._last, info.delivered.stream_seq if info.delivered else 0)
                    await self._bus.js.delete_consumer(subjects.EVENTS, name)
                    raise NotFoundError
            except NotFoundError:
                again = {"deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self._last + 1}
                config = self._config.evolve(**again) if self._last else self._config
                info = await self._bus.js.add_consumer(subjects.EVENTS, config)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the event stream cannot be followed") from error
        self._seen = info
        self._lag((info.num_pending or 0) + (info.num_ack_pending or 0))
