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
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import nats.js.errors
import psutil
import pytest
from nats.aio.client import Client
from tests.chaos import checker, servers
from tests.chaos.checker import Entry
from tests.chaos.faults import Faults, draw
from tests.chaos.load import PEOPLE, Account, Load, Written, again, chat_of
from tests.chaos.servers import Servers
from tests.e2e.conftest import StartSystem, System, descendants

from mim.contracts import subjects
from mim.contracts.messages import unwrap
from mim.contracts.records import InstanceRecord

FAULTS = int(os.environ.get("MIM_CHAOS_FAULTS", "16"))
SEED = int(os.environ.get("MIM_CHAOS_SEED", "0"))
ROUND = 25
SETTLE_S = 120.0
QUIET_S = 30.0
FOLDED_S = 30.0
AT_ONCE = 64
BOTS, PHONES = 3, 2
DISK = "1g"


pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]


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
        system = await own_system(folder=folder, ports=200, **(three.env if three else {}))
        stack.push_async_callback(system.close)  # before its servers and its disk go
        story = [str(ordeal)]
        try:
            wrong = await _undergo(ordeal, system, three, small_disk, story)
        except Exception as error:
            error.add_note("\n".join(story))
            raise
        finally:
            (tmp_path / "output.log").write_text(system.output)
        assert not wrong, "\n".join((*story, "", *wrong))


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
    accounts = [await _bot(system) for _ in range(BOTS)] + [await _phone(system, each) for each in range(PHONES)]
    bus = await (three.connect() if three else system.bus())
    load = Load(system, bus, accounts, ordeal.seed)
    faults = Faults(system, load, three, disk, story.append)
    async with load.running() as written:
        await faults.run(draw(ordeal.seed, ordeal.faults, cluster=three is not None))
    try:
        entries = await _settled(bus, written, faults.unheard)
        wrong = await _violations(system, bus, accounts, written, entries)
        wrong += checker.received(entries, written, faults.unheard)
        wrong += await _left_over(system, bus, accounts)
    finally:
        await bus.close()
    assert len(written.messages) > 3 * len(accounts)
    return wrong


async def _bot(system: System) -> Account:
    made = await system.ready_telegram()
    instance_id = made["instance_id"]
    number = (await system.get(instance_id))["account"].split("_")[1]
    return Account(instance_id, "telegram", made["api_key"], made["port"], number)


async def _phone(system: System, number: int) -> Account:
    phone = f"1555300{number:04d}"
    made = await system.ready_whatsapp(phone)
    return Account(made["instance_id"], "whatsappweb", made["api_key"], made["port"], phone)


async def _settled(bus: Client, written: Written, unheard: list[tuple[float, float]]) -> list[Entry]:
    """The whole event stream, once every message has an outcome and everything that was said is heard, or at the latest
    when nothing new comes any more: the checks will say what is missing."""
    entries: list[Entry] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            sub = await bus.subscribe(subjects.ALL_EVENTS)
            while True:
                entries += await _stream(bus, entries[-1].seq if entries else 0)
                if not checker.outcomes(entries, written) and not checker.received(entries, written, unheard):
                    break
                await sub.next_msg(timeout=QUIET_S)
    return entries


async def _stream(bus: Client, after: int) -> list[Entry]:
    """What came after a sequence, as the server that leads has it: a copy may lag behind."""
    stream = bus.jetstream(timeout=5)
    last = (await again(lambda: stream.stream_info(subjects.EVENTS))).state.last_seq

    async def entry(seq: int) -> Entry:
        envelope = unwrap((await again(lambda: stream.get_msg(subjects.EVENTS, seq))).data or b"")
        assert envelope is not None
        return Entry(seq, envelope)

    found: list[Entry] = []
    for first in range(after + 1, last + 1, AT_ONCE):
        found += await asyncio.gather(*map(entry, range(first, min(first + AT_ONCE, last + 1))))
    return found


async def _violations(
    system: System, bus: Client, accounts: list[Account], written: Written, entries: list[Entry]
) -> list[str]:
    wrong = [
        *checker.outcomes(entries, written),
        *checker.delivered(entries, written, await _inboxes(system, accounts)),
        *checker.ports(entries),
        *checker.epochs(entries),
        *checker.created(entries, written),
    ]
    polls = await system.control("telegram", "bots")
    wrong += [f"{bot['username']} was polled twice at a time" for bot in polls["bots"] if bot["max_pollers"] > 1]
    seen = await system.control("whatsapp", "events")
    wrong += [f"connected twice: {event}" for event in seen["events"] if event["type"] == "replaced"]
    shown = {}
    for account in accounts:
        await system.until(account.instance_id, "client_ready")
        path = f"/api/v1/instances/{account.instance_id}/credentials"
        shown[account.instance_id] = (await system.call("GET", path))[1].get("api_key")
    wrong += checker.keys(accounts, shown)
    return wrong + await _folded(bus)


async def _inboxes(system: System, accounts: Iterable[Account]) -> dict[tuple[str, str], list[str]]:
    found = {}
    for account in accounts:
        for person in range(PEOPLE):
            chat = chat_of(account, person)
            if account.provider == "telegram":
                inbox = await system.control("telegram", "inbox", chat=int(chat))
                texts = [message["text"] for message in inbox["messages"]]
            else:
                inbox = await system.control("whatsapp", "inbox", phone=chat)
                texts = [message["text"] for message in inbox["messages"]]
            found[account.instance_id, chat] = texts
    return found


async def _folded(bus: Client) -> list[str]:
    """The stored records against the fold of all events; lifecycle writes what only counts a moment later."""
    wrong, entries = ["the read model never came up to the stream"], await _stream(bus, 0)
    with suppress(TimeoutError):
        async with asyncio.timeout(FOLDED_S):
            while wrong:  # each look asks the bus
                wrong = checker.folded(entries, await again(lambda: _records(bus)))
                entries += await _stream(bus, entries[-1].seq)
    return wrong


async def _records(bus: Client) -> dict[str, InstanceRecord]:
    bucket = await bus.jetstream(timeout=5).key_value(subjects.INSTANCES_BUCKET)
    found = {}
    with suppress(nats.js.errors.NoKeysError, nats.js.errors.KeyNotFoundError):  # a copy that lags behind was asked
        for key in await bucket.keys():
            if not key.startswith("_"):
                entry = await bucket.get(key)
                found[key] = InstanceRecord.model_validate_json(entry.value or b"")
    return found


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
    assert (await stream.stream_info(subjects.OUTBOX)).state.messages == 0
    return []


async def _traces(system: System, bus: Client, adapter: int) -> list[str]:
    stream = bus.jetstream(timeout=5)
    left = [f"a process {pid} of a session" for pid in descendants(adapter)]
    folders = [path for path in (system.folder / "sessions").glob("*/*") if path.is_dir()]
    left += [f"the folder {path.relative_to(system.folder)}" for path in folders]
    for name in (subjects.INSTANCES_BUCKET, subjects.ORDERS_BUCKET, subjects.PORTS_BUCKET, subjects.SECRETS_BUCKET):
        bucket = await stream.key_value(name)
        try:
            left += [f"the key {key} of {name}" for key in await bucket.keys() if not key.startswith("_")]
        except nats.js.errors.NoKeysError:
            continue
    left += [f"the consumer {each.name} of the outbox" for each in await stream.consumers_info(subjects.OUTBOX)]
    return left + [f"a listener on port {port}" for port in _listening(system) & {*system.instance_ports}]


def _listening(system: System) -> set[int]:
    """The ports on which processes of the system listen."""
    found = set()
    for pid in descendants(system.pid):
        with suppress(psutil.NoSuchProcess):
            found |= {each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.status == "LISTEN"}
    return found
