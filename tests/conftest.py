"""What tests of every folder may use: a real nats-server of the test's own, and buses that are connected to it.

    async def test_something(bus: Bus) -> None: ...                     a connected, provisioned bus
    async def test_outage(bus: Bus, nats_server: NatsServer) -> None:
        await nats_server.stop()                                        kill -9; the data stays
        await nats_server.start()                                       the same port, the same data
    async def test_two(connect_bus: ConnectBus) -> None:
        one, two = await connect_bus("one"), await connect_bus("two")   one connection each

A server is up in some 10 ms, so every test that asks for one gets a fresh one. For type hints:
`if TYPE_CHECKING: from tests.conftest import ConnectBus, NatsServer` (never at run time).
"""

from __future__ import annotations

import asyncio
import gc
import random
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import hypothesis
import pytest
from aiohttp import web
from nats.aio.client import Client

from mim.runtime import bus as buses
from mim.runtime import cancellation, service, streams
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings

# On a busy machine a test may take any time; what is too slow shows in benchmarks.
hypothesis.settings.register_profile("mim", deadline=None)
hypothesis.settings.load_profile("mim")
cancellation.mend()  # as every service does
GC_THRESHOLDS = 20_000, 10, 20

ConnectBus = Callable[..., Awaitable[Bus]]

START_S = 10.0
# Not by a `preexec_fn`: for that a process forks all of itself, which takes these tests 30 ms for each server.
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
# Below Linux's ephemeral range: during an outage nobody's outgoing connection may take the port. Whole systems have the
# ports from 20,000 on.
PORTS = range(10_000, 20_000)


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """The tests that were found stay: the garbage collector need not walk through them again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(*GC_THRESHOLDS)


class NatsServer:
    """One nats-server process on a port that stays the same over `stop` and `start`."""

    def __init__(self, folder: Path, *more: str, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._more = more
        self._env = env
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it; returns when JetStream is ready."""
        binary = Path(sys.executable).with_name("nats-server")
        command = [*DIES_WITH_PARENT, binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.folder]
        self._process = process = await asyncio.create_subprocess_exec(
            *(*command, *self._more),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
        )
        assert process.stderr is not None
        lines = []
        async with asyncio.timeout(START_S):
            while line := await process.stderr.readline():
                lines.append(line.decode(errors="replace"))
                if b"Server is ready" in line:
                    self._drain = asyncio.create_task(_read_to_end(process.stderr))
                    return
        raise AssertionError("nats-server ended instead of starting:\n" + "".join(lines))

    async def stop(self, signum: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default without a chance to say goodbye."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signum)
        await process.wait()
        if self._drain is not None:
            await self._drain


async def _read_to_end(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


def free_port() -> int:
    """A port on loopback that nobody listens on, outside the ephemeral range."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A real nats-server with JetStream, empty, only this test's."""
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def settings(nats_server: NatsServer, tmp_path: Path) -> Settings:
    """Settings of a service of this test: its own nats-server and data folder, host name `host-1`."""
    return Settings(nats_url=nats_server.url, data_dir=tmp_path / "data", host_name="host-1")


@pytest.fixture
async def connect_bus(settings: Settings) -> AsyncIterator[ConnectBus]:
    """Makes further buses (`await` it with a name); each has a connection of its own, closed at the end."""
    async with AsyncExitStack() as stack:

        async def connect(name: str = "test") -> Bus:
            bus = await stack.enter_async_context(buses.connect(settings, name, [service.dead_letters(name)]))
            bus.broker.context.set_global("bus", bus)
            await streams.provision(bus.js)
            return bus

        yield connect


@pytest.fixture
async def bus(connect_bus: ConnectBus) -> Bus:
    """A connected bus with all streams and buckets. Not started: `await bus.broker.start()` begins its subscribers."""
    return await connect_bus("test")


async def known(client: Client) -> None:
    """Return when the server knows all subscriptions: the library's ping overtakes those that wait in its buffer."""
    for _ in range(2):
        await client.flush()


class Files:
    """Files by name at `url`; `asked` lists the names that were asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._content: dict[str, bytes] = {}

    def add(self, name: str, content: bytes) -> str:
        """Serve a file. Returns its URL."""
        self._content[name] = content
        return f"{self.url}/{name}"

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked.append(name)
        if name not in self._content:
            raise web.HTTPNotFound
        return web.Response(body=self._content[name])


@pytest.fixture
async def files() -> AsyncIterator[Files]:
    """A server on loopback; sessions reach it with the setting `media_private`."""
    served = Files()
    app = web.Application()
    app.router.add_get("/{name}", served.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()
