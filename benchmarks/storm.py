"""What happens to everybody at once: all bots start anew, and thousands subscribe who never read."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import aiohttp

from benchmarks.processes import helper, pss
from benchmarks.report import BrokenError, Row, kb, mib, ms, percentile
from benchmarks.system import Seen, System, running

MOST_RESTART_S = 20.0
MOST_MOVED_S = 1.0
WITHIN_S = 180.0
IN_FLIGHT = 50
IDLE_TO = "00000000-0000-4000-8000-000000000000"
"""An instance of which nothing is ever told."""
RATE = 20.0


async def _restart(smoke: bool) -> AsyncIterator[Row]:
    number = 50 if smoke else 1_000
    async with (
        running() as system,
        helper("benchmarks.load") as load,
        helper("benchmarks.baselines.bare_aiogram") as aiogram,
    ):
        bots = await system.ready_bots(load, number)
        async with system.events() as events:
            began = time.perf_counter()
            os.kill(system.process("telegram-adapter"), signal.SIGKILL)
            waits = await _all_ready(events, {instance_id for instance_id, _ in bots})
            took_s = time.perf_counter() - began
        api = f"http://127.0.0.1:{system.emulator('telegram')['api']}"
        tokens = [token for _, token in bots]
        bare = await aiogram.ask(api=api, tokens=tokens, count=number, in_flight=IN_FLIGHT)
    yield Row(
        f"storm: {number} bots, worker killed, until all ready",
        f"{took_s:.1f} s",
        f"{bare['seconds']:.2f} s",
        took_s / bare["seconds"],
        f"<= {MOST_RESTART_S:g} s",
        took_s <= MOST_RESTART_S,
        f"the baseline asks `getMe` only, {IN_FLIGHT} at a time, as many as connect at a time; "
        f"{waits} times a bot told its place in the queue",
    )


async def _moved(smoke: bool) -> AsyncIterator[Row]:
    number = 20 if smoke else 100
    async with running() as system, helper("benchmarks.load") as load:
        bots = await system.ready_bots(load, number)
        async with system.second_worker(), system.events() as events:
            began = time.perf_counter()
            os.kill(system.process("telegram-adapter"), signal.SIGTERM)
            await _all_ready(events, {instance_id for instance_id, _ in bots})
            took_s = time.perf_counter() - began
    yield Row(
        f"storm: {number} bots, worker ended in order, until all ready elsewhere",
        f"{took_s:.1f} s",
        goal=f"<= {MOST_MOVED_S:g} s",
        reached=took_s <= MOST_MOVED_S,
    )


async def _all_ready(events: asyncio.Queue[Seen], left: set[str]) -> int:
    """Returns when all have told that they are ready; how often one told its place in the queue meanwhile."""
    waits = 0
    try:
        async with asyncio.timeout(WITHIN_S):
            while left:
                seen = await events.get()
                waits += seen.name == "waiting"
                if seen.name == "client_ready":
                    left.discard(seen.instance_id)
    except TimeoutError:
        raise BrokenError(f"{len(left)} bots were not ready again within {WITHIN_S:g} s") from None
    return waits


async def _subscribers(smoke: bool) -> AsyncIterator[Row]:
    idle, all_ears, seconds = (200, 20, 2.0) if smoke else (9_000, 1_000, 30.0)
    room = {"MIM_SUBSCRIBERS_MOST": str(idle + all_ears + 10)}  # for those who read
    async with running(env=room) as system, helper("benchmarks.load") as load, helper("benchmarks.deaf") as deaf:
        [(_, token)] = await system.ready_bots(load, 1)
        bot = int(token.partition(":")[0])
        gateway = system.process("gateway")
        before_s, before = await _meanwhile(system, bot, seconds), pss(gateway)
        for path, count in ((f"/api/v1/events?instance_id={IDLE_TO}", idle), ("/api/v1/events", all_ears)):
            there = (await deaf.ask(port=system.port, path=path, count=count))["open"]
            await _subscribed(system, there)
            if path.endswith(IDLE_TO):
                each = (pss(gateway) - before) / there
        after_s = await _meanwhile(system, bot, seconds)
        largest = pss(gateway)
        gone = await _figure(system, "mim_subscribers_let_go_total")
    yield Row(
        f"storm: an idle subscriber, of {idle}",
        kb(each),
        note=f"with {all_ears} more who hear everything and never read, after {seconds:g} s of {RATE:g} messages a "
        f"second: the gateway has {mib(largest)}, {gone:g} of them are cut off",
    )
    yield Row(
        "storm: a message to who reads beside them, p50",
        ms(percentile(after_s, 0.5)),
        ms(percentile(before_s, 0.5)),
        percentile(after_s, 0.5) / percentile(before_s, 0.5),
        note=f"p99 {ms(percentile(after_s, 0.99))} and {ms(percentile(before_s, 0.99))}; the baseline is without the "
        f"{there} others",
    )


async def _meanwhile(system: System, bot: int, seconds: float) -> list[float]:
    """How long messages took to a subscriber who reads, at a steady rate."""
    async with system.events() as events:
        took: list[float] = []
        count = int(RATE * seconds)
        reading = asyncio.create_task(_received(events, count, took))
        began = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(began + number / RATE - time.perf_counter())
            await system.control("telegram", "say", bot=bot, text="x" * 1000, **{"from": 1001})
        await asyncio.wait_for(reading, WITHIN_S)
    return took


async def _received(events: asyncio.Queue[Seen], count: int, took: list[float]) -> None:
    while len(took) < count:
        seen = await events.get()
        if seen.name == "received":
            took.append(seen.delay_s)


async def _subscribed(system: System, count: int) -> None:
    until = time.monotonic() + WITHIN_S
    while await _figure(system, "mim_subscribers") < count:
        if time.monotonic() > until:
            raise BrokenError(f"not all of {count} could subscribe")
        await asyncio.sleep(0.5)


async def _figure(system: System, name: str) -> float:
    async with aiohttp.request("GET", f"http://127.0.0.1:{system.port}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """A thousand bots whose worker is killed; a hundred whose worker ends in order; ten thousand deaf subscribers."""
    for part in (_restart, _moved, _subscribers):
        async for row in part(smoke):
            yield row
