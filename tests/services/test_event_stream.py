"""The gateway's ring of events: whoever hears of one instance sleeps while others are told of, and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

from mim.contracts import subjects
from mim.gateway import events
from mim.gateway.events import ALL, EventStream, Item
from mim.gateway.sse import BUFFER_BYTES, gathered
from mim.runtime.bus import Bus

if TYPE_CHECKING:
    from tests.services.conftest import Background

ONE, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
RING = 10


class Shown:
    """A read model that is never behind."""

    def is_shown(self, _instance_id: str, _seq: int) -> bool:
        return True


@pytest.fixture
async def stream(bus: Bus, background: Background, monkeypatch: pytest.MonkeyPatch) -> EventStream:
    monkeypatch.setattr(events, "RING", RING)
    stream = EventStream(bus, Shown())  # type: ignore[arg-type]
    background(stream.run(lambda _: None))
    await stream.ready.wait()
    return stream


async def publish(bus: Bus, instance_id: str, count: int) -> int:
    """The sequence of the last one."""
    for _ in range(count):
        last = await bus.publish(subjects.instance_event(instance_id, "updated"), b"{}")
    return last


async def until(source: AsyncGenerator[list[Item]], seq: int) -> list[Item]:
    """All items up to one."""
    got: list[Item] = []
    async with asyncio.timeout(10):
        while not got or got[-1].seq < seq:
            got += await anext(source)
    return got


async def test_who_hears_of_one_instance_sleeps_while_others_are_told_of(
    bus: Bus, stream: EventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything, one = stream.items(stream.last, ALL), stream.items(stream.last, ONE)
    asked = [asyncio.ensure_future(anext(source)) for source in (everything, one)]
    await asyncio.sleep(0)
    last = await publish(bus, OTHER, 3 * RING)
    async with asyncio.timeout(10):
        first = await asked[0]
        assert len(first + ([] if first[-1].seq == last else await until(everything, last))) == 3 * RING
    assert not asked[1].done()

    async def too_far(_after: int) -> list[Item]:
        raise AssertionError("it is not behind: nothing of it has happened")

    monkeypatch.setattr(stream, "_older", too_far)
    own = await publish(bus, ONE, 1)
    async with asyncio.timeout(10):
        assert [item.seq for item in await asked[1] if item.instance_id == ONE] == [own]


async def test_in_silence_it_says_so_and_goes_on_from_the_newest(
    bus: Bus, stream: EventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PING_S", 0.05)
    one, everything, own = stream.items(stream.last, ONE), stream.items(stream.last, ALL), 3 * RING + 2
    async with asyncio.timeout(10):
        assert await anext(one) == []
    hearing = asyncio.ensure_future(until(one, own))
    await asyncio.sleep(0)
    heard = asyncio.ensure_future(until(everything, 3 * RING))
    await publish(bus, OTHER, 3 * RING)
    await heard
    assert await publish(bus, ONE, 2) == own
    assert [item.seq for item in await hearing if item.instance_id == ONE] == [own - 1, own]


async def test_older_ones_come_from_the_stream_a_few_readers_at_a_time(
    bus: Bus, stream: EventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = await publish(bus, ONE, 3 * RING)
    await until(stream.items(0, ALL), last)
    reading = most = 0
    older = stream._older

    async def counted(after: int) -> list[Item]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            return await older(after)
        finally:
            reading -= 1

    monkeypatch.setattr(stream, "_older", counted)
    back = await asyncio.gather(*(until(stream.items(0, ALL), last) for _ in range(3 * events.READERS)))
    assert {tuple(item.seq for item in got) for got in back} == {tuple(range(last - 3 * RING + 1, last + 1))}
    assert 1 < most <= events.READERS


def test_frames_are_put_together_within_the_buffer() -> None:
    frames = [b"x" * size for size in (1, BUFFER_BYTES - 1, 1, BUFFER_BYTES * 2, 5, 6)]
    parts = list(gathered(frames))
    assert b"".join(parts) == b"".join(frames)
    assert [len(part) for part in parts] == [BUFFER_BYTES, 1, BUFFER_BYTES * 2, 11]
    assert list(gathered([])) == []
