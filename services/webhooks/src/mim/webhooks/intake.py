"""From the event stream to the ledger: what a webhook asks for is written down before it is acknowledged.

A durable consumer delivers to all processes of this service together. What arrives is judged by a webhook that is at
least as new as what happened: the changes of an instance are in the same stream, and after one of them the read model
has to show it before anything later is looked at.
"""

from __future__ import annotations

import structlog
from nats.aio.msg import Msg
from nats.js import api

from mim.contracts import subjects
from mim.contracts.errors import Invalid
from mim.contracts.messages import CloudEvent, Event, InstanceCreated, InstanceDeleted, InstanceUpdated, unwrap
from mim.runtime.bus import Bus
from mim.runtime.intake import Batch
from mim.runtime.service import park
from mim.storage.database import surely
from mim.webhooks.hooks import Hooks
from mim.webhooks.lanes import Lanes
from mim.webhooks.ledger import Ledger, Recorded
from mim.webhooks.payload import body_of, event_name, wants

log = structlog.get_logger()
SHOWS_S = 1.0
CONSUMER = api.ConsumerConfig(
    durable_name=subjects.WEBHOOKS_DURABLE,
    deliver_subject=subjects.WEBHOOKS_INBOX,
    deliver_group=subjects.WEBHOOKS_DURABLE,
    filter_subjects=[subjects.ALL_MESSAGE_EVENTS, subjects.ALL_INSTANCE_EVENTS],
    deliver_policy=api.DeliverPolicy.NEW,
)


class Judge:
    """Takes events in; `lanes` hear of what is due."""

    def __init__(self, bus: Bus, ledger: Ledger, hooks: Hooks, lanes: Lanes) -> None:
        self._bus = bus
        self._ledger = ledger
        self._hooks = hooks
        self._lanes = lanes

    async def take(self, batch: Batch) -> None:
        """Write down what webhooks ask for of a batch of events."""
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
