"""Creating instances at a fixed rate: `POST /api/v1/instances` until the 201 with port and API key."""

from __future__ import annotations

from collections.abc import AsyncIterator

from benchmarks.processes import end, helper, python
from benchmarks.report import BrokenError, Row, ms, percentile
from benchmarks.system import create_request, flush_note, running

RATE = 50.0
GOAL_S = 0.050


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """p50 and p99 of the time to the 201 at 50 creates a second, Telegram bots that are started at once.

    Open loop: each request is timed from the moment it was due, so a stall counts for all that it holds up. Baseline:
    the same requests at the same rate to a bare aiohttp server. Rounds of both alternate.
    """
    rounds, each = (2, 75) if smoke else (2, 500)
    ours: list[float] = []
    bare: list[float] = []
    hello = await python("-m", "benchmarks.baselines.hello")
    try:
        port = int(await hello.stdout.readline()) if hello.stdout else 0
        async with running() as system, helper("benchmarks.load") as load:
            await system.ready_bots(load, 5)  # what is loaded and compiled at the first use of anything
            cpu_s = system.cpu_s()
            for _ in range(rounds):
                made = [create_request() for _ in range(each)]
                same = [["POST", "/", body] for _, _, body in made]
                bare += (await load.ask(port=port, requests=same, expect="world", rate=RATE))["latencies"]
                done = await load.ask(port=system.port, requests=made, expect='"api_key":"mim_', rate=RATE)
                if done["wrong"]:
                    raise BrokenError(f"a create failed: {done['wrong'][0]}")
                ours += done["latencies"]
            await system.until_ready(5 + rounds * each)
            each_s = (system.cpu_s() - cpu_s) / (rounds * each)
            flush = flush_note(system)
    finally:
        await end(hello)
    for share, goal in ((0.5, None), (0.99, GOAL_S)):
        figure, base = percentile(ours, share), percentile(bare, share)
        yield Row(
            f"create: POST to 201 at {RATE:g}/s, p{share * 100:g}",
            ms(figure),
            f"{ms(base)} aiohttp",
            figure / base,
            f"<= {ms(goal)}" if goal else "-",
            figure <= goal if goal else None,
            f"{len(ours)} creates, slowest {ms(max(ours))}; {flush}" if goal else "",
            cpu=ms(each_s) if goal else "",
        )
