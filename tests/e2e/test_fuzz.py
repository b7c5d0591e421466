"""Whatever a caller sends, the system answers as its OpenAPI document says, and stays whole.

    MIM_FUZZ_CASES=100000 ./mim test tests/e2e/test_fuzz.py

makes more calls than the 20,000 of every run.
"""

from __future__ import annotations

import asyncio
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
    from conftest import StartSystem, System

CASES = int(os.environ.get("MIM_FUZZ_CASES", "20000"))
PROCESSES = 2
PORTS = 2000
PROVIDERS = {"telegram": "134527512", "whatsappweb": "15550002222"}


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
    assert report.calls >= CASES
    await _is_whole(system, before)


async def _world(system: System) -> fuzzing.World:
    made = {"telegram": await system.ready_telegram(), "whatsappweb": await system.ready_whatsapp("15551118001")}
    names = ("instance_id", "port", "api_key")
    instances = [{"provider": provider} | {name: answer[name] for name in names} for provider, answer in made.items()]
    for instance in instances:  # so that there are chats to look into
        path = "telegram/send" if instance["provider"] == "telegram" else "send"
        chat = PROVIDERS[instance["provider"]]
        body = {"chatId": chat, "number": chat, "message": "hello"}
        status, _ = await system.port_call(instance["port"], "POST", f"/api/v1/{path}", body, instance["api_key"])
        assert status == 200
    _, health = await system.call("GET", "/health")
    return fuzzing.World(system.url, tuple(instances), tuple(health["services"]), tuple(PROVIDERS.values()))


async def _fuzz(world: fuzzing.World, number: int) -> fuzzing.Report:
    """Some processes, each with a part of the operations."""
    loop, whole = asyncio.get_running_loop(), fuzzing.Report()
    fork = multiprocessing.get_context("fork")  # the modules of tests cannot be imported by name
    with ProcessPoolExecutor(PROCESSES, fork, initializer=_leave_signals_alone) as pool:
        parts = fuzzing.shares(fuzzing.operations(), PROCESSES)
        work = [
            loop.run_in_executor(pool, fuzzing.fuzz, world, part, CASES // PROCESSES + 1, number + index)
            for index, part in enumerate(parts)
        ]
        for report in await asyncio.gather(*work):
            whole.calls += report.calls
            whole.statuses += report.statuses
            whole.failures |= report.failures
    return whole


def _leave_signals_alone() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _is_whole(system: System, before: dict[str, int]) -> None:
    """Nothing was restarted, nothing broke unseen, nothing was parked, and what was there is still there."""
    services = {name: pid for name, pid in before.items() if name.startswith(("mim", "nats"))}
    assert services.items() <= system.processes().items()
    broken = [line for line in system.output.splitlines() if "request_failed" in line or "Traceback" in line]
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
    return "\n".join([f"{report.calls} calls", *(f"{name:28}{found}" for name, found in by_operation.items())])
