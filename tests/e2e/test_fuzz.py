"""Whatever a caller sends, the system answers as its OpenAPI document says, and stays whole.

    MIM_FUZZ_CASES=100000 ./mim test tests/e2e/test_fuzz.py

makes more calls than the usual 20,000.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import random
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.e2e import fuzzing

from mim.contracts import subjects

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

CASES = int(os.environ.get("MIM_FUZZ_CASES", "20000"))
PROCESSES = 4
PORTS = 2000
BROKEN = ("request_failed", "task_crashed", "dead_letter", "figures_failed", "unhandled")
CHAT = "15550002222"


@pytest.mark.timeout(120 + CASES // 25)
async def test_no_call_breaks_the_system_or_gets_an_undocumented_answer(own_system: StartSystem) -> None:
    system = await own_system(ports=PORTS, MIM_RATE_LIMIT="0")
    world = await _world(system)
    before = system.processes()
    number = random.randrange(10**6)
    report = await _fuzz(world, number)
    text = "\n\n".join(report.failures.values())
    print(_summary(report))
    assert not report.failures, f"begun with {number}:\n\n{text}"
    if CASES >= 20_000:
        assert len({name for name, _ in report.statuses}) == len(fuzzing.operations())
    await _is_whole(system, before)


async def _world(system: System) -> fuzzing.World:
    """A ready instance of each provider with a chat, and one that waits for its QR code to be scanned."""
    bot, phone = await system.ready_telegram(), await system.ready_whatsapp("15551118001")
    waiting = await system.create("whatsappweb")
    await system.until(waiting["instance_id"], "qr_ready")
    for made, path in ((bot, "telegram/send"), (phone, "send")):
        body = {"chatId": CHAT, "number": CHAT, "message": "hello"}
        status, _ = await system.port_call(made["port"], "POST", f"/api/v1/{path}", body, made["api_key"])
        assert status == 200
    names = ("instance_id", "port", "api_key")
    instances = [
        {"provider": made["instance"]["provider"]} | {name: made[name] for name in names}
        for made in (bot, phone, waiting)
    ]
    _, health = await system.call("GET", "/health")
    return fuzzing.World(system.url, tuple(instances), tuple(health["services"]), (CHAT, "nobody"))


async def _fuzz(world: fuzzing.World, number: int) -> fuzzing.Report:
    """Round after round, until there were enough calls, in some processes."""
    loop, whole = asyncio.get_running_loop(), fuzzing.Report()
    work = zip(itertools.cycle(fuzzing.operations()), itertools.count(number))
    fork = multiprocessing.get_context("fork")  # the modules of tests cannot be imported by name
    with ProcessPoolExecutor(PROCESSES, fork, initializer=_leave_signals_alone) as pool:

        async def run() -> None:
            while whole.calls < CASES:
                label, begin = next(work)
                whole.add(await loop.run_in_executor(pool, fuzzing.fuzz, world, label, begin))

        await asyncio.gather(*(run() for _ in range(PROCESSES)))
    return whole


def _leave_signals_alone() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _is_whole(system: System, before: dict[str, int]) -> None:
    """Nothing was restarted, nothing broke unseen, nothing was parked, and what was there is still there."""
    services = {name: pid for name, pid in before.items() if name.startswith(("mim", "nats"))}
    assert services.items() <= system.processes().items()
    broken = [line for line in system.output.splitlines() if any(word in line for word in BROKEN)]
    assert not broken, broken[:5]
    client = await system.bus()
    dead = await client.jetstream().stream_info(subjects.DEAD)
    await client.close()
    assert dead.state.messages == 0
    status, health = await system.call("GET", "/health")
    assert (status, health["status"]) == (200, "healthy")


def _summary(report: fuzzing.Report) -> str:
    by_operation: dict[str, dict[int, int]] = {}
    for (name, status), number in sorted(report.statuses.items()):
        by_operation.setdefault(name, {})[status] = number
    lines = [f"{name:24}{report.seconds[name]:7.1f} s {found}" for name, found in by_operation.items()]
    return "\n".join([f"{report.calls} calls", *lines])
