"""What people say to bots, on its way to whoever listens: a webhook's target, and a subscriber on NATS."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from aiohttp import web
from nats.aio.msg import Msg

from benchmarks.processes import Helper, Json, helper
from benchmarks.report import BrokenError, Row, ms, percentile
from benchmarks.system import System, create_request, running

BOTS = 32
WITHIN_S = 90.0
SAYING = 32


class Arrivals:
    """How long after the time in its text each message arrived; `count` of them are waited for."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.delays: list[float] = []
        self.last_at = 0.0
        self._all = asyncio.Event()

    def note(self, said_at: str) -> None:
        """One came."""
        self.last_at = time.time()
        self.delays.append(self.last_at - float(said_at))
        if len(self.delays) == self._count:
            self._all.set()

    async def complete(self, where: str) -> None:
        """Wait for the last. Raises: BrokenError."""
        try:
            await asyncio.wait_for(self._all.wait(), WITHIN_S)
        except TimeoutError:
            raise BrokenError(f"only {len(self.delays)} of {self._count} messages came to {where}") from None


class Target:
    """A webhook target that says yes."""

    def __init__(self) -> None:
        self.arrivals = Arrivals(0)

    async def answer(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        self.arrivals.note((await request.json())["message"]["body"])
        return web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Target, str]]:
    """A target on loopback, and its URL."""
    target = Target()
    app = web.Application()
    app.router.add_post("/", target.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield target, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _subscribed(system: System, arrivals: Arrivals) -> AsyncIterator[None]:
    access = json.loads((system.folder / "nats" / "access.json").read_text())
    client = await nats.connect(
        access["MIM_NATS_URL"], user=access["MIM_NATS_USER"], password=access["MIM_NATS_PASSWORD"]
    )

    async def came(message: Msg) -> None:
        arrivals.note(json.loads(message.data)["data"]["message"]["body"])

    try:
        await client.subscribe("mim.evt.message.*.received", cb=came)
        await client.flush()
        yield
    finally:
        await client.close()


async def _say(system: System, bots: list[int], count: int, rate: float | None) -> float:
    """Let people say the time to the bots in turn, at a rate or as fast as it goes. Returns when it began."""
    began = time.time()
    left = iter(range(count))

    async def talk() -> None:
        for number in left:
            at = time.time()
            if rate is not None:  # open loop: the text holds when it was due
                at = began + number / rate
                await asyncio.sleep(max(0.0, at - time.time()))
            bot = bots[number % len(bots)]
            await system.control("telegram", "say", bot=bot, text=f"{at:.6f}", **{"from": 77})

    await asyncio.gather(*(talk() for _ in range(SAYING)))
    return began


async def _ours(
    system: System, target: Target, bots: list[int], count: int, rate: float | None
) -> tuple[Arrivals, Arrivals, float]:
    target.arrivals, subscriber = Arrivals(count), Arrivals(count)
    async with _subscribed(system, subscriber):
        began = await _say(system, bots, count, rate)
        await asyncio.gather(target.arrivals.complete("the webhook"), subscriber.complete("the subscriber"))
    return target.arrivals, subscriber, began


async def _bare(system: System, polling: Helper, count: int, rate: float) -> list[float]:
    tokens = [json.loads(create_request()[2])["token"] for _ in range(BOTS)]
    api = f"http://127.0.0.1:{system.emulator('telegram')['api']}"
    bots = [int(token.partition(":")[0]) for token in tokens]
    asked = asyncio.create_task(polling.ask(api=api, tokens=tokens, count=count, within_s=WITHIN_S))
    await _say(system, bots, count, rate)
    delays: list[float] = (await asked)["delays"]
    return delays


def _row(where: str, rate: float, ours: list[float], bare: list[float]) -> Row:
    p50, p99 = percentile(ours, 0.5), percentile(ours, 0.99)
    bare_p50, bare_p99 = percentile(bare, 0.5), percentile(bare, 0.99)
    return Row(
        f"incoming: to {where}, {rate:g}/s",
        f"{ms(p50)} / {ms(p99)}",
        f"{ms(bare_p50)} / {ms(bare_p99)}",
        p50 / bare_p50,
        note=f"p50 / p99 of {len(ours)}, slowest {ms(max(ours))}; the baseline is in aiogram's hands",
    )


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """From somebody saying something in the emulator to its arrival: at the target of a webhook, and at a plain
    subscriber of NATS. Both are durable by then: stored, signed and recorded.

    At a fixed rate, the time in the text is when the message was due (open loop), and bare aiogram polls other bots of
    the same emulator at the same rate before. Then as fast as the emulator can be told, counted to the last arrival.
    """
    rate, count, most = (40.0, 80, 100) if smoke else (100.0, 2_000, 3_000)
    async with (
        running(env={"MIM_WEBHOOK_PRIVATE": "true"}) as system,
        helper("benchmarks.load") as load,
        helper("benchmarks.baselines.bare_polling") as polling,
        receiving() as (target, url),
    ):
        hook: Json = {"api_webhook_schema": {"url": url}}
        made = await system.ready_bots(load, BOTS, more=hook)
        bots = [int(token.partition(":")[0]) for _, token in made]
        await _bare(system, polling, BOTS, rate)  # until its process has loaded everything
        bare = await _bare(system, polling, count, rate)
        at_target, at_subscriber, _ = await _ours(system, target, bots, count, rate)
        yield _row("a NATS subscriber", rate, at_subscriber.delays, bare)
        yield _row("a webhook's target", rate, at_target.delays, bare)

        computed = system.cpu_s()
        at_target, at_subscriber, began = await _ours(system, target, bots, most, None)
        computed = (system.cpu_s() - computed) / most
        yield Row(
            f"incoming: {most} at once, {BOTS} bots with a webhook",
            f"{most / (at_target.last_at - began):.0f}/s",
            f"{most / (at_subscriber.last_at - began):.0f}/s at NATS",
            note=f"all processes computed {ms(computed)} for each, the emulator among them",
        )
