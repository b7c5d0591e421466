"""Many bots with one message each at the same moment."""

from __future__ import annotations

from collections.abc import AsyncIterator

from benchmarks.processes import helper
from benchmarks.report import Row, ms, percentile
from benchmarks.send import CHAT, TEXT
from benchmarks.system import running


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """As many requests under way as there are bots, each to another bot that has sent nothing for minutes: until the
    200 with the messenger's id. Bare aiogram sends the same from the same bots, one process, one session.
    """
    number = 50 if smoke else 1_000
    async with (
        running() as system,
        helper("benchmarks.load") as load,
        helper("benchmarks.baselines.bare_aiogram") as aiogram,
    ):
        bots = await system.ready_bots(load, number)
        done = await system.say_once(load, bots, CHAT, TEXT, number)
        bare = await aiogram.ask(
            api=f"http://127.0.0.1:{system.emulator('telegram')['api']}",
            tokens=[token for _, token in bots],
            chat=CHAT,
            text=TEXT,
            count=number,
            in_flight=number,
        )
    yield Row(
        f"burst: {number} bots, one message each, until the last",
        f"{done['seconds']:.2f} s",
        f"{bare['seconds']:.2f} s",
        done["seconds"] / bare["seconds"],
        note=f"p50 {ms(percentile(done['latencies'], 0.5))}, p99 {ms(percentile(done['latencies'], 0.99))}, all sent",
    )
