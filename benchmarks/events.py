"""How long it takes until a subscriber sees that something changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from benchmarks.processes import Helper, helper
from benchmarks.report import BrokenError, Row, ms, percentile
from benchmarks.system import Seen, System, next_event, running

RATE = 20.0
MOST_S = 0.100


async def _told(system: System, load: Helper, number: int) -> list[float]:
    async with system.events() as events:
        await system.ready_bots(load, number, RATE)
        seen: list[Seen] = []
        while len(seen) < number:
            try:
                event = await asyncio.wait_for(events.get(), 10)
            except TimeoutError:
                raise BrokenError(f"only {len(seen)} of {number} client_ready events arrived") from None
            if event.name == "client_ready":
                seen.append(event)
    return [event.delay_s for event in seen]


async def _cut(system: System, bots: list[tuple[str, str]]) -> list[float]:
    delays = []
    async with system.events() as events:
        for instance_id, token in bots:
            number = int(token.partition(":")[0])
            began = time.time()
            await system.control("telegram", "unreachable", bot=number, on=True)
            delays.append((await next_event(events, "reconnecting", instance_id)).at - began)
            await system.control("telegram", "unreachable", bot=number, on=False)
    return delays


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """Two distances to a subscriber of `GET /api/v1/events`.

    `client_ready`: from the time in the event, taken by the worker, to its arrival, while bots are created at 20 a
    second. `reconnecting`: from telling the emulator to cut a bot's connection to the arrival of the event, one after
    the other. The clock is the machine's own in both.
    """
    number, cuts = (40, 10) if smoke else (400, 100)
    async with running() as system, helper("benchmarks.load") as load:
        told = await _told(system, load, number)
        bots = await system.ready_bots(load, cuts)
        cut = await _cut(system, bots)
    for what, delays in ((f"client_ready at {RATE:g} creates/s", told), ("connection cut to reconnecting", cut)):
        p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
        yield Row(
            f"events: {what}",
            f"{ms(p50)} / {ms(p99)}",
            goal=f"p99 <= {ms(MOST_S)}",
            reached=p99 <= MOST_S,
            note=f"p50 / p99 of {len(delays)}, slowest {ms(max(delays))}",
        )
