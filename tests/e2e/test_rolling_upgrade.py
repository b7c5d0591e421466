"""Two versions of the contracts side by side in one system, as while a new version is rolled out.

The newer one is a copy of libs/contracts with one more field in commands, events, records and orders: within a version
fields are only ever added. Its services run beside those of this version, on the same bus, which then go on alone.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.e2e import validation
from tests.e2e.beside import Beside
from tests.e2e.conftest import Json, StartSystem, System

if TYPE_CHECKING:
    from nats.aio.client import Client

ROOT = Path(__file__).resolve().parents[2]
MORE = '    hint: str = "newer"\n'
CLASSES = {
    "messages.py": ("Command", "InstanceEvent", "MessageEvent", "Outcome"),
    "records.py": ("InstanceRecord", "SessionOrder", "WorkerHeartbeat", "AllocationRequest", "Allocation"),
    "reports.py": ("ServiceReport",),
}
NEWER = ("lifecycle", "allocator", "telegram-adapter", "gateway")  # the others have files that only one may use


def newer_contracts(folder: Path) -> Path:
    """A copy of the contracts with more fields; the folder that is to be looked in first."""
    package = folder / "mim" / "contracts"
    shutil.copytree(ROOT / "libs" / "contracts" / "src" / "mim" / "contracts", package)
    for name, classes in CLASSES.items():
        text = (package / name).read_text()
        for each in classes:
            text, count = re.subn(
                rf'(\nclass {each}\([^\n]*\n    """.*?""")\n', rf"\1\n\n{MORE}", text, count=1, flags=re.DOTALL
            )
            assert count == 1, each
        (package / name).write_text(text)
    return folder


BODY = {
    "user_id": "test",
    "provider": "telegram",
    "type_instance": ["api"],
    "token": "777777777:AAEabcdefghijklmnopqrstuvwxyz0123456",
}


@pytest.fixture
def documents_of_the_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents of this version do not have what is new; everything else is held to them."""
    add = validation.VIOLATIONS.add
    monkeypatch.setattr(validation.VIOLATIONS, "add", lambda problem: None if "hint" in problem else add(problem))


@pytest_asyncio.fixture(loop_scope="session")
async def newer(
    documents_of_the_newer_version: None, own_system: StartSystem, tmp_path: Path
) -> AsyncIterator[tuple[System, Beside]]:
    system = await own_system()
    made = Beside(system, "newer", PYTHONPATH=str(newer_contracts(tmp_path / "newer")))
    yield system, made
    await made.stop()


@pytest.mark.timeout(180)
async def test_two_versions_do_the_main_job_together(newer: tuple[System, Beside]) -> None:
    system, services = newer
    before = await system.ready_telegram()
    await services.start(*NEWER)
    bus = await system.bus()
    made = [await system.ready_telegram() for _ in range(4)]
    status, answer = await system.call("POST", f"{services.url}/api/v1/instances", BODY)
    assert status == 201
    await system.until(answer["instance_id"], "client_ready")
    made.append(answer)
    workers = {each["instance_id"]: (await system.get(each["instance_id"]))["worker"] for each in made}
    assert "telegram-newer" in workers.values()
    for instance_id, worker in workers.items():
        assert await _tells_more(bus, instance_id) == (worker == "telegram-newer")
    for each in (before, *made):
        await _sends(system, each)

    # Whatever one version writes the other takes over: those of this version die again and again, then the newer ones.
    for name in ("lifecycle", "telegram-adapter", "allocator"):
        system.kill(name)
    for each in (before, *made):
        await _changes(system, each)
        await _sends(system, each, crashed=True)
    await services.stop()
    for each in (before, *made):
        await system.until(each["instance_id"], "client_ready")
        await _sends(system, each)
        await system.call("DELETE", f"/api/v1/instances/{each['instance_id']}")
    await bus.close()
    async with asyncio.timeout(20):
        while (await system.call("GET", "/api/v1/instances"))[1]["total"]:  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.1)


async def _sends(system: System, made: Json, *, crashed: bool = False) -> None:
    """Send through the gateway, wherever the instance is now. What was on its way to a worker that crashed just then is
    open, and said to be; the next one is not.
    """
    path = f"/api/v1/instances/{made['instance_id']}/messages"
    async with asyncio.timeout(40):
        while True:
            status, answer = await system.call("POST", path, {"to": "134527512", "text": "hello"})
            if status == 200:
                return
            if crashed and answer.get("code") == "UNCERTAIN":
                crashed = False
                continue
            assert status in (202, 409, 503), answer
            await system.until(made["instance_id"], "client_ready")


async def _changes(system: System, made: Json) -> None:
    path = f"/api/v1/instances/{made['instance_id']}"
    async with asyncio.timeout(20):
        while (await system.call("PATCH", path, {"name": "renamed"}))[0] != 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    assert (await system.get(made["instance_id"]))["name"] == "renamed"


async def _tells_more(bus: Client, instance_id: str) -> bool:
    """Whether the last event of an instance has what only the newer version knows."""
    told = await bus.jetstream(timeout=5).get_last_msg("EVENTS", f"mim.evt.instance.{instance_id}.client_ready")
    return "hint" in json.loads(told.data or b"{}")["data"]
