"""The services one by one, each a process of its own against a nats-server with the configuration of `mim up`.

Where `system` runs `mim up`, this starts and ends single services, so that a start can be timed, and leaves the
adapters out, so that their place can be taken.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.aio.client import Client

from benchmarks.processes import end, python
from benchmarks.report import BrokenError
from benchmarks.system import free_port
from mim.cli.processes import NatsServer, Store, _die_with_parent
from mim.runtime.settings import Settings

CORE = ("lifecycle", "allocator", "gateway")
MORE = ("message-store", "webhooks")
READY = b"service_ready"
READY_S = 300.0
LOOK_S = 0.01


class Parts:
    """Made by `parts`."""

    def __init__(self, folder: Path, settings: Settings, server: NatsServer, client: Client) -> None:
        self.folder = folder
        self.settings = settings
        self.client = client
        self.port = free_port()
        self._server = server
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._starts = 0

    def env(self, service: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The settings of a service."""
        given = {"MIM_DATA_DIR": str(self.settings.data_dir), "MIM_LOG_FORMAT": "json", "MIM_PORT": str(self.port)}
        return given | {"MIM_HOST_NAME": "bench"} | self._server.env_of(service) | dict(more or {})

    async def start(self, service: str, name: str = "", more: Mapping[str, str] | None = None) -> float:
        """Start a service and return the seconds until it says that it is ready. Raises: BrokenError."""
        self._starts += 1
        path = self.folder / f"{self._starts}-{service}.log"
        began = time.perf_counter()
        with path.open("wb") as lines:
            process = await python(
                *("-m", "mim.cli", "run", service),
                stderr=lines,
                env=self.env(service, more),
                preexec_fn=_die_with_parent,
            )
        self._running[name or service] = process
        with path.open("rb") as said:
            text = b""
            while READY not in text:
                if process.returncode is not None or time.perf_counter() - began > READY_S:
                    raise BrokenError(f"{service} did not become ready: {path.read_text()[-2000:]}")
                await asyncio.sleep(LOOK_S)
                text += said.read()
        return time.perf_counter() - began

    async def stop(self, name: str) -> None:
        """End a service in order."""
        await end(self._running.pop(name), 30.0)

    async def stop_all(self) -> None:
        """End all services."""
        for name in list(self._running):
            await self.stop(name)

    def show_problems(self) -> None:
        """Print the last warnings and errors of each service, and which have ended."""
        for path in sorted(self.folder.glob("*.log")):
            lines = [line for line in path.read_text(errors="replace").splitlines() if '"level": "info"' not in line]
            print(f"{path.name}:", *lines[-8:], sep="\n    ", file=sys.stderr)
        for name, process in self._running.items():
            if process.returncode is not None:
                print(f"{name} ended with {process.returncode}", file=sys.stderr)

    def pids(self) -> dict[str, int]:
        """The process ids by name, nats-server among them. Raises: BrokenError if one has ended."""
        ended = [name for name, process in self._running.items() if process.returncode is not None]
        if ended or self._server.child.pid is None:
            raise BrokenError(f"{', '.join(ended) or 'nats-server'} ended; see {self.folder}")
        return {"nats-server": self._server.child.pid} | {name: one.pid for name, one in self._running.items()}


@asynccontextmanager
async def parts(sync_interval: str, services: Iterable[str]) -> AsyncIterator[Parts]:
    """Run nats-server and services until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="mim-bench-") as name:
        folder = Path(name)
        settings = Settings(data_dir=folder / "data", sync_interval=sync_interval)
        store = Store(settings.data_dir / "nats" / "store", secrets.token_hex(32))
        server = NatsServer(settings, settings.data_dir / "nats", store)
        await server.start()
        try:
            env = server.env()
            client = await nats.connect(
                env["MIM_NATS_URL"], user=env["MIM_NATS_USER"], password=env["MIM_NATS_PASSWORD"]
            )
            running = Parts(folder, settings, server, client)
            try:
                await asyncio.gather(*map(running.start, services))
                yield running
            except BrokenError:
                running.show_problems()
                raise
            finally:
                await client.close()
                await running.stop_all()
        finally:
            await server.child.stop(10.0)
