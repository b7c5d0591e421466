"""How the outbox should be consumed: what thousands of instances that send nothing cost, and what a first message does.

Three layouts, each on a nats-server of its own with a work queue as the system has it:

    kept     a durable consumer for each instance, always there
    made     a durable consumer for each instance, made when a message comes; this is what the system does
    shared   one durable consumer for all instances of a worker; it cannot keep an instance that waits from holding up
             the others, so it is what the others are compared with, not a choice
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig

from benchmarks.bus import PAYLOAD, served
from benchmarks.processes import pss
from benchmarks.report import Row, kb, median_ratio, ms
from mim.runtime.streams import outbox_consumer

STREAM, INBOX = "OUTBOX", "deliver.worker"
AT_A_TIME = 32
WITHIN_S = 10.0
Before = Callable[[int], Awaitable[None]]


class Layout:
    """A server with so many instances that send nothing; `first_s` sends a message to one of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jetstream = client.jetstream()
        self._came = asyncio.Event()

    async def set_up(self) -> None:
        """Make the stream, and a worker's inbox."""
        queue = StreamConfig(
            STREAM, subjects=["message.>"], retention=RetentionPolicy.WORK_QUEUE, max_consumers=100_000
        )
        await self._jetstream.add_stream(queue)
        await self._client.subscribe(INBOX, cb=self._arrived)

    async def consume(self, number: int) -> None:
        """Make the consumer of one instance, as the system's workers do."""
        config = outbox_consumer(f"i{number}", f"message.{number}", INBOX)
        await self._jetstream.add_consumer(STREAM, config)

    async def put_down(self, number: int) -> None:
        """Delete the consumer of one instance, as after minutes without a message."""
        await self._jetstream.delete_consumer(STREAM, outbox_consumer(f"i{number}", "", INBOX).durable_name or "")

    async def consume_all(self) -> None:
        """One consumer for every instance."""
        config = ConsumerConfig(durable_name="all", deliver_subject=INBOX, max_ack_pending=1000)
        await self._jetstream.add_consumer(STREAM, config)

    async def first_s(self, number: int, before: Before | None = None) -> float:
        """Publish to an instance, do what must be done then, and wait until the worker has the message."""
        self._came.clear()
        began = time.perf_counter()
        await self._jetstream.publish(f"message.{number}", PAYLOAD)
        if before is not None:
            await before(number)
        await asyncio.wait_for(self._came.wait(), WITHIN_S)
        return time.perf_counter() - began

    async def _arrived(self, message: Msg) -> None:
        await message.ack_sync()
        self._came.set()


async def _each(number: int, act: Before) -> float:
    """Seconds for one, of so many, a few at a time."""
    numbers = iter(range(number))

    async def some() -> None:
        for each in numbers:
            await act(each)

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_A_TIME)))
    return (time.perf_counter() - began) / number


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """Memory of nats-server and time for each idle instance, then from publishing a first message, acknowledged by the
    disk, to its acknowledgement by the worker. Rounds of the three layouts alternate."""
    number, rounds, settle_s = (200, 5, 0.5) if smoke else (5_000, 60, 10.0)
    with tempfile.TemporaryDirectory(prefix="mim-bench-") as name:
        folders = [Path(name) / layout for layout in ("kept", "made", "shared")]
        for folder in folders:
            folder.mkdir()
        async with served(folders[0]) as (pid, one), served(folders[1]) as (_, two), served(folders[2]) as (_, three):
            kept, made, shared = Layout(one), Layout(two), Layout(three)
            for layout in (kept, made, shared):
                await layout.set_up()
            await shared.consume_all()
            before = pss(pid)
            each_s = await _each(number, kept.consume)
            await asyncio.sleep(settle_s)
            grown = (pss(pid) - before) / number
            times: dict[str, list[float]] = {"kept": [], "made": [], "shared": []}
            for instance in range(rounds):
                times["kept"].append(await kept.first_s(instance))
                times["made"].append(await made.first_s(instance, made.consume))
                times["shared"].append(await shared.first_s(instance))
                await made.put_down(instance)
    yield Row(
        f"layout: a consumer kept for each of {number}, idle",
        kb(grown),
        note=f"of nats-server, and {ms(each_s)} to make each; made when needed, an idle instance has none",
    )
    for how, what in (("kept", "its consumer is there"), ("made", "its consumer is made for it")):
        yield Row(
            f"layout: a first message, {what}",
            ms(median(times[how])),
            ms(median(times["shared"])),
            median_ratio(times[how], times["shared"]),
            note="until the worker's acknowledgement; the baseline is one consumer for all",
        )
