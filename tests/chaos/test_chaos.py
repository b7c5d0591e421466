"""Everything may be killed, frozen or cut off at any moment, and what was promised holds nevertheless.

MIM_CHAOS_FAULTS=1000 ./mim test tests/chaos             the full size, three quarters of an hour
MIM_CHAOS_SEED=12345 ./mim test tests/chaos -k server    those of a violation again, as it says itself

The faults come in rounds, each on a system of its own: on one server, with a disk that may be full, and on a cluster of
three, which needs root for its hosts. A violation is so told with the few faults that led to it.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from tests.chaos import checker, servers
from tests.chaos.aftermath import bot, confirmed, phone, settled, violations
from tests.chaos.faults import Faults, draw
from tests.chaos.load import Account, Load, again
from tests.chaos.servers import Servers
from tests.e2e.conftest import StartSystem, System, descendants

from mim.contracts import subjects
from mim.runtime.flow import is_tombstone

FAULTS = int(os.environ.get("MIM_CHAOS_FAULTS", "0"))
SEED = int(os.environ.get("MIM_CHAOS_SEED", "0"))
ROUND = 25
BOTS, PHONES = 3, 2
DISK = "1g"


pytestmark = [
    pytest.mark.skipif(FAULTS == 0, reason="set MIM_CHAOS_FAULTS to the number of faults, such as 20"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
]


@dataclass(frozen=True, slots=True)
class Round:
    """The faults of one system."""

    bus: str
    seed: int
    faults: int

    def __str__(self) -> str:
        return f"MIM_CHAOS_SEED={self.seed} MIM_CHAOS_FAULTS={self.faults} ./mim test tests/chaos -k {self.bus}"


def rounds() -> list[Round]:
    """So many that no round is long, on one server and on a cluster in turn; with a seed one of each."""
    buses = ("server", "cluster")
    if SEED:
        return [Round(bus, SEED, FAULTS) for bus in buses]
    first, count = secrets.randbelow(10**6) + 1, max(2, math.ceil(FAULTS / ROUND))
    return [Round(buses[number % 2], first + number, math.ceil(FAULTS / count)) for number in range(count)]


@pytest.mark.parametrize("ordeal", rounds(), ids=lambda ordeal: f"{ordeal.bus}-{ordeal.seed}")
async def test_nothing_is_lost_doubled_or_left_over(
    ordeal: Round, own_system: StartSystem, small_disk: Path | None, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        three = await stack.enter_async_context(servers.running(tmp_path)) if ordeal.bus == "cluster" else None
        folder = (small_disk or tmp_path) / "data"
        messengers = tmp_path / "messengers"  # not theirs: it is the system's disk that is full
        messengers.mkdir()
        folder.mkdir()
        (folder / "sandbox").symlink_to(messengers)
        system = await own_system(folder=folder, ports=200, **(three.env if three else {}))
        stack.push_async_callback(system.close)  # before its servers and its disk go
        story = [str(ordeal)]
        try:
            wrong = await _undergo(ordeal, system, three, small_disk, story)
            story += ["", *wrong]
        except Exception as error:
            error.add_note("\n".join(story))
            raise
        finally:
            (tmp_path / "output.log").write_text(system.output)
            (tmp_path / "story.log").write_text("\n".join(story))
        assert not wrong, "\n".join(story)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk that runs full in a moment; None where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


async def _undergo(
    ordeal: Round, system: System, three: Servers | None, disk: Path | None, story: list[str]
) -> list[str]:
    """Let the faults of a round happen, and tell what is wrong afterwards; `story` gets what happened."""
    accounts = [await bot(system) for _ in range(BOTS)] + [await phone(system, each) for each in range(PHONES)]
    bus = await (three.connect() if three else system.bus())
    load = Load(system, bus, accounts, ordeal.seed)
    faults = Faults(system, load, three, disk, story.append)
    async with load.running() as written:
        await faults.run(draw(ordeal.seed, ordeal.faults, cluster=three is not None))
    try:
        entries = await settled(system, bus, written, faults.unheard)
        wrong = await violations(system, bus, accounts, written, entries)
        wrong += checker.received(entries, written, await confirmed(system), faults.unheard)
        wrong += await _left_over(system, bus, accounts)
    finally:
        await bus.close()
    assert len(written.messages) > 3 * len(accounts)
    return wrong


async def _left_over(system: System, bus: Client, accounts: list[Account]) -> list[str]:
    """When all instances are deleted nothing of them is there any more."""
    _, listed = await system.call("GET", "/api/v1/instances?limit=1000")
    for item in listed["instances"]:
        await system.call("DELETE", f"/api/v1/instances/{item['id']}")
    stream = bus.jetstream(timeout=5)
    adapter = system.processes()["mim whatsapp-ad"]
    left: list[str] = []
    try:
        async with asyncio.timeout(60):
            while left := await again(lambda: _traces(system, bus, adapter)):  # noqa: ASYNC110 - /proc and the bus tell who asks
                await asyncio.sleep(0.2)
    except TimeoutError:
        return left
    assert not (await stream.stream_info(subjects.OUTBOX, subjects_filter=subjects.MESSAGE_COMMANDS)).state.subjects
    return []


async def _traces(system: System, bus: Client, adapter: int) -> list[str]:
    stream = bus.jetstream(timeout=5)
    left = [f"a process {pid} of a session" for pid in descendants(adapter)]
    folders = [path for path in (system.folder / "sessions").glob("*/*") if path.is_dir()]
    left += [f"the folder {path.relative_to(system.folder)}" for path in folders]
    for name in (subjects.INSTANCES_BUCKET, subjects.ORDERS_BUCKET, subjects.PORTS_BUCKET, subjects.SECRETS_BUCKET):
        left += [f"the key {key} of {name}" for key in await _keys(stream, name) if not key.startswith("_")]
    left += [f"the consumer {each.name} of the outbox" for each in await stream.consumers_info(subjects.OUTBOX)]
    return left + [f"a listener on port {port}" for port in _listening(system) & {*system.instance_ports}]


async def _keys(stream: JetStreamContext, bucket: str) -> list[str]:
    """The keys of a bucket; the client's own `keys` misses some of a few that arrive at once."""
    prefix, found = f"$KV.{bucket}.", list[str]()
    if (await stream.stream_info(f"KV_{bucket}")).state.messages == 0:
        return found
    reader = await stream.subscribe(f"{prefix}>", ordered_consumer=True, deliver_policy=DeliverPolicy.LAST_PER_SUBJECT)
    try:
        while True:
            msg = await reader.next_msg(timeout=5)
            if not is_tombstone(msg.headers):
                found.append(msg.subject.removeprefix(prefix))
            if msg.metadata.num_pending == 0:
                return found
    finally:
        await reader.unsubscribe()


def _listening(system: System) -> set[int]:
    """The ports on which processes of the system listen."""
    found = set()
    for pid in descendants(system.pid):
        with suppress(psutil.NoSuchProcess):
            found |= {each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.status == "LISTEN"}
    return found
