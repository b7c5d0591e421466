"""A running system to measure: `mim up` on free ports, with its data in a temporary folder."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from benchmarks.processes import Helper, Json, command_of, cpu_s, end, name_of, python, tree
from benchmarks.report import BrokenError, ms
from mim.cli.services import SERVICES

READY_S = 60.0
INSTANCE_PORTS = 1500
AT_A_TIME = 4
# Below the ports of the tests, beside which the small benchmarks run, and below those that a system hands out itself to
# whoever asks for any: such a port may be anybody's by the time when it is opened.
PORTS, FIRST_PORTS = range(9_600, 10_000), range(4_000, 8_000)
_bots = count(10_000_000)


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as a subscriber saw it; `delay_s` is how long after the time that it carries."""

    name: str
    instance_id: str
    at: float
    delay_s: float


class System:
    """Made by `running`."""

    def __init__(
        self,
        pid: int,
        port: int,
        instance_ports: range,
        folder: Path,
        took_s: float,
        session: aiohttp.ClientSession,
    ) -> None:
        self.pid = pid
        self.port = port
        self.instance_ports = instance_ports
        self.folder = folder
        self.took_s = took_s
        self._session = session

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the gateway; its JSON. Raises: BrokenError unless it succeeds."""
        return await self._ask(method, f"http://127.0.0.1:{self.port}{path}", body)

    async def _ask(self, method: str, url: str, body: object) -> Any:
        async with self._session.request(method, url, json=body) as response:
            answer = await response.json()
            if response.status >= 300:
                raise BrokenError(f"{method} {url}: {response.status} {answer}")
            return answer

    def emulator(self, messenger: str) -> dict[str, int]:
        """The ports of an emulator."""
        ports: dict[str, int] = json.loads((self.folder / "sandbox" / messenger / "ports.json").read_text())
        return ports

    async def control(self, messenger: str, act: str, **body: object) -> Any:
        """Let the other side do something."""
        return await self._ask("POST", f"http://127.0.0.1:{self.emulator(messenger)['control']}/{act}", body)

    async def scan(self, instance_id: str, phone: str) -> None:
        """Scan the QR code that an instance shows."""
        code = (await self.call("GET", f"/api/v1/instances/{instance_id}/qr"))["code"]
        await self.control("whatsapp", "scan", qr=code, phone=phone)

    async def ready_bots(
        self, load: Helper, number: int, rate: float = 0.0, more: Json | None = None
    ) -> list[tuple[str, str]]:
        """Make Telegram bots, a few at a time or at a rate, wait until all are ready; (instance id, token) of each."""
        before = {made["id"] for made in await self._list()}
        requests = [create_request(**(more or {})) for _ in range(number)]
        how: Json = {"rate": rate} if rate else {"once": True, "connections": AT_A_TIME}
        done = await load.ask(port=self.port, requests=requests, expect='"api_key":"mim_', **how)
        if done["wrong"]:
            raise BrokenError(f"a create failed: {done['wrong'][0]}")
        await self.until_ready(len(before) + number)
        # Only the end of a token is told; a bot's number is its account's id.
        return [(made["id"], made["name"]) for made in await self._list() if made["id"] not in before]

    async def say_once(
        self, load: Helper, bots: Sequence[tuple[str, str]], chat: str, text: str, at_a_time: int
    ) -> Json:
        """Send one message from each bot; what the load measured. Raises: BrokenError if one was not sent."""
        body = json.dumps({"to": chat, "message": text})
        path = "/api/v1/multi-provider/instances/telegram/{}/send-message"
        requests = [["POST", path.format(instance_id), body] for instance_id, _ in bots]
        done = await load.ask(
            port=self.port, requests=requests, expect='"messageId":', connections=at_a_time, once=True
        )
        if done["wrong"]:
            raise BrokenError(f"{len(done['wrong'])} of {len(bots)} were not sent: {done['wrong'][0]}")
        return done

    async def _list(self) -> list[Json]:
        found: list[Json] = (await self.call("GET", "/api/v1/instances?limit=5000&provider=telegram"))["instances"]
        return found

    async def until_ready(self, number: int, provider: str = "telegram", within_s: float = 60.0) -> None:
        """Wait until so many instances are ready. Raises: BrokenError."""
        query = f"/api/v1/instances?limit=1&status=client_ready&provider={provider}"
        until = time.monotonic() + within_s
        ready = 0
        while time.monotonic() < until:
            ready = (await self.call("GET", query))["total"]
            if ready >= number:
                return
            await asyncio.sleep(0.2)
        raise BrokenError(f"only {ready} of {number} instances became ready within {within_s:g} s")

    @asynccontextmanager
    async def events(self) -> AsyncIterator[asyncio.Queue[Seen]]:
        """Subscribe to Server-Sent Events; they come with the time of their arrival. Raises: BrokenError if refused."""
        queue: asyncio.Queue[Seen] = asyncio.Queue()
        url = f"http://127.0.0.1:{self.port}/api/v1/events"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout()) as response:
            if response.status != 200:
                raise BrokenError(f"no events: {response.status} {await response.text()}")
            await response.content.readuntil(b": connected\n\n")
            reader = asyncio.create_task(_read(response.content, queue))
            try:
                yield queue
            finally:
                reader.cancel()
                await asyncio.wait({reader})  # without swallowing a cancellation of whoever subscribed

    def cpu_s(self) -> float:
        """Processor time of all processes, emulators and nats-server among them."""
        return sum(cpu_s(pid) for pid in tree(self.pid))

    def cpu_by_process(self) -> dict[str, float]:
        """The same by what each process is."""
        found: dict[str, float] = defaultdict(float)
        for pid in tree(self.pid):
            found[called(name_of(pid))] += cpu_s(pid)
        return found

    def process(self, service: str) -> int:
        """The process id of a service, `nats-server` among them. Raises: BrokenError."""
        for pid in tree(self.pid):
            if name_of(pid) in (service, f"mim {service}"[:15]):
                return pid
        raise BrokenError(f"no process of {service} was found")

    @asynccontextmanager
    async def second_worker(self) -> AsyncIterator[None]:
        """Another worker for Telegram, as on a second host, that is ready."""
        nats = self.folder / "nats"
        env = {
            "MIM_NATS_URL": json.loads((nats / "access.json").read_text())["MIM_NATS_URL"],
            "MIM_NATS_NKEY_FILE": str(nats / "keys" / "telegram-adapter.nk"),
            "MIM_SECRET_KEY": (self.folder / "secret.key").read_text().splitlines()[0],
            "MIM_DATA_DIR": str(self.folder.with_name("second")),
            "MIM_WORKER": "telegram-second",
            "MIM_INSTANCE_PORTS": f"{self.instance_ports[0]}-{self.instance_ports[-1]}",
            "MIM_TELEGRAM_API_URL": f"http://127.0.0.1:{self.emulator('telegram')['api']}",
            "MIM_LOG_FORMAT": "json",
        }
        arguments = ("-m", "mim.cli", "run", "telegram-adapter")
        with (self.folder.parent / "second.log").open("wb") as log:
            process = await python(*arguments, stderr=log, env=env)
            try:
                await self._until_worker("telegram-second")
                yield
            finally:
                await end(process, 15.0)

    async def _until_worker(self, name: str) -> None:
        until = time.monotonic() + READY_S
        while all(worker["name"] != name for worker in (await self.call("GET", "/api/v1/workers"))["workers"]):
            if time.monotonic() > until:
                raise BrokenError(f"the worker {name} did not become ready")
            await asyncio.sleep(0.1)

    def children_of_whatsapp(self) -> list[int]:
        """The processes of the WhatsApp sessions."""
        return [pid for pid in tree(self.pid) if "mim.whatsapp_adapter.child" in command_of(pid)]


def called(name: str) -> str:
    """What a process is, by its name, which the kernel cuts after 15 characters."""
    short = name.removeprefix("mim ")
    if short.startswith("/"):
        return "emulators"
    return next((service for service in SERVICES if short and service.startswith(short)), short)


async def _read(lines: aiohttp.StreamReader, queue: asyncio.Queue[Seen]) -> None:
    async for raw in lines:
        if raw.startswith(b"data: "):
            at = time.time()
            event = json.loads(raw[6:])
            delay_s = at - datetime.fromisoformat(event["time"]).timestamp()
            queue.put_nowait(Seen(event["type"].split(".")[2], event["subject"], at, delay_s))


async def next_event(queue: asyncio.Queue[Seen], name: str, instance_id: str, within_s: float = 30.0) -> Seen:
    """The next event of this name and instance; others are dropped. Raises: BrokenError."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                seen = await queue.get()
                if seen.name == name and seen.instance_id == instance_id:
                    return seen
    except TimeoutError:
        raise BrokenError(f"no {name} of {instance_id} within {within_s:g} s") from None


def create_request(**more: object) -> list[str]:
    """The request that makes and starts one Telegram bot; its token is also its name."""
    token = f"{next(_bots)}:benchmarkbenchmarkbenchmarkbenchmark"
    body = {"user_id": "bench", "provider": "telegram", "type_instance": ["api"], "token": token, "name": token}
    return ["POST", "/api/v1/instances", json.dumps(body | more)]


def free_port() -> int:
    """A port that nothing listens on now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def flush_s(folder: Path, times: int = 50) -> tuple[float, float]:
    """Median and longest time that a small append to a file takes until the disk has it.

    The floor of everything durable here, and on a shared machine the first thing that varies.
    """
    took = []
    with (folder / "flush").open("ab", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"x" * 400)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took), max(took)


def flush_note(system: System) -> str:
    """`flush_s` in words."""
    typical, longest = flush_s(system.folder)
    return f"a flush of the disk took {ms(typical)}, at most {ms(longest)}"


@asynccontextmanager
async def running(*, sandbox: bool = True, env: Mapping[str, str] | None = None) -> AsyncIterator[System]:
    """Run a system until the end of the block. Raises: BrokenError if it does not become ready."""
    port, first = free_port(), random.choice(FIRST_PORTS)
    ports = range(first, first + INSTANCE_PORTS + 1)
    with tempfile.TemporaryDirectory(prefix="mim-bench-") as name:
        folder = Path(name)
        options = [f"--data-dir={folder / 'data'}", f"--port={port}"]
        options += [f"--instance-ports={ports[0]}-{ports[-1]}", *(["--sandbox"] if sandbox else [])]
        with (folder / "up.log").open("wb") as errors:
            began = time.perf_counter()
            process = await python("-m", "mim.cli", "up", *options, stderr=errors, env=env or {})
        try:
            await _until_ready(process, folder)
            took_s = time.perf_counter() - began
            async with aiohttp.ClientSession() as session:
                yield System(process.pid, port, ports, folder / "data", took_s, session)
        finally:
            await end(process, 15.0)


async def _until_ready(process: asyncio.subprocess.Process, folder: Path) -> None:
    try:
        async with asyncio.timeout(READY_S):
            while process.stdout and (line := await process.stdout.readline()):
                if line.startswith(b"ready "):
                    return
    except TimeoutError:
        pass
    raise BrokenError(f"mim up did not become ready: {(folder / 'up.log').read_text()[-2000:]}")
