"""A worker is drained: its instances go on elsewhere, and nobody who talks to them notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.chaos import checker
from tests.chaos.aftermath import bot, phone, settled, violations
from tests.chaos.load import Load
from tests.e2e.beside import Beside
from tests.e2e.conftest import StartSystem, System

from mim.contracts.messages import MessageFailed, QrReady

BOTS, PHONES = 6, 2
ADAPTERS = ("telegram-adapter", "whatsapp-adapter")


@pytest_asyncio.fixture(loop_scope="session")
async def two_hosts(own_system: StartSystem, tmp_path: Path) -> AsyncIterator[tuple[System, Beside]]:
    """A system, and where further services of it may run, with files of their own."""
    system = await own_system(ports=100)
    beside = Beside(system, "second", tmp_path / "second")
    yield system, beside
    await beside.stop()


async def holders(system: System) -> dict[str, str]:
    """By instance with a session, its worker."""
    _, answer = await system.call("GET", "/api/v1/instances?limit=1000")
    return {each["id"]: each["worker"] for each in answer["instances"] if each["is_ready_for_messages"]}


@pytest.mark.timeout(240)
async def test_all_accounts_move_under_load_without_a_scan_and_nothing_is_lost_or_doubled(
    two_hosts: tuple[System, Beside],
) -> None:
    system, beside = two_hosts
    accounts = [await bot(system) for _ in range(BOTS)] + [await phone(system, each) for each in range(PHONES)]
    first = set(await beside.workers())
    bus = await system.bus()
    load = Load(system, bus, accounts, 1)
    async with load.running() as written:
        await beside.start(*ADAPTERS)
        for provider in ("telegram", "whatsapp"):
            (leaving,) = (name for name in first if name.startswith(provider))
            await beside.until_worker(f"{provider}-second", "active")
            said = await system.cli("workers", "drain", leaving)
            assert f"{leaving} is drained" in said
            assert leaving not in (await holders(system)).values()
            assert (await beside.workers())[leaving]["instances"] == 0
    try:
        entries = await settled(system, bus, written, ())
        wrong = await violations(system, bus, accounts, written, entries)
        wrong += checker.received(entries, written, {}, ())
        told = [entry.envelope.data for entry in entries]
        wrong += [f"{each.id} failed: {each.message}" for each in told if isinstance(each, MessageFailed)]
    finally:
        await bus.close()
    assert not wrong, "\n".join(wrong)
    assert len([each for each in told if isinstance(each, QrReady)]) == PHONES
    for account in accounts:
        now = await system.get(account.instance_id)
        assert (now["worker"].endswith("-second"), now["epoch"]) == (True, 2)
    # One is given instances again, the other ends; a new life of it is not draining.
    await system.cli("workers", "undrain", next(name for name in first if name.startswith("whatsapp")))
    system.kill("telegram-adapter")
    for name in first:
        await beside.until_worker(name, "active")


async def test_a_worker_without_another_is_not_drained_and_one_that_is_not_there_neither(system: System) -> None:
    _, listed = await system.call("GET", "/api/v1/workers")
    assert {each["provider"] for each in listed["workers"]} == {"telegram", "whatsappweb"}
    for each in listed["workers"]:
        assert (each["state"], each["only"]) == ("active", None)
        status, answer = await system.call("POST", f"/api/v1/workers/{each['name']}/drain")
        assert (status, answer["code"]) == (409, "NO_OTHER_WORKER")
        assert "start another" in answer["error"]
        assert each["name"] in await system.cli("workers")
    for method in ("POST", "DELETE"):
        status, answer = await system.call(method, "/api/v1/workers/nobody/drain")
        assert (status, answer["code"]) == (404, "NOT_FOUND")
