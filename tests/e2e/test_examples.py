"""The programs in `examples/`, run as a stranger runs them, against a real system."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GOOD_TOKEN = "246810121:AAEexampleexampleexampleexample77"
UNKNOWN = {"NATS_URL": "nats://127.0.0.1:9"}


async def start(system: System, name: str, *arguments: str, **env: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, EXAMPLES / name, *arguments),
        env=os.environ | {"MIM_DATA_DIR": str(system.folder)} | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def run(system: System, name: str, *arguments: str, **env: str) -> tuple[int | None, str]:
    """Exit code and output."""
    process = await start(system, name, *arguments, **env)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode()


@asynccontextmanager
async def watching(system: System) -> AsyncIterator[asyncio.StreamReader]:
    """The output of `watch_statuses.py`."""
    process = await start(system, "watch_statuses.py")
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def lines_until(output: asyncio.StreamReader, *words: str) -> list[str]:
    """The lines up to one with all the words."""
    lines: list[str] = []
    async with asyncio.timeout(40):
        while not lines or any(word not in lines[-1] for word in words):
            line = (await output.readline()).decode().rstrip()
            assert line, lines
            lines.append(line)
    return lines


async def healthy(system: System, killed: int) -> None:
    """Return when another bus has taken the place of the killed one, and everything works with it."""
    async with asyncio.timeout(40):
        while system.processes().get("nats-server") in (None, killed):
            await asyncio.to_thread(os.sched_yield)
        while (await system.call("GET", "/health"))[0] != 200:
            pass


def steps_of(lines: list[str], instance_id: str) -> list[str]:
    return [line.split()[2] for line in lines if line.split()[1] == instance_id]


FROM_CREATED_TO_READY = ["created", "allocated", "starting", "authenticated", "client_ready"]


async def test_an_instance_is_created_once_and_waited_for(system: System) -> None:
    chosen = str(uuid4())
    asked = ("create_and_wait.py", "telegram", "example", "--id", chosen)
    code, out = await run(system, *asked, MIM_BOT_TOKEN=GOOD_TOKEN)
    assert (code, out.splitlines()[-1].split()[0]) == (0, "client_ready"), out
    code, out = await run(system, *asked, MIM_BOT_TOKEN=GOOD_TOKEN)
    assert (code, out.splitlines()[0]) == (0, "it was asked for before"), out
    instances = (await system.call("GET", "/api/v1/instances?user_id=example"))[1]["instances"]
    assert [item["id"] for item in instances] == [chosen]
    assert GOOD_TOKEN not in out


async def test_a_bad_token_a_missing_one_and_an_id_of_somebody_else_end_with_the_reason(system: System) -> None:
    revoked = "999999991:AAEexampleexampleexampleexample77"
    made = await system.ready_telegram(token=revoked)
    await system.control("telegram", "revoke", bot=999999991)
    await system.until(made["instance_id"], "error")
    code, out = await run(system, "create_and_wait.py", "telegram", "robot-2", MIM_BOT_TOKEN=revoked)
    assert code == 1, out
    assert "TOKEN_REJECTED" in out
    code, out = await run(system, "create_and_wait.py", "telegram", "robot-2")
    assert code == 1, out
    assert "TOKEN_MISSING" in out
    taken = (await system.create("whatsappweb"))["instance_id"]
    code, out = await run(system, "create_and_wait.py", "telegram", "robot-2", "--id", taken, MIM_BOT_TOKEN=GOOD_TOKEN)
    assert code == 1, out
    assert "ALREADY_EXISTS" in out


async def test_who_is_not_ready_in_time_or_finds_no_bus_ends_with_the_reason(system: System) -> None:
    code, out = await run(system, "create_and_wait.py", "whatsappweb", "robot-3", "--deadline", "6")
    assert code == 1
    assert "qr_ready" in out
    assert out.splitlines()[-1] == "not ready after 6 s"
    code, out = await run(system, "create_and_wait.py", "whatsappweb", "robot-3", **UNKNOWN)
    assert code == 1
    assert "the bus cannot be used" in out


async def test_statuses_are_replayed_and_followed_once_each_over_a_restart_of_the_bus(own_system: StartSystem) -> None:
    system = await own_system()
    first = await system.ready_telegram()
    async with watching(system) as output:
        seen = await lines_until(output, first["instance_id"], "client_ready")
        assert steps_of(seen, first["instance_id"]) == FROM_CREATED_TO_READY
        killed = system.kill("nats-server")
        await healthy(system, killed)
        second = await system.ready_telegram()
        seen += await lines_until(output, second["instance_id"], "client_ready")
    events = [line for line in seen if not line.startswith("#")]
    assert len(set(events)) == len(events)
    assert steps_of(events, second["instance_id"]) == FROM_CREATED_TO_READY
    async with watching(system) as output:
        again = await lines_until(output, second["instance_id"], "client_ready")
    assert again == events
