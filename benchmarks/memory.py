"""Proportional memory (PSS) of the system when idle, of a Telegram bot, and of a WhatsApp session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from statistics import median

from benchmarks.incoming import Arrivals, receiving
from benchmarks.processes import Helper, helper, name_of, pss, tree
from benchmarks.report import Row, kb, mib, ms
from benchmarks.send import CHAT, TEXT
from benchmarks.system import AT_A_TIME, System, called, next_event, running

MOST_PER_BOT = 60_000
MOST_IDLE = 400 * 2**20
MOST_SESSION = 55 * 2**20
PARTS = ("telegram-adapter", "nats-server", "gateway", "lifecycle", "allocator", "message-store", "webhooks")
FIRST_BOTS = 20


async def _idle(smoke: bool) -> AsyncIterator[Row]:
    idle_s = 1 if smoke else 10
    async with running(sandbox=False) as system:
        await asyncio.sleep(idle_s)
        before = system.cpu_by_process()
        await asyncio.sleep(idle_s)
        used = {name: until_s - before[name] for name, until_s in system.cpu_by_process().items()}
        sizes = [(called(name_of(pid)), pss(pid)) for pid in tree(system.pid)]
    for name, size in sizes:
        yield Row(f"memory: {name}, idle", mib(size), cpu=f"{ms(used[name] / idle_s)} a second")
    total = sum(size for _, size in sizes)
    yield Row(
        "memory: mim up, nothing created",
        mib(total),
        goal=f"<= {mib(MOST_IDLE)}",
        reached=total <= MOST_IDLE,
        cpu=f"{ms(sum(used.values()) / idle_s)} a second",
    )


async def _bots(smoke: bool) -> AsyncIterator[Row]:
    number, settle_s = (100, 1.0) if smoke else (1000, 20.0)
    private = {"MIM_WEBHOOK_PRIVATE": "true"}
    async with running(env=private) as system, helper("benchmarks.load") as load, receiving() as (target, url):
        target.arrivals = Arrivals(number)
        pids = {part: system.process(part) for part in PARTS}
        await _talk(system, load, await system.ready_bots(load, FIRST_BOTS))  # what is loaded at the first use
        await asyncio.sleep(settle_s)
        before = {part: pss(pid) for part, pid in pids.items()}

        def growth() -> dict[str, float]:
            return {part: (pss(pid) - before[part]) / number for part, pid in pids.items()}

        bots = await system.ready_bots(load, number, more={"api_webhook_schema": {"url": url}})
        await asyncio.sleep(settle_s)
        grown = growth()
        await _talk(system, load, bots)
        await target.arrivals.complete("the webhook")
        await asyncio.sleep(settle_s)
        used = growth()
    yield Row(
        f"memory: Telegram bot with everything on, of {number}",
        kb(sum(used.values())),
        note="a webhook, a message each way, then idle: "
        + ", ".join(f"{part} {kb(size)}" for part, size in used.items()),
    )
    two = grown["telegram-adapter"] + grown["nats-server"]
    parts = ", ".join(f"{part} {kb(size)}" for part, size in grown.items())
    yield Row(
        f"memory: idle Telegram bot, of {number}, adapter + nats",
        kb(two),
        goal=f"<= {kb(MOST_PER_BOT)}",
        reached=two <= MOST_PER_BOT,
        note=f"each with a port and its subscriptions: {parts}",
    )


async def _talk(system: System, load: Helper, bots: list[tuple[str, str]]) -> None:
    """One message from each bot, and one to it."""
    await system.say_once(load, bots, CHAT, TEXT, AT_A_TIME)
    for _, token in bots:
        await system.control(
            "telegram", "say", bot=int(token.partition(":")[0]), text=f"{time.time():.6f}", **{"from": int(CHAT)}
        )


async def login(system: System, phone: str) -> str:
    """A WhatsApp account that a phone has linked; its instance."""
    async with system.events() as events:
        made = await system.call(
            "POST", "/api/v1/instances", {"user_id": "bench", "provider": "whatsappweb", "type_instance": ["api"]}
        )
        await next_event(events, "qr_ready", made["instance_id"])
        await system.scan(made["instance_id"], phone)
        await next_event(events, "client_ready", made["instance_id"])
    return str(made["instance_id"])


async def _sessions(smoke: bool) -> AsyncIterator[Row]:
    last = 2 if smoke else 6
    async with running() as system:
        for number in range(1, last + 1):
            await login(system, f"1555000{number:04}")
            if number not in (1, last):
                continue
            await asyncio.sleep(1 if smoke else 5)
            sizes = [pss(pid) for pid in system.children_of_whatsapp()]
            yield Row(
                f"memory: WhatsApp session, {len(sizes)} running",
                mib(median(sizes)),
                goal=f"<= {mib(MOST_SESSION)}",
                reached=max(sizes) <= MOST_SESSION,
                note=f"largest {mib(max(sizes))}, its worker {mib(pss(system.process('whatsapp-adapter')))}",
            )


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """`mim up` with default settings and nothing created; growth per idle bot, by process; a session's process.

    Growth is the difference between 20 bots and 20 more than the number that is named, divided by that number; with
    everything on, each has a webhook and has sent and got a message.
    """
    for part in (_idle, _bots, _sessions):
        async for row in part(smoke):
            yield row
