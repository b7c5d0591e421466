"""Which orders stand at which workers.

A worker deletes its order when nothing is left to do for the instance: after a purge, and after a hand-over. Lifecycle
never deletes the order of the worker that the record names.

Several lifecycles write here, and one that was frozen or cut off may do so late, about a worker that has long lost the
instance. So every write is a compare-and-set, and an instance that goes to another worker leaves a trace at the former
one, with the new epoch, before the new one is told: whoever hears of the loss hears of the epoch no later, and who has
a record of an older epoch says nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from mim.contracts import subjects
from mim.contracts.records import InstanceRecord, OrderAction, SessionOrder
from mim.runtime.bus import Bus, Conflict
from mim.runtime.lean import lean
from mim.runtime.store import Store


class _Stand(NamedTuple):
    """What a worker is told about an instance; no order: it may be told something yet."""

    order: SessionOrder | None
    revision: int


class Orders:
    """Filled by `watch`. `changed` is called with the id of an instance whose orders changed."""

    def __init__(self, bus: Bus, changed: Callable[[str], None]) -> None:
        self._bus = bus
        self._store = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)
        self._changed = changed
        self._known: defaultdict[str, dict[str, _Stand]] = defaultdict(dict)  # by instance, by worker
        self._done: dict[str, SessionOrder] = {}  # by instance, the last one that its worker deleted
        self._heard = 0
        self.ready = asyncio.Event()

    async def watch(self) -> None:
        """Know which orders stand, for ever."""
        async for batch in self._bus.follow_bucket(subjects.ORDERS_BUCKET, subjects.ALL_ORDERS):
            for entry in batch:
                _, worker, instance_id = entry.subject.split(".")
                if entry.data is not None:
                    self._note(worker, SessionOrder.model_validate_json(entry.data), entry.seq)
                else:
                    self._note_deletion(worker, instance_id, entry.seq)
                self._heard = entry.seq
                if self.ready.is_set():  # until then everything is about to be looked at
                    self._changed(instance_id)
            if not batch:
                self.ready.set()

    def _note(self, worker: str, order: SessionOrder, revision: int) -> None:
        stands = self._known[order.instance_id]
        if worker in stands and stands[worker].revision >= revision:
            return  # what this lifecycle has written itself comes back later
        stands[worker] = _Stand(lean(order), revision)
        done = self._done.get(order.instance_id)
        if done is not None and done.boot == order.boot:
            del self._done[order.instance_id]

    def _note_deletion(self, worker: str, instance_id: str, revision: int) -> None:
        stands = self._known.get(instance_id, {})
        if worker in stands and stands[worker].revision < revision:
            order = stands.pop(worker).order
            if order is not None:
                self._done[instance_id] = order

    def is_done(self, record: InstanceRecord) -> bool:
        """Whether the worker that the record names has nothing left to do with the instance."""
        done = self._done.get(record.id)
        return done is not None and done.boot == record.boot and done.epoch >= record.worker_epoch

    def at_worker(self, record: InstanceRecord) -> OrderAction | None:
        """What the worker that the record names is told; None if nothing is known to stand there."""
        stand = self._known.get(record.id, {}).get(record.worker or "")
        if stand is None or stand.order is None or stand.order.boot != record.boot:
            return None
        return stand.order.action

    def about_to_leave(self, record: InstanceRecord) -> None:
        """The instance is about to go to another worker. That the one which the record names is told nothing, as far
        as is known, does not mean that nobody is about to tell it."""
        if record.worker is not None:
            self._known[record.id].setdefault(record.worker, _Stand(None, 0))

    async def tell(self, record: InstanceRecord, order: SessionOrder | None) -> None:
        """Let this order stand, if it is new, and none at former workers.

        Raises: Conflict if the record or what is known of the orders is behind; Unavailable.
        """
        stands = self._known[record.id]
        if any(stand.order is not None and stand.order.epoch > record.epoch for stand in stands.values()):
            raise Conflict
        formers = [worker for worker in stands if worker != record.worker]
        if record.worker is not None and order is not None:
            for former in formers:
                await self._take_back(former, order)
            if record.worker not in stands or stands[record.worker].order != order:
                await self._put(record.worker, order)
        for former in formers:
            if former in stands:
                with suppress(Conflict):  # it has deleted the order itself; that will be heard
                    key = subjects.order_key(record.provider, former, record.id)
                    await self._store.remove(key, revision=stands[former].revision)

    async def _take_back(self, worker: str, order: SessionOrder) -> None:
        stand = self._known[order.instance_id].get(worker)
        if stand is None or (stand.order is not None and stand.order.epoch == order.epoch):
            return
        boot = "" if stand.order is None else stand.order.boot
        await self._put(worker, order.model_copy(update={"action": OrderAction.YIELD, "boot": boot}))

    async def _put(self, worker: str, order: SessionOrder) -> None:
        key = subjects.order_key(order.provider, worker, order.instance_id)
        stand = self._known[order.instance_id].get(worker, _Stand(None, 0))
        try:
            revision = await self._store.save(key, order, revision=stand.revision)
        except Conflict:
            stored, revision = await self._store.load(key)
            if stand.order is not None or stored is not None or revision > self._heard:
                raise  # what stands there is yet to be heard
            revision = await self._store.save(key, order, revision=revision)  # an order stood there long ago
        if revision > self._heard:
            self._note(worker, order, revision)
        elif worker not in self._known[order.instance_id]:  # it was heard, and that the worker has deleted it since
            self._done[order.instance_id] = lean(order)

    async def forget(self, record: InstanceRecord) -> None:
        """Remove all orders of an instance that is gone. Raises: Unavailable."""
        for worker in tuple(self._known.get(record.id, ())):
            await self._store.remove(subjects.order_key(record.provider, worker, record.id))
        self._known.pop(record.id, None)
        self._done.pop(record.id, None)
