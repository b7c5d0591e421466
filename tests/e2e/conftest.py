"""A whole system as a user has it: `mim up --sandbox` on free ports, with its data in a folder of its own.

async def test_something(system: System) -> None: ...      shared by all tests that do it no harm
async def test_harm(own_system: StartSystem) -> None:       a fresh one, for killing and restarting
    system = await own_system()

Every answer, event and message is checked against the documents; see validation.py.
"""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from tests.e2e import validation, warm

BLOCK_BYTES = 4096  # is written to a pipe as a whole or not at all
READY_S = 120.0  # on a machine that is busy with other tests
WITNESS = str(Path(__file__).with_name("witness.py"))
BOT_TOKEN = "1{:08d}:AAEabcdefghijklmnopqrstuvwxyz0123456"
Json = dict[str, Any]


class System:
    """One running `mim up`."""

    def __init__(
        self, folder: Path, sandbox: bool, env: dict[str, str], ports: int = 40, *, as_a_user: bool = False
    ) -> None:
        self.folder = folder
        self.port, self.first_port = _free_range(ports)
        self.instance_ports = range(self.first_port, self.first_port + ports)
        self.url = f"http://127.0.0.1:{self.port}"
        self._lines: list[str] = []
        self._witness = Path(tempfile.mkdtemp()) / "witness"  # not on the system's disk, which may be full
        self._clock = self._witness.with_name("clock")
        self._sandbox = sandbox
        self._env = env
        self._as_a_user = as_a_user
        self._bots = 0
        self._process: asyncio.subprocess.Process | warm.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._said = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._http: aiohttp.ClientSession | None = None
        self._spy: Client | None = None

    # ---------------------------------------------------------------------------------------- life and death

    async def start(self, *more: str) -> None:
        """Start it; returns when it says `ready`."""
        self._ready.clear()
        arguments = ["up", "--data-dir", str(self.folder), "--port", str(self.port)]
        arguments += ["--instance-ports", f"{self.instance_ports[0]}-{self.instance_ports[-1]}", *more]
        arguments += ["--sandbox"] if self._sandbox else []
        witness = {"WITNESS": str(self._witness), "WITNESS_CLOCK": str(self._clock)}
        env = os.environ | {"MIM_LOG_FORMAT": "json"} | witness | self._env
        if self._as_a_user:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, WITNESS, *arguments),
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=warm.die_with_parent,
            )
        else:
            self._process = await warm.start(*arguments, env=env, witnessed=True)
        self._reader = asyncio.create_task(self._read(self._process))
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait((ready, self._reader), timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        assert self._ready.is_set(), f"not ready within {READY_S} s:\n{self.output}"
        if self._http is None:
            self._http = aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=30))
        await self._listen()

    async def _listen(self) -> None:
        """Check what travels over the bus, if it is the embedded one."""
        await self._deafen()
        if (self.folder / "nats" / "access.json").exists():
            self._spy = await self.bus()
            await validation.listen(self._spy)

    async def heard(self) -> None:
        """Return when everything that was published until now is checked."""
        assert self._spy is not None
        await self._spy.flush(5)

    async def _deafen(self) -> None:
        spy, self._spy = self._spy, None
        if spy is not None:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                await spy.flush(2)
                await spy.close()

    async def _read(self, process: asyncio.subprocess.Process | warm.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            await self._reading.wait()
            if line.isspace():
                continue  # what `hold_output` filled the pipe with
            self._lines.append(line.decode(errors="replace"))
            self._said.set()
            if line.startswith(b"ready "):
                self._ready.set()

    async def says(self, *words: str, timeout_s: float = 20.0) -> None:
        """Return when a line of its output has all these words: lines are a moment behind what they tell of."""
        read = 0
        async with asyncio.timeout(timeout_s):
            while not any(all(word in line for word in words) for line in self._lines[read:]):
                read = len(self._lines)
                self._said.clear()
                await self._said.wait()

    @property
    def output(self) -> str:
        """All that it has printed."""
        return "".join(self._lines)

    async def hold_output(self, lasts_s: float) -> None:
        """Read nothing of what it prints for a while, with the pipe full."""
        pipe = os.open(f"/proc/{self.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        self._reading.clear()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(lasts_s):
                    while True:
                        with suppress(BlockingIOError):
                            os.write(pipe, b" " * (BLOCK_BYTES - 1) + b"\n")
                        await asyncio.sleep(0.001)  # asyncio's own buffer takes what comes first
        finally:
            self._reading.set()
            os.close(pipe)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def processes(self) -> dict[str, int]:
        """All processes below `mim up` by their short names."""
        return {_name(pid): pid for pid in descendants(self.pid)}

    def kill(self, name: str, signum: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to one service; returns its process id."""
        processes = self.processes()
        pid = processes.get(name) or processes[f"mim {name}"[:15]]
        os.kill(pid, signum)
        return pid

    async def stop(self, signum: signal.Signals = signal.SIGTERM, timeout_s: float = 8.0) -> int:
        """End it; returns its exit code."""
        await self._deafen()
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(signum)
        code = await asyncio.wait_for(self._process.wait(), timeout_s)
        assert self._reader is not None
        await self._reader
        return code

    async def close(self) -> None:
        """End it whatever happened."""
        await self._deafen()
        if self._http is not None:
            await self._http.close()
        if self._process is not None and self._process.returncode is None:
            await self.stop()
        for problem in (*validation.BUS.answers(self._witness), *self._denied()):
            validation.VIOLATIONS.add(problem)
        shutil.rmtree(self._witness.parent, ignore_errors=True)

    def _denied(self) -> list[str]:
        """What the bus did not let a service do: each is held to its part, and needs no more."""
        logs = (self.folder / "nats").glob("nats.log*")
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return sorted({line.partition(" - ")[2] for line in lines if "Violation" in line})

    @property
    def clock_s(self) -> float:
        """How many seconds the clock of all its services is ahead."""
        return float(self._clock.read_text()) if self._clock.exists() else 0.0

    @clock_s.setter
    def clock_s(self, ahead_s: float) -> None:
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(ahead_s))
        fresh.replace(self._clock)

    # ------------------------------------------------------------------------------------------------- REST

    async def call(self, method: str, path: str, body: Any = None, **arguments: Any) -> tuple[int, Json]:
        """Call the gateway as curl does by default, with a form's content type; (status, JSON body)."""
        status, _, raw = await self.raw(method, path, body, **arguments)
        return status, json.loads(raw)

    async def raw(self, method: str, path: str, body: Any = None, **arguments: Any) -> tuple[int, Any, bytes]:
        """(status, headers, body as bytes)."""
        assert self._http is not None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        headers |= arguments.pop("headers", {})
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        async with self._http.request(method, path, data=data, headers=headers, **arguments) as response:
            raw = await response.read()
        self._check(response, raw)
        return response.status, response.headers, raw

    def _check(self, response: aiohttp.ClientResponse, raw: bytes) -> None:
        url = response.url
        if url.port != self.port and url.port not in self.instance_ports:
            return  # another server
        path = url.raw_path if url.port == self.port else f"/{url.port}{url.raw_path}"
        path = re.sub(r"^/i/[^/]+/", "/1/", path)  # documented as the same by the port
        path = re.sub(rf"^/api/v1/instances/[0-9a-f-]{{36}}/({BY_ID})(?=[/?]|$)", r"/1/api/v1/\1", path)
        content_type = response.headers.get("Content-Type", "")
        for problem in validation.REST.problems(response.method, path, response.status, content_type, raw):
            validation.VIOLATIONS.add(problem)

    async def create(self, provider: str, **more: Any) -> Json:
        """A new instance; the whole answer."""
        if provider == "telegram" and "token" not in more:
            self._bots += 1
            more["token"] = BOT_TOKEN.format(self._bots)
        body = {"user_id": "test", "provider": provider, "type_instance": ["api"], **more}
        status, answer = await self.call("POST", "/api/v1/instances", body)
        assert status == 201, answer
        return answer

    async def get(self, instance_id: str) -> Json:
        """The `instance` object."""
        status, answer = await self.call("GET", f"/api/v1/instances/{instance_id}")
        assert status == 200, answer
        return dict(answer["instance"])

    async def until(self, instance_id: str, *statuses: str, epoch: int = 0, timeout_s: float = 30.0) -> Json:
        """The instance as soon as it has one of the statuses, in this epoch or a later one; follows the events, and
        only so."""
        try:
            async with asyncio.timeout(timeout_s):
                async with self.events(f"?instance_id={instance_id}&last_event_id=0") as events:
                    now = await self.get(instance_id)
                    while now["status"] not in statuses or now["epoch"] < epoch:
                        await anext(events)
                        now = await self.get(instance_id)
                    return now
        except TimeoutError:
            problem = f"not {statuses} in epoch {epoch} after {timeout_s} s: {await self.get(instance_id)}"
            raise AssertionError(problem) from None

    def events(self, query: str = "") -> EventStream:
        """The live events."""
        assert self._http is not None
        return EventStream(self._http, "/api/v1/events" + query)

    async def ready_whatsapp(self, phone: str, **more: Any) -> Json:
        """A WhatsApp instance that a phone has scanned; the answer of its creation."""
        made = await self.create("whatsappweb", **more)
        await self.until(made["instance_id"], "qr_ready")
        _, code = await self.call("GET", f"/api/v1/instances/{made['instance_id']}/qr")
        await self.control("whatsapp", "scan", qr=code["code"], phone=phone)
        await self.until(made["instance_id"], "client_ready")
        return made

    async def ready_telegram(self, **more: Any) -> Json:
        """A Telegram bot that is connected; the answer of its creation."""
        made = await self.create("telegram", **more)
        await self.until(made["instance_id"], "client_ready")
        return made

    async def port_call(
        self, port: int, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Json]:
        """Call an instance's own port."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.call(method, f"http://127.0.0.1:{port}{path}", body, headers=headers)

    # ----------------------------------------------------------------------------------------- the other side

    async def control(self, messenger: str, act: str, **body: Any) -> Any:
        """Tell an emulator to do something."""
        port = json.loads((self.folder / "sandbox" / messenger / "ports.json").read_text())["control"]
        assert self._http is not None
        async with self._http.post(f"http://127.0.0.1:{port}/{act}", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def bus(self) -> Client:
        """A connection as a program of the owner's has it."""
        access = json.loads((self.folder / "nats" / "access.json").read_text())
        return await nats.connect(
            access["MIM_NATS_URL"], user=access["MIM_NATS_USER"], password=access["MIM_NATS_PASSWORD"]
        )

    async def cli(self, *arguments: str, code: int = 0) -> str:
        """What a `mim` command prints."""
        process = await warm.start(*arguments, env=self._cli_env())
        out = await asyncio.wait_for(process.stdout.read(), 40)
        assert await process.wait() == code, out.decode()
        return out.decode()

    def _cli_env(self) -> dict[str, str]:
        return os.environ | {"MIM_URL": self.url, "MIM_DATA_DIR": str(self.folder), "COLUMNS": "200"}

    async def cli_process(self, *arguments: str) -> asyncio.subprocess.Process:
        """A `mim` command as it runs."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mim.cli", *arguments),
            env=self._cli_env(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_interruptible,
        )


class EventStream:
    """Server-Sent Events as (id, name, envelope)."""

    def __init__(self, session: aiohttp.ClientSession, path: str) -> None:
        self._session = session
        self._path = path
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        request = self._session.get(self._path, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5))
        self._response = await self._stack.enter_async_context(request)
        assert self._response.status == 200, await self._response.text()
        assert self._response.content_type == "text/event-stream"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def __anext__(self) -> tuple[int, str, Json]:
        fields: dict[str, str] = {}
        while line := (await self._response.content.readline()).decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                event = json.loads(fields["data"])
                for problem in validation.BUS.event(fields["event"], event):
                    validation.VIOLATIONS.add(problem)
                return int(fields["id"]), fields["event"], event
            else:
                fields = {}
        raise AssertionError("the event stream ended")


BY_ID = "status|chats|contacts|groups|stored-messages|bulk|account-info|telegram|webhook/config"
StartSystem = Callable[..., Awaitable[System]]


def descendants(pid: int) -> list[int]:
    """All processes below one, found through /proc."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                if stat[0] != "Z":
                    parents[int(folder.name)] = int(stat[1])
    found: list[int] = []
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found += fresh
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "comm").read_text().strip()
    return ""


_ranges = itertools.cycle(range(20_000, 32_000, 50))
_claims: dict[int, int] = {}


def _free_range(ports: int) -> tuple[int, int]:
    """A port for the gateway and the first of some for instances, below the system's ephemeral range."""
    for first in _ranges:
        if first + ports >= 32_000 or not all(map(_claim, range(first, first + ports, 50))):
            continue
        for _ in range(ports // 50):
            next(_ranges)
        with suppress(OSError):
            for port in (first, first + 1, first + ports // 2, first + ports):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first, first + 1
    raise AssertionError("no free ports")


def _claim(first: int) -> bool:
    """Whether these 50 ports are this run's, and not those of another that runs beside it."""
    if first not in _claims:
        path = Path(tempfile.gettempdir()) / f"mim-test-ports-{os.getuid()}-{first}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        _claims[first] = descriptor
    return True


def _interruptible() -> None:
    # A shell starts what runs in the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all: the shared system lives in it."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(autouse=True)
def all_is_documented() -> Iterator[None]:
    """Fails a test that saw something which is in no document."""
    yield
    _nothing_undocumented()


@pytest_asyncio.fixture(loop_scope="session")
async def own_system(tmp_path: Path) -> AsyncIterator[StartSystem]:
    """Makes systems that only this test uses."""
    async with _starting(tmp_path) as start:
        yield start


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StartSystem]:
    """Makes systems that the tests of one module share."""
    async with _starting(tmp_path_factory.mktemp("module")) as start:
        yield start


@asynccontextmanager
async def _starting(root: Path) -> AsyncIterator[StartSystem]:
    made: list[System] = []

    async def start(
        *more: str, sandbox: bool = True, folder: Path | None = None, ports: int = 40, **env: str
    ) -> System:
        system = System(folder or root / f"data{len(made)}", sandbox, env, ports)
        made.append(system)
        await system.start(*more)
        return system

    yield start
    for system in made:
        await system.close()
    _nothing_undocumented()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for all tests that do it no harm; it ends with the last of them."""
    made = System(tmp_path_factory.mktemp("system"), sandbox=True, env={}, ports=400, as_a_user=True)
    await made.start()
    yield made
    await made.heard()
    await made.close()
    _nothing_undocumented()
    assert not (lost := validation.BUS.unparked()), "\n".join(lost)


def _nothing_undocumented() -> None:
    assert not (found := validation.VIOLATIONS.take()), "not as documented:\n" + "\n".join(found)
