"""Counts of calls and round trips: none lost, none told twice, also while the bus is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mim.contracts.messages import ActivityReported, CloudEvent, Event
from mim.runtime import activity
from mim.runtime.activity import Activity
from mim.runtime.bus import Bus

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Story

    Events = Story[CloudEvent[Event]]

ONE = "5f0c1d3e-0000-4000-8000-000000000001"
TWO = "5f0c1d3e-0000-4000-8000-000000000002"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports every fiftieth of a second."""
    monkeypatch.setattr(activity, "CALLS_EVERY_S", 0.02)


def reports(items: list[CloudEvent[Event]]) -> list[ActivityReported]:
    return [item.data for item in items if isinstance(item.data, ActivityReported)]


def calls(items: list[CloudEvent[Event]], instance_id: str = ONE, key: str | None = None) -> int:
    return sum(
        report.api_calls
        for report in reports(items)
        if report.instance_id == instance_id and key in (None, report.api_key_sha256)
    )


def checks(items: list[CloudEvent[Event]], instance_id: str = ONE) -> int:
    return sum(report.health_checks for report in reports(items) if report.instance_id == instance_id)


@pytest.mark.usefixtures("often")
async def test_every_call_is_told_once_by_instance_and_key(bus: Bus, background: Background, events: Events) -> None:
    counts = Activity(bus, {ONE: 3, TWO: 5}.__getitem__, 0.04)
    background(counts.run())
    for number in range(300):
        counts.called(ONE, "key-a" if number % 3 else "key-b")
        counts.called(TWO, "key-c")
        if number % 50 == 0:
            await events.until(lambda items, number=number: calls(items) > number)  # type: ignore[misc]
    items = await events.until(lambda items: calls(items) >= 300 and calls(items, TWO) >= 300)
    assert (calls(items), calls(items, key="key-a"), calls(items, key="key-b")) == (300, 200, 100)
    assert calls(items, TWO) == 300
    assert len(reports(items)) < 100  # together, not one each
    for report in reports(items):
        assert report.epoch == {ONE: 3, TWO: 5}[report.instance_id]
        assert report.first_call_at is not None
        assert report.last_call_at is not None
        assert report.first_call_at <= report.last_call_at


@pytest.mark.usefixtures("often")
async def test_round_trips_are_told_more_seldom_and_none_is_lost(
    bus: Bus, background: Background, events: Events
) -> None:
    counts = Activity(bus, checks_every_s=0.04)
    background(counts.run())
    for _ in range(20):
        counts.proved(ONE)
    items = await events.until(lambda items: checks(items) >= 20)
    assert checks(items) == 20
    assert all(report.observed_at is not None and report.api_calls == 0 for report in reports(items))


@pytest.mark.usefixtures("often")
async def test_an_instance_that_does_nothing_tells_nothing(bus: Bus, background: Background, events: Events) -> None:
    counts = Activity(bus, checks_every_s=0.04)
    background(counts.run())
    counts.called(ONE, "key")
    await events.until(lambda items: calls(items) == 1)
    counts.called(TWO, "key")
    items = await events.until(lambda items: calls(items, TWO) == 1)
    assert len(reports(items)) == 2


@pytest.mark.usefixtures("often")
async def test_what_happens_while_the_bus_is_away_is_told_once_when_it_is_back(
    bus: Bus, nats_server: NatsServer, connect_bus: ConnectBus, background: Background, events: Events
) -> None:
    service = await connect_bus("service")
    counts = Activity(service, checks_every_s=0.04)
    background(counts.run())
    total = 0
    for _ in range(2):
        for stop in (False, True):
            if stop:
                await nats_server.stop()
            for _ in range(25):
                counts.called(ONE, "key")
                counts.proved(ONE)
                await asyncio.sleep(0)  # between calls the reporting goes on
                total += 1
        await nats_server.start()
        await events.until(lambda items, total=total: calls(items) >= total and checks(items) >= total)  # type: ignore[misc]
    counts.called(ONE, "key")  # a mark: whatever was told twice was told before it
    items = await events.until(lambda items: calls(items) > total)
    assert (calls(items), checks(items)) == (total + 1, total)


async def test_closing_tells_what_is_left(bus: Bus, events: Events) -> None:
    counts = Activity(bus)
    for _ in range(3):
        counts.called(ONE, "key")
        counts.proved(TWO)
    await counts.close()
    items = await events.until(lambda items: calls(items) == 3 and checks(items, TWO) == 3)
    assert len(reports(items)) == 2
    await counts.close()
    assert len(reports(events.items)) == 2


async def test_closing_while_a_report_is_under_way_loses_nothing_and_tells_nothing_twice(
    bus: Bus, connect_bus: ConnectBus, nats_server: NatsServer, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus is away when the report begins; it comes back while the service ends."""
    monkeypatch.setattr(activity, "CALLS_EVERY_S", 0.01)
    monkeypatch.setattr(activity, "CLOSE_S", 10.0)
    service, taken = await connect_bus("service"), asyncio.Event()
    emit_surely = service.emit_surely

    async def emit(event: Event, **more: Any) -> int:
        taken.set()
        return await emit_surely(event, **more)

    monkeypatch.setattr(service, "emit_surely", emit)
    counts = Activity(service)
    running = asyncio.create_task(counts.run())
    await nats_server.stop()
    counts.called(ONE, "key")
    await taken.wait()
    running.cancel()
    await asyncio.wait({running})
    closing = asyncio.create_task(counts.close())
    await nats_server.start()
    await closing
    items = await events.until(lambda items: calls(items) >= 1)
    assert calls(items) == 1


async def test_closing_ends_in_time_when_the_bus_is_away(bus: Bus, nats_server: NatsServer) -> None:
    counts = Activity(bus)
    counts.called(ONE, "key")
    await nats_server.stop()
    async with asyncio.timeout(activity.CLOSE_S + 1):
        await counts.close()
