"""An hour of a business in some minutes: steady traffic of every kind, while the memory of each process is watched."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from statistics import fmean

from benchmarks.incoming import receiving
from benchmarks.memory import PARTS, login
from benchmarks.processes import helper, pss
from benchmarks.report import Row, mib
from benchmarks.send import CHAT
from benchmarks.system import System, create_request, next_event, running

MINUTES, SMOKE_MINUTES = 60.0, 0.4
WARM_UP = 0.4
"""Part of the time that does not count: until then what is bounded has filled, such as the last 10,000 events, the
buffers that nats-server has for each stream (8 MiB at most), and what it takes to keep a login, every 15 minutes."""
LOOK_S = 5.0
BOTS, ACCOUNTS = 3, 2
"""Few, so that what each remembers, the last 1,000 messages each way, is full soon."""
CUSTOMER = "15552220001"
PEOPLE = 97
"""To whom bots write in turn: a messenger takes one message a second to each."""
LISTEN_S = 10.0
RATES = {"hear": 60.0, "say": 15.0, "whatsapp": 4.0, "read": 4.0, "churn": 0.5}
"""How often a second each kind of traffic happens."""
LEAST_GROWTH = 2**20
"""What the allocators take and give back by themselves."""

Sample = tuple[float, float]
"""How many events there were, and how much memory."""


class Traffic:
    """What a business does, and what is counted of it."""

    def __init__(self, system: System, bots: list[tuple[str, str]], accounts: list[tuple[str, str]], url: str) -> None:
        self.system = system
        self.events = 0
        self._bots, self._accounts, self._url = cycle(bots), cycle(accounts), url
        self._people = cycle([str(int(CHAT) + number) for number in range(PEOPLE)])

    async def hear(self) -> None:
        """Somebody writes to a bot."""
        _, token = next(self._bots)
        bot = int(token.partition(":")[0])
        await self.system.control("telegram", "say", bot=bot, text=_text(), **{"from": int(CHAT)})

    async def say(self) -> None:
        """A bot writes to somebody."""
        await self._send("telegram", next(self._bots)[0], next(self._people))

    async def whatsapp(self) -> None:
        """An account writes, and is written to."""
        instance_id, phone = next(self._accounts)
        await self._send("whatsappweb", instance_id, CUSTOMER)
        await self.system.control("whatsapp", "incoming", to=phone, text=_text(), **{"from": CUSTOMER})

    async def _send(self, provider: str, instance_id: str, to: str) -> None:
        path = f"/api/v1/multi-provider/instances/{provider}/{instance_id}/send-message"
        await self.system.call("POST", path, {"to": to, "message": _text()})

    async def read(self) -> None:
        """Somebody looks at the list, at one instance, and at its history."""
        instance_id, _ = next(self._bots)
        await self.system.call("GET", "/api/v1/instances?limit=100")
        await self.system.call("GET", f"/api/v1/instances/{instance_id}")
        await self.system.call("GET", f"/api/v1/instances/{instance_id}/status-history")

    async def churn(self) -> None:
        """A bot comes, becomes ready, and goes."""
        method, path, body = create_request(api_webhook_schema={"url": self._url})
        async with self.system.events() as events:
            made = await self.system.call(method, path, json.loads(body))
            await next_event(events, "client_ready", made["instance_id"])
        await self.system.call("DELETE", f"/api/v1/instances/{made['instance_id']}")

    async def listen(self) -> None:
        """Count all events, as a subscriber who comes back again and again."""
        while True:
            async with self.system.events() as events:
                with suppress(TimeoutError):
                    # Not `wait_for`: Python 3.11's may lose a cancellation when something arrives.
                    async with asyncio.timeout(LISTEN_S):
                        while await events.get():
                            self.events += 1


def _text() -> str:
    return f"{time.time():.6f}"  # as the webhook's target reads it


async def _steadily(act: Callable[[], Awaitable[None]], rate: float) -> None:
    """Open loop, but for one that is late: a system that cannot keep up is measured at what it can."""
    due = time.monotonic()
    while True:
        due = max(due + 1 / rate, time.monotonic() - 1.0)
        await asyncio.sleep(due - time.monotonic())
        await act()


async def measure(smoke: bool, minutes: float = MINUTES) -> AsyncIterator[Row]:
    """Growth of each process for 100,000 events at a steady load, after what is bounded has filled."""
    seconds = 60 * (SMOKE_MINUTES if smoke else minutes)
    env = {"MIM_RATE_LIMIT": "0", "MIM_WEBHOOK_PRIVATE": "true"}
    async with running(env=env) as system, helper("benchmarks.load") as load, receiving() as (_, url):
        bots = await system.ready_bots(load, BOTS, more={"api_webhook_schema": {"url": url}})
        phones = [f"1555300{number:04}" for number in range(ACCOUNTS)]
        accounts = [(await login(system, phone), phone) for phone in phones]
        traffic = Traffic(system, bots, accounts, url)
        kinds = [_steadily(getattr(traffic, kind), rate) for kind, rate in RATES.items()]
        tasks = [asyncio.create_task(work) for work in (*kinds, traffic.listen())]
        samples: defaultdict[str, list[Sample]] = defaultdict(list)
        try:
            async with asyncio.timeout(seconds) as time_over:
                while True:
                    await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                    for task in tasks:
                        if task.done():
                            task.result()  # raises what went wrong
                    for part, pids in _processes(system).items():
                        samples[part].append((traffic.events, sum(map(pss, pids))))
        except TimeoutError:
            if not time_over.expired():
                raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    for part, seen in samples.items():
        yield _row(part, seen[int(len(seen) * WARM_UP) :], traffic.events)


def _processes(system: System) -> dict[str, list[int]]:
    parts = {part: [system.process(part)] for part in (*PARTS, "whatsapp-adapter")}
    return parts | {"WhatsApp sessions": system.children_of_whatsapp()}


def _row(part: str, seen: list[Sample], events: int) -> Row:
    slope, spread = fit(seen)
    grown = slope * (seen[-1][0] - seen[0][0])
    noise = max(2 * spread, LEAST_GROWTH)
    return Row(
        f"soak: {part}, growth for 100,000 events",
        mib(slope * 100_000),
        goal=f"<= {mib(noise)} in all",
        reached=grown <= noise,
        note=f"{', '.join(mib(size) for _, size in seen[:: max(1, len(seen) // 5)])} from the warm-up to the end of "
        f"{events:,} events; {mib(grown)} on the line, {mib(spread)} around it",
    )


def fit(seen: list[Sample]) -> tuple[float, float]:
    """The line nearest to the samples: bytes for each event, and how far (standard deviation) samples are from it."""
    x, y = fmean(at for at, _ in seen), fmean(size for _, size in seen)
    wide = sum((at - x) ** 2 for at, _ in seen) or 1.0
    slope = sum((at - x) * (size - y) for at, size in seen) / wide
    spread = fmean((size - y - slope * (at - x)) ** 2 for at, size in seen) ** 0.5
    return slope, spread
