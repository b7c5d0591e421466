"""Reading back what a stream holds, from a real nats-server."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime import history
from mim.runtime.bus import Bus
from mim.runtime.flow import Entry
from mim.runtime.history import BATCH, newest

if TYPE_CHECKING:
    from tests.conftest import NatsServer

ONE = "5f0c1d3e-0000-4000-8000-000000000001"
OTHER = "5f0c1d3e-0000-4000-8000-000000000002"
SENT = subjects.message_event(ONE, "sent")
FAILED = subjects.message_event(ONE, "failed")
ALL_OF_ONE = subjects.message_events(ONE)


async def publish(bus: Bus, subject: str, count: int, first: int = 0) -> list[int]:
    """Store numbered messages; returns their sequences."""
    acks = [
        await bus.js.publish_async(subject, b"%d" % number, wait_stall=30) for number in range(first, first + count)
    ]
    return [(await ack).seq for ack in acks]


def numbers(entries: list[Entry]) -> list[int]:
    return [int(entry.data or b"-1") for entry in entries]


async def test_a_subject_without_messages_has_none(bus: Bus) -> None:
    assert await newest(bus, subjects.EVENTS, SENT, 10) == ([], 0)
    assert await history.count(bus, subjects.EVENTS, SENT) == 0
    assert await history.age_s(bus, subjects.EVENTS, SENT) == 0.0
    assert await history.last_seq(bus, subjects.EVENTS) == 0


async def test_the_newest_come_oldest_first_with_subject_sequence_and_time_and_others_are_left_out(bus: Bus) -> None:
    mine = await publish(bus, SENT, 3)
    await publish(bus, subjects.message_event(OTHER, "sent"), 5, first=100)
    mine += await publish(bus, FAILED, 2, first=3)
    entries, total = await newest(bus, subjects.EVENTS, ALL_OF_ONE, 4)
    assert (numbers(entries), total) == ([1, 2, 3, 4], 5)
    assert [entry.seq for entry in entries] == mine[1:]
    assert [entry.subject for entry in entries] == [SENT, SENT, FAILED, FAILED]
    for entry in entries:
        assert entry.stored_at is not None
        assert abs((bus.now() - entry.stored_at).total_seconds()) < 30
    assert await history.count(bus, subjects.EVENTS, ALL_OF_ONE) == 5


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 1000])
async def test_no_more_than_the_limit_come_and_all_are_counted(bus: Bus, limit: int) -> None:
    await publish(bus, SENT, 7)
    entries, total = await newest(bus, subjects.EVENTS, SENT, limit)
    assert (numbers(entries), total) == (list(range(7))[-limit:], 7)


async def test_more_than_one_batch_is_read_whole_and_in_order(bus: Bus) -> None:
    count = 2 * BATCH + 300
    await publish(bus, SENT, count)
    entries, total = await newest(bus, subjects.EVENTS, SENT, 10_000)
    assert (numbers(entries), total) == (list(range(count)), count)
    entries, total = await newest(bus, subjects.EVENTS, SENT, 5)
    assert (numbers(entries), total) == (list(range(count - 5, count)), count)


async def test_exactly_one_batch_is_the_end(bus: Bus) -> None:
    await publish(bus, SENT, BATCH)
    entries, total = await newest(bus, subjects.EVENTS, SENT, BATCH)
    assert (numbers(entries), total) == (list(range(BATCH)), BATCH)


@pytest.mark.parametrize("limit", [1, 5, 700])
async def test_of_very_many_only_the_end_is_read(bus: Bus, limit: int) -> None:
    count = 6 * BATCH
    await publish(bus, SENT, count)
    await publish(bus, subjects.message_event(OTHER, "sent"), 2 * BATCH)
    await publish(bus, SENT, 10, first=count)
    before = bus.nc.stats["in_msgs"]
    entries, total = await newest(bus, subjects.EVENTS, SENT, limit)
    assert (numbers(entries), total) == (list(range(count + 10 - limit, count + 10)), count + 10)
    assert bus.nc.stats["in_msgs"] - before < 3 * BATCH + limit


async def test_after_leaves_out_what_was_seen_and_since_what_is_older(bus: Bus) -> None:
    seqs = await publish(bus, SENT, 5)
    entries, total = await newest(bus, subjects.EVENTS, SENT, 10, after=seqs[2])
    assert (numbers(entries), total) == ([3, 4], 2)
    assert await newest(bus, subjects.EVENTS, SENT, 10, after=seqs[-1]) == ([], 0)
    await asyncio.to_thread(time.sleep, 0.02)  # the server's clock has to move on between what is older and what is not
    border = bus.now()
    await publish(bus, SENT, 2, first=5)
    entries, total = await newest(bus, subjects.EVENTS, SENT, 10, since=border)
    assert (numbers(entries), total) == ([5, 6], 2)
    assert await newest(bus, subjects.EVENTS, SENT, 10, since=bus.now() + timedelta(hours=1)) == ([], 0)
    assert numbers((await newest(bus, subjects.EVENTS, SENT, 3, since=border - timedelta(hours=1)))[0]) == [4, 5, 6]


async def test_what_was_purged_in_between_leaves_no_gap(bus: Bus) -> None:
    seqs = await publish(bus, SENT, 10)
    for seq in (seqs[0], seqs[4], seqs[9]):
        await bus.js.delete_msg(subjects.EVENTS, seq)
    entries, total = await newest(bus, subjects.EVENTS, SENT, 10)
    assert (numbers(entries), total) == ([1, 2, 3, 5, 6, 7, 8], 7)


async def test_many_at_once_do_not_mix_up_their_answers(bus: Bus) -> None:
    for number in range(10):
        await publish(bus, subjects.message_event(OTHER, f"kind-{number}"), 20, first=100 * number)
    found = await asyncio.gather(
        *(
            newest(bus, subjects.EVENTS, subjects.message_event(OTHER, f"kind-{number % 10}"), 50)
            for number in range(40)
        )
    )
    for number, (entries, total) in enumerate(found):
        begin = 100 * (number % 10)
        assert (numbers(entries), total) == (list(range(begin, begin + 20)), 20)


async def test_a_bus_that_is_away_or_silent_is_said_in_time_and_it_works_again_afterwards(
    bus: Bus, nats_server: NatsServer
) -> None:
    await publish(bus, SENT, 3)
    subscriptions = len(bus.nc._subs)
    await nats_server.stop()
    began = time.monotonic()
    for ask in (
        newest(bus, subjects.EVENTS, SENT, 10),
        history.last_seq(bus, subjects.EVENTS),
        history.count(bus, subjects.EVENTS, SENT),
        history.age_s(bus, subjects.EVENTS, SENT),
    ):
        with pytest.raises(Unavailable) as failed:
            await ask
        assert failed.value.code == ErrorCode.BUS_UNAVAILABLE
    assert time.monotonic() - began < 4 * history.BATCH_S + 1
    back = asyncio.Event()
    bus.on_reconnect(back.set)
    await nats_server.start()
    async with asyncio.timeout(15):
        await back.wait()
    entries, total = await newest(bus, subjects.EVENTS, SENT, 10)
    assert (numbers(entries), total) == ([0, 1, 2], 3)
    assert len(bus.nc._subs) == subscriptions  # nothing is left behind


async def test_the_age_is_that_of_the_oldest(bus: Bus) -> None:
    await publish(bus, SENT, 1)
    await asyncio.to_thread(time.sleep, 1.1)  # the time of storage is read in whole seconds
    await publish(bus, SENT, 1)
    assert 1 <= await history.age_s(bus, subjects.EVENTS, SENT) < 30
