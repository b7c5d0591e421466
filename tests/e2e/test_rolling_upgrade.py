"""Two versions of the contracts side by side in one system, as while a new version is rolled out.

The newer one is a copy of libs/contracts with one more field in commands, events, records and orders: within a version
fields are only ever added. Its services run beside those of this version, on the same bus, which then go on alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.conftest import free_port
from tests.e2e import validation
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


class Newer:
    """Services of the newer version on the bus of a system."""

    def __init__(self, system: System, contracts: Path) -> None:
        self._system = system
        self._contracts = contracts
        self._processes: list[asyncio.subprocess.Process] = []
        self.url = f"http://127.0.0.1:{free_port()}"
        """Where its gateway is."""

    async def start(self, *names: str) -> None:
        """Start services; returns when each says that it is ready."""
        await asyncio.gather(*map(self._start, names))

    async def _start(self, name: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mim.cli", "run", name),
            env=os.environ | self._environment(name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._processes.append(process)
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(30):
            while b"service_ready" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        self._drain = asyncio.create_task(process.stdout.read())

    def _environment(self, name: str) -> dict[str, str]:
        folder = self._system.folder
        access = json.loads((folder / "nats" / "access.json").read_text())
        telegram = json.loads((folder / "sandbox" / "telegram" / "ports.json").read_text())
        ports = self._system.instance_ports
        return {
            "PYTHONPATH": str(self._contracts),
            "MIM_NATS_URL": access["MIM_NATS_URL"],
            "MIM_NATS_NKEY_FILE": str(folder / "nats" / "keys" / f"{name}.nk"),
            "MIM_DATA_DIR": str(folder),
            "MIM_LOG_FORMAT": "json",
            "MIM_WORKER": "newer",
            "MIM_PORT": self.url.rpartition(":")[2],
            "MIM_INSTANCE_PORTS": f"{ports[0]}-{ports[-1]}",
            "MIM_TELEGRAM_API_URL": f"http://127.0.0.1:{telegram['api']}",
        }

    async def stop(self) -> None:
        """End all of them."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(process.wait() for process in self._processes))
        self._processes = []


@pytest.fixture
def documents_of_the_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents of this version do not have what is new; everything else is held to them."""
    add = validation.VIOLATIONS.add
    monkeypatch.setattr(validation.VIOLATIONS, "add", lambda problem: None if "hint" in problem else add(problem))


@pytest_asyncio.fixture(loop_scope="session")
async def newer(
    documents_of_the_newer_version: None, own_system: StartSystem, tmp_path: Path
) -> AsyncIterator[tuple[System, Newer]]:
    system = await own_system()
    made = Newer(system, newer_contracts(tmp_path / "newer"))
    yield system, made
    await made.stop()


@pytest.mark.timeout(180)
async def test_two_versions_do_the_main_job_together(newer: tuple[System, Newer]) -> None:
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
    assert "newer" in workers.values()
    for instance_id, worker in workers.items():
        assert await _tells_more(bus, instance_id) == (worker == "newer")
    for each in (before, *made):
        await _sends(system, each)

    # Whatever one version writes the other takes over: those of this version die again and again, then the newer ones.
    for name in ("lifecycle", "telegram-adapter", "allocator"):
        system.kill(name)
    for each in (before, *made):
        await _changes(system, each)
        await _sends(system, each)
    await services.stop()
    for each in (before, *made):
        await system.until(each["instance_id"], "client_ready")
        await _sends(system, each)
        await system.call("DELETE", f"/api/v1/instances/{each['instance_id']}")
    await bus.close()
    async with asyncio.timeout(20):
        while (await system.call("GET", "/api/v1/instances"))[1]["total"]:  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.1)


async def _sends(system: System, made: Json) -> None:
    """Send through the gateway, wherever the instance is now."""
    path = f"/api/v1/instances/{made['instance_id']}/messages"
    async with asyncio.timeout(40):
        while True:
            status, answer = await system.call("POST", path, {"to": "134527512", "text": "hello"})
            if status == 200:
                return
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
