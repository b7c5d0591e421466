"""Instances leave the workers that are being drained, a few at a time, each only once another worker is found for it.

Nothing of this is kept: who is draining says so with every heartbeat, and what is left to move is what it still has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from mim.contracts.errors import MimError
from mim.contracts.records import Allocation, InstanceRecord, OrderAction
from mim.contracts.states import Status
from mim.lifecycle.living import Living
from mim.lifecycle.machine import is_unassigned
from mim.lifecycle.model import ReadModel
from mim.lifecycle.orders import Orders

log = structlog.get_logger()

AT_ONCE = 8
LOOK_S = 1.0
MOVE_S = 30.0
"""After this the next one has its turn; the move itself goes on."""


@dataclass(frozen=True, slots=True)
class Move:
    """One that is under way."""

    to: str | None
    """The worker that waits for it; None for an instance without a session, which needs none."""
    progress: asyncio.Event = field(default_factory=asyncio.Event)


class Moves:
    """`place(record)` asks the allocator for a worker; `touch(id)` has lifecycle look at an instance."""

    def __init__(
        self,
        model: ReadModel,
        living: Living,
        orders: Orders,
        place: Callable[[InstanceRecord], Awaitable[Allocation | None]],
        touch: Callable[[str], None],
    ) -> None:
        self._model = model
        self._living = living
        self._orders = orders
        self._place = place
        self._touch = touch
        self._under_way: dict[str, Move] = {}

    def leaves(self, record: InstanceRecord) -> bool:
        """Whether the worker that holds the instance shall hand it over now. What has begun there is ended first, also
        if the instance shall start anew; what an earlier lifecycle has told stands."""
        if not self._living.drains(record):
            return False
        told = self._orders.at_worker(record)
        return record.id in self._under_way or is_unassigned(record) or told in (None, OrderAction.YIELD)

    def to(self, record: InstanceRecord) -> str | None:
        """The worker that an instance goes to; where it is, if it does not move."""
        move = self._under_way.get(record.id)
        return record.worker if move is None or move.to is None else move.to

    def changed(self, instance_id: str) -> None:
        """Something about an instance changed."""
        if (move := self._under_way.get(instance_id)) is not None:
            move.progress.set()

    async def run(self) -> None:
        """Move what is to be moved, for ever."""
        limit = asyncio.Semaphore(AT_ONCE)
        while True:
            await asyncio.sleep(LOOK_S)
            if self._living.any_drains:
                async with asyncio.TaskGroup() as group:
                    for record in self._model.records():
                        if self._stays(record):
                            await limit.acquire()
                            group.create_task(self._move(record.id, limit))

    def _stays(self, record: InstanceRecord) -> bool:
        at_worker = self._living.drains(record) and not self._orders.is_done(record)
        return at_worker and record.status not in (Status.DELETED, Status.PENDING)

    async def _move(self, instance_id: str, limit: asyncio.Semaphore) -> None:
        try:
            record = self._model.get(instance_id)
            if record is not None and self._stays(record):
                async with asyncio.timeout(MOVE_S):
                    await self._move_one(record)
        except TimeoutError:
            log.warning("move_takes_long", instance_id=instance_id)
        except MimError as error:
            log.warning("not_moved", instance_id=instance_id, code=error.code, why=error.message)
        finally:
            self._under_way.pop(instance_id, None)
            limit.release()

    async def _move_one(self, record: InstanceRecord) -> None:
        to = None
        if record.status.is_live:
            given = await self._place(record)
            if given is None or given.worker in (None, record.worker):
                log.warning("nowhere_to_move", instance_id=record.id, worker=record.worker)
                return
            to = given.worker
        move = self._under_way[record.id] = Move(to)
        self._touch(record.id)
        while self._is_on_its_way(record):
            await move.progress.wait()
            move.progress.clear()
        log.info("moved", instance_id=record.id, worker=record.worker, to=to)

    def _is_on_its_way(self, before: InstanceRecord) -> bool:
        record = self._model.get(before.id)
        if record is None:
            return False
        if record.boot == before.boot and self._living.drains(record):
            return not self._orders.is_done(record) or record.status.is_live
        return record.status is Status.STARTING
