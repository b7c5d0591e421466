"""Proportional memory (PSS) of the system when idle, of a Telegram bot, and of a WhatsApp session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from statistics import median

from benchmarks.processes import helper, name_of, pss, tree
from benchmarks.report import Row, kb, mib
from benchmarks.system import System, next_event, running

MOST_PER_BOT = 60_000
MOST_IDLE = 400 * 2**20
MOST_SESSION = 55 * 2**20
PARTS = ("telegram-adapter", "nats-server", "gateway", "lifecycle", "allocator")
FIRST_BOTS = 20


async def _idle(smoke: bool) -> AsyncIterator[Row]:
    async with running(sandbox=False) as system:
        await asyncio.sleep(1 if smoke else 10)
        sizes = [(name_of(pid) or str(pid), pss(pid)) for pid in tree(system.pid)]
    total = sum(size for _, size in sizes)
    parts = ", ".join(f"{name} {mib(size)}" for name, size in sizes)
    yield Row(
        "memory: mim up, nothing created",
        mib(total),
        goal=f"<= {mib(MOST_IDLE)}",
        reached=total <= MOST_IDLE,
        note=parts,
    )


async def _bots(smoke: bool) -> AsyncIterator[Row]:
    number, settle_s = (100, 1.0) if smoke else (1000, 20.0)
    async with running() as system, helper("benchmarks.load") as load:
        pids = {part: system.process(part) for part in PARTS}
        await system.ready_bots(load, FIRST_BOTS)  # what is loaded at the first use of anything
        await asyncio.sleep(settle_s)
        before = {part: pss(pid) for part, pid in pids.items()}
        await system.ready_bots(load, number)
        await asyncio.sleep(settle_s)
        grown = {part: (pss(pid) - before[part]) / number for part, pid in pids.items()}
    two = grown["telegram-adapter"] + grown["nats-server"]
    parts = ", ".join(f"{part} {kb(size)}" for part, size in grown.items())
    yield Row(
        f"memory: idle Telegram bot, of {number}, adapter + nats",
        kb(two),
        goal=f"<= {kb(MOST_PER_BOT)}",
        reached=two <= MOST_PER_BOT,
        note=f"each with a port and its subscriptions: {parts}",
    )


async def _login(system: System, phone: str) -> None:
    async with system.events() as events:
        made = await system.call(
            "POST", "/api/v1/instances", {"user_id": "bench", "provider": "whatsappweb", "type_instance": ["api"]}
        )
        await next_event(events, "qr_ready", made["instance_id"])
        await system.scan(made["instance_id"], phone)
        await next_event(events, "client_ready", made["instance_id"])


async def _sessions(smoke: bool) -> AsyncIterator[Row]:
    last = 2 if smoke else 6
    async with running() as system:
        for number in range(1, last + 1):
            await _login(system, f"1555000{number:04}")
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

    Growth is the difference between 20 bots and 20 more than the number that is named, divided by that number.
    """
    for part in (_idle, _bots, _sessions):
        async for row in part(smoke):
            yield row
