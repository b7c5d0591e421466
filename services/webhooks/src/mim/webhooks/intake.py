"""From the event stream to the ledger: what a webhook asks for is written down before it is acknowledged.

A durable consumer delivers to all processes of this service together. What arrives is judged by a webhook that is at
least as new as what happened: the changes of an instance are in the same stream, and after one of them the read model
has to show it before anything later is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import APIError, NotFoundError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, Unavailable
from mim.contracts.messages import CloudEvent, Event, InstanceCreated, InstanceDeleted, InstanceUpdated, unwrap
from mim.runtime import metrics
from mim.runtime.bus import Bus
from mim.runtime.service import park
from mim.storage.database import surely
from mim.webhooks.hooks import Hooks
from mim.webhooks.lanes import Lanes
from mim.webhooks.ledger import Ledger, Recorded
from mim.webhooks.payload import body_of, event_name, wants

log = structlog.get_logger()
SHOWS_S = 1.0
BATCH = 256
ACK_WAIT_S = 10.0
KEEP_S = 5.0
CONSUMER = api.ConsumerConfig(
    durable_name=subjects.WEBHOOKS_DURABLE,
    deliver_subject=subjects.WEBHOOKS_INBOX,
    deliver_group=subjects.WEBHOOKS_DURABLE,
    filter_subjects=[subjects.ALL_MESSAGE_EVENTS, subjects.ALL_INSTANCE_EVENTS],
    deliver_policy=api.DeliverPolicy.NEW,
    ack_policy=api.AckPolicy.EXPLICIT,
    ack_wait=ACK_WAIT_S,
    max_ack_pending=4 * BATCH,
)


class Intake:
    """Takes events in; `lanes` hear of what is due."""

    def __init__(self, bus: Bus, ledger: Ledger, hooks: Hooks, lanes: Lanes) -> None:
        self._bus = bus
        self._ledger = ledger
        self._hooks = hooks
        self._lanes = lanes
        self._arrived: dict[int, Msg] = {}  # by sequence, so that what comes again takes no more room
        self._wake = asyncio.Event()
        self._last = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Subscribe for the length of the block, and make the consumer if there is none."""
        group = subjects.WEBHOOKS_DURABLE
        subscription = await self._bus.nc.subscribe(subjects.WEBHOOKS_INBOX, queue=group, cb=self._arrive)
        try:
            await self._bus.surely(self._provide)
            yield
        finally:
            with suppress(nats.errors.Error):  # what comes from now on is for others, or for the next start
                await subscription.unsubscribe()

    async def _arrive(self, msg: Msg) -> None:
        self._arrived[msg.metadata.sequence.stream] = msg
        self._wake.set()

    async def _provide(self) -> None:
        """The consumer as it is, or a new one that begins after what was seen. Raises: Unavailable."""
        try:
            try:
                info = await self._bus.js.consumer_info(subjects.EVENTS, subjects.WEBHOOKS_DURABLE)
            except NotFoundError:
                again = {"deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self._last + 1}
                config = CONSUMER.evolve(**again) if self._last else CONSUMER
                info = await self._bus.js.add_consumer(subjects.EVENTS, config)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the event stream cannot be followed") from error
        metrics.webhook_lag((info.num_pending or 0) + (info.num_ack_pending or 0))

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
                await self._take([(seq, self._arrived.pop(seq)) for seq in seqs])

    async def _take(self, batch: list[tuple[int, Msg]]) -> None:
        records, gone = [], []
        for seq, msg in batch:
            envelope = await self._read(msg)
            if envelope is None:
                continue
            if isinstance(envelope.data, InstanceCreated | InstanceUpdated):
                await self._hooks.shows(envelope.data.instance_id, seq, SHOWS_S)
            elif isinstance(envelope.data, InstanceDeleted):
                gone.append(envelope.data.instance_id)
            if (record := self._record(envelope, seq)) is not None:
                records.append(record)
        now = self._lanes.clock.now()
        await surely(lambda: self._ledger.add(records, now))
        for instance_id in gone:
            await surely(lambda instance_id=instance_id: self._forget(instance_id))  # type: ignore[misc]
        for instance_id in {record.instance_id for record in records}:
            self._lanes.open(instance_id)
        for _, msg in batch:
            with suppress(nats.errors.Error, OSError):  # it comes again, and is written once all the same
                await msg.ack()
        self._last = max(self._last, batch[-1][0])

    async def _read(self, msg: Msg) -> CloudEvent[Event] | None:
        """The event, if it may concern a webhook; what cannot be read is parked."""
        if not self._concerns(msg.subject):
            return None
        try:
            return unwrap(msg.data)
        except Invalid as error:
            reason = error
            await surely(lambda: park(self._bus, self._bus.source, msg, reason))
            return None

    def _concerns(self, subject: str) -> bool:
        """Whether an event is worth being read: most are of instances without a webhook."""
        hook = self._hooks.get(subjects.instance_of(subject))
        return subjects.last_token(subject) in _OF_INSTANCES or (hook is not None and hook.webhook is not None)

    def _record(self, envelope: CloudEvent[Event], seq: int) -> Recorded | None:
        event = envelope.data
        hook, name = self._hooks.get(event.instance_id), event_name(event)
        if hook is None or hook.webhook is None or name is None or not wants(hook.webhook, event):
            return None
        body = body_of(envelope, hook.provider).decode()
        return Recorded(event.instance_id, envelope.id, name, seq, body)

    async def _forget(self, instance_id: str) -> None:
        await self._ledger.forget(instance_id)
        await self._hooks.forget(instance_id)


_OF_INSTANCES = {event.name for event in (InstanceCreated, InstanceUpdated, InstanceDeleted)}
