"""What several lifecycles write about one instance: who was away and knows less says nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.unit.test_machine import ID, at

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.records import InstanceRecord, OrderAction, SessionOrder
from mim.contracts.states import Status
from mim.lifecycle.machine import order_of
from mim.lifecycle.orders import Orders
from mim.runtime.bus import Bus, Conflict
from mim.runtime.store import Store

if TYPE_CHECKING:
    from tests.services.conftest import Background

BEFORE = at(Status.CLIENT_READY, worker="b", boot="boot-b", epoch=2, worker_epoch=2)
AFTER = at(Status.CLIENT_READY, worker="a", boot="boot-a", epoch=3, worker_epoch=3)


class Lifecycle:
    """Hears of orders while `hears` is set."""

    def __init__(self, bus: Bus, background: Background) -> None:
        self._moved = asyncio.Event()
        self.orders = Orders(bus, lambda _: self._moved.set())
        self._background, self._watch = background, background(self.orders.watch())

    async def tell(self, record: InstanceRecord) -> None:
        """Tell its worker what the record wants."""
        await self.orders.tell(record, order_of(record))

    async def heard(self, action: OrderAction | None, record: InstanceRecord) -> None:
        """Return once it knows that this stands at the record's worker."""
        async with asyncio.timeout(15):
            while self.orders.at_worker(record) != action:
                self._moved.clear()
                await self._moved.wait()

    def cut(self) -> None:
        """Hear nothing any more."""
        self._watch.cancel()


@pytest.fixture
async def pair(bus: Bus, background: Background) -> tuple[Lifecycle, Lifecycle]:
    pair = Lifecycle(bus, background), Lifecycle(bus, background)
    for each in pair:
        await each.orders.ready.wait()
    return pair


async def standing(bus: Bus) -> dict[str, tuple[OrderAction, int]]:
    """What stands, by worker."""
    stored = [(worker, await _order(bus, worker)) for worker in ("a", "b")]
    return {worker: (order.action, order.epoch) for worker, order in stored if order is not None}


async def _order(bus: Bus, worker: str) -> SessionOrder | None:
    store = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)
    return (await store.load(subjects.order_key("telegram", worker, ID)))[0]


async def test_who_hears_that_its_order_is_gone_does_not_tell_it_again_from_an_older_record(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle]
) -> None:
    one, other = pair
    await other.tell(BEFORE)
    for each in pair:
        await each.heard(OrderAction.RUN, BEFORE)
    await one.tell(AFTER)
    assert await standing(bus) == {"a": (OrderAction.RUN, 3)}
    await other.heard(None, BEFORE)
    with pytest.raises(Conflict):
        await other.tell(BEFORE)
    assert await standing(bus) == {"a": (OrderAction.RUN, 3)}
    await other.heard(OrderAction.RUN, AFTER)
    await other.tell(AFTER)


async def test_a_worker_that_is_done_before_the_bus_confirms_its_order_is_known_to_be(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    save, store = one.orders._store.save, Store(bus, subjects.ORDERS_BUCKET, SessionOrder)

    async def slow(key: str, order: SessionOrder, *, revision: int | None = None) -> int:
        seq = await save(key, order, revision=revision)
        await one.heard(OrderAction.RUN, BEFORE)
        await store.remove(key)
        await one.heard(None, BEFORE)
        return seq

    monkeypatch.setattr(one.orders._store, "save", slow)
    await one.tell(BEFORE)
    assert one.orders.is_done(BEFORE)


async def test_the_former_worker_loses_its_order_before_the_next_one_has_it(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    await one.tell(BEFORE)
    await one.heard(OrderAction.RUN, BEFORE)
    seen: list[dict[str, tuple[OrderAction, int]]] = []
    save = one.orders._store.save

    async def watched(key: str, order: SessionOrder, *, revision: int | None = None) -> int:
        seq = await save(key, order, revision=revision)
        seen.append(await standing(bus))
        return seq

    monkeypatch.setattr(one.orders._store, "save", watched)
    await one.tell(AFTER)
    assert seen == [{"b": (OrderAction.YIELD, 3)}, {"b": (OrderAction.YIELD, 3), "a": (OrderAction.RUN, 3)}]
    assert await standing(bus) == {"a": (OrderAction.RUN, 3)}


async def test_an_order_that_was_decided_before_the_instance_was_taken_over_comes_too_late(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle]
) -> None:
    one, other = pair
    other.cut()
    one.orders.about_to_leave(BEFORE)  # it knows of no order there
    await one.tell(AFTER)
    with pytest.raises(Conflict):
        await other.tell(BEFORE)
    assert await standing(bus) == {"a": (OrderAction.RUN, 3)}


async def test_an_instance_comes_back_to_a_worker_that_had_it_long_ago(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle]
) -> None:
    one, other = pair
    for record in (BEFORE, AFTER):
        await one.tell(record)
        await other.heard(OrderAction.RUN, record)
    await other.heard(None, BEFORE)
    back = at(Status.CLIENT_READY, worker="b", boot="boot-b", epoch=4, worker_epoch=4)
    await other.tell(back)
    assert await standing(bus) == {"b": (OrderAction.RUN, 4)}


async def test_orders_whose_removal_the_bus_did_not_take_are_removed_at_the_next_try(
    bus: Bus, pair: tuple[Lifecycle, Lifecycle], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    await one.tell(BEFORE)

    async def away(_key: str) -> None:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "not now")

    with monkeypatch.context() as outage:
        outage.setattr(one.orders._store, "remove", away)
        with pytest.raises(Unavailable):
            await one.orders.forget(BEFORE)
    await one.orders.forget(BEFORE)
    assert await standing(bus) == {}
