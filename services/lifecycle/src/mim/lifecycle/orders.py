"""Which orders stand at which workers.

A worker deletes its order when nothing is left to do for the instance: after a purge, and after a hand-over. Lifecycle
never deletes the order of the worker that the record names.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from mim.contracts import subjects
from mim.contracts.records import InstanceRecord, OrderAction, SessionOrder
from mim.runtime.bus import Bus
from mim.runtime.lean import lean
from mim.runtime.store import Store


class Orders:
    """Filled by `watch`. `changed` is called with the id of an instance whose orders changed."""

    def __init__(self, bus: Bus, changed: Callable[[str], None]) -> None:
        self._store = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)
        self._changed = changed
        self._known: defaultdict[str, dict[str, SessionOrder]] = defaultdict(dict)  # by instance, by worker
        self._done: dict[str, SessionOrder] = {}  # by instance, the last one that its worker deleted
        self.ready = asyncio.Event()

    async def watch(self) -> None:
        """Know which orders stand, for ever."""
        async for batch in self._store.follow(subjects.ALL_ORDERS):
            for key, order in batch:
                _, worker, instance_id = key.split(".")
                if order is not None:
                    self._note(worker, order)
                elif (done := self._known.get(instance_id, {}).pop(worker, None)) is not None:
                    self._done[instance_id] = done
                if self.ready.is_set():  # until then everything is about to be looked at
                    self._changed(instance_id)
            if not batch:
                self.ready.set()

    def _note(self, worker: str, order: SessionOrder) -> None:
        self._known[order.instance_id][worker] = lean(order)
        done = self._done.get(order.instance_id)
        if done is not None and done.boot == order.boot:
            del self._done[order.instance_id]

    def is_done(self, record: InstanceRecord) -> bool:
        """Whether the worker that the record names has nothing left to do with the instance."""
        done = self._done.get(record.id)
        return done is not None and done.boot == record.boot and done.epoch >= record.worker_epoch

    def at_worker(self, record: InstanceRecord) -> OrderAction | None:
        """What the worker that the record names is told; None if nothing is known to stand there."""
        order = self._known.get(record.id, {}).get(record.worker or "")
        return None if order is None or order.boot != record.boot else order.action

    async def tell(self, record: InstanceRecord, order: SessionOrder | None) -> None:
        """Let this order stand, if it is new, and none at former workers. Raises: Unavailable."""
        known = self._known[record.id]
        for former in [worker for worker in known if worker != record.worker]:
            await self._store.remove(subjects.order_key(record.provider, former, record.id))
        if record.worker is not None and order is not None and known.get(record.worker) != order:
            await self._store.save(subjects.order_key(record.provider, record.worker, record.id), order)
            self._note(record.worker, order)

    async def forget(self, record: InstanceRecord) -> None:
        """Remove all orders of an instance that is gone. Raises: Unavailable."""
        for worker in tuple(self._known.pop(record.id, ())):
            await self._store.remove(subjects.order_key(record.provider, worker, record.id))
        self._done.pop(record.id, None)
