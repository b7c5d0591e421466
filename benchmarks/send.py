"""Sending texts through the gateway, against bare aiogram on the same emulator. Pacing is off by setting."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from statistics import median

from benchmarks.processes import Helper, cpu_s, helper
from benchmarks.report import BrokenError, Row, median_ratio, ms, percentile
from benchmarks.system import System, flush_note, running

CHAT, TEXT = "424242", "What a benchmark says, about as long as a short answer of a person."
IN_FLIGHT = 64
MOST_MORE_S = 0.003
LEAST_RATE = 0.5
Bots = list[tuple[str, str]]


async def _ours(system: System, load: Helper, bots: Bots, count: int, in_flight: int) -> tuple[list[float], float]:
    body = json.dumps({"to": CHAT, "message": TEXT})
    path = "/api/v1/multi-provider/instances/telegram/{}/send-message"
    requests = [["POST", path.format(instance_id), body] for instance_id, _ in bots]
    done = await load.ask(
        port=system.port, requests=requests, expect='"messageId":', connections=in_flight, count=count
    )
    if done["wrong"]:
        raise BrokenError(f"a send failed: {done['wrong'][0]}")
    return done["latencies"], count / done["seconds"]


async def _bare(api: str, aiogram: Helper, bots: Bots, count: int, in_flight: int) -> tuple[list[float], float]:
    tokens = [token for _, token in bots]
    done = await aiogram.ask(api=api, tokens=tokens, chat=CHAT, text=TEXT, count=count, in_flight=in_flight)
    return done["latencies"], count / done["seconds"]


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """From the request to the 200 with the messenger's id: durably queued, sent, and told, against a bare Bot API call.

    p50 of one message at a time, and messages a second with 64 under way, once over 64 instances and once through a
    single one. Rounds of both alternate; figures are medians over rounds, ratios medians of the rounds' ratios.
    """
    rounds, singly, many = (2, 30, 150) if smoke else (7, 200, 1000)
    async with (
        running(env={"MIM_TELEGRAM_PACING": "off"}) as system,
        helper("benchmarks.load") as load,
        helper("benchmarks.baselines.bare_aiogram") as aiogram,
    ):
        bots = await system.ready_bots(load, IN_FLIGHT)
        api = f"http://127.0.0.1:{system.emulator('telegram')['api']}"
        await _ours(system, load, bots, IN_FLIGHT * 2, IN_FLIGHT)
        await _bare(api, aiogram, bots, IN_FLIGHT * 2, IN_FLIGHT)

        flush = flush_note(system)
        pairs = []
        for _ in range(rounds):
            bare, _ = await _bare(api, aiogram, bots[:1], singly, 1)
            ours, _ = await _ours(system, load, bots[:1], singly, 1)
            pairs.append((percentile(ours, 0.5), percentile(bare, 0.5)))
        more_s = median(ours - bare for ours, bare in pairs)
        yield Row(
            "send: one at a time, p50",
            ms(median(ours for ours, _ in pairs)),
            f"{ms(median(bare for _, bare in pairs))} aiogram",
            median(ours / bare for ours, bare in pairs),
            f"<= {ms(MOST_MORE_S)} more",
            more_s <= MOST_MORE_S,
            f"{ms(more_s)} more; pacing off; {flush}",
        )
        for name, some in (("64 instances", bots), ("one instance", bots[:1])):
            ours_rates, bare_rates, bare_s = [], [], 0.0
            used: dict[str, float] = defaultdict(float)
            for _ in range(rounds):
                bare_s -= cpu_s(aiogram.pid)
                bare_rates.append((await _bare(api, aiogram, some, many, IN_FLIGHT))[1])
                bare_s += cpu_s(aiogram.pid)
                before = system.cpu_by_process()
                ours_rates.append((await _ours(system, load, some, many, IN_FLIGHT))[1])
                for part, until_s in system.cpu_by_process().items():
                    used[part] += (until_s - before[part]) / (rounds * many)
            most = sorted(used.items(), key=lambda item: -item[1])[:7]
            parts = ", ".join(f"{part} {ms(used_s)}" for part, used_s in most)
            ratio = median_ratio(ours_rates, bare_rates)
            yield Row(
                f"send: 64 in flight, {name}",
                f"{median(ours_rates):.0f}/s",
                f"{median(bare_rates):.0f}/s aiogram",
                ratio,
                f">= {LEAST_RATE} of its rate",
                ratio >= LEAST_RATE,
                "pacing off",
                cpu=f"{ms(sum(used.values()))} a message: {parts}; aiogram {ms(bare_s / (rounds * many))}",
            )
