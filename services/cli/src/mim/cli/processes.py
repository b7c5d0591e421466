"""The processes of `mim up`: each service as a supervised child, the embedded nats-server, the messenger emulators."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from mim.cli import nats_conf
from mim.cli.nursery import PR_SET_PDEATHSIG, Forked, Nursery
from mim.runtime.backoff import Backoff
from mim.runtime.bus import disk_is_full
from mim.runtime.settings import Settings

log = structlog.get_logger()

RESTART = Backoff(first_s=0.2, most_s=10.0, give_up_s=float("inf"))
STEADY_S = 30.0
SANDBOX_START_S = 20.0
START_TRIES = 5
LOOK_S = 0.25


class CannotStart(Exception):
    """Why `mim up` does not start, and what to do."""


Process = asyncio.subprocess.Process | Forked


def _die_with_parent() -> None:
    with suppress(OSError, AttributeError):  # prctl is Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One supervised process; `start` makes it."""

    name: str
    start_one: Callable[[], Coroutine[Any, Any, Process]]
    process: Process | None = None
    restarts: int = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def start(self) -> Process:
        """Start the process once."""
        self.process = await self.start_one()
        return self.process

    async def supervise(self) -> None:
        """Start it whenever it ends, for ever, with backoff."""
        attempt = 0
        while True:
            began = time.monotonic()
            process = self.process
            if process is None or process.returncode is not None:
                process = await self.start()
            code = await process.wait()
            attempt = 1 if time.monotonic() - began > STEADY_S else attempt + 1
            wait_s = RESTART.wait_s(attempt, 0, random.random()) or 1.0  # noqa: S311
            self.restarts += 1
            log.warning("child_ended", child=self.name, code=code, restart_in_s=round(wait_s, 2))
            await asyncio.sleep(wait_s)

    async def stop(self, timeout_s: float) -> None:
        """Ask it to end, then make it."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            log.warning("child_killed", child=self.name)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()


# With Go's own 100, a thousand idle instances cost the server 56 KB each instead of 38 KB (measured with 30).
_LEAN = {"GOGC": "50"}


@dataclass(frozen=True, slots=True)
class Store:
    """Where a nats-server keeps its streams, and the key (64 hex digits) that they are encrypted with."""

    folder: Path
    key: str = field(repr=False)


class NatsServer:
    """The embedded nats-server: loopback, throw-away keys, streams encrypted on disk.

    Its configuration and log lie in `folder`, and so do `keys`, one for each client that lets it do its part only, and
    `access.json`: how the owner connects, who may do everything.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        store: Store,
        choose_ports: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._choose_ports = choose_ports or free_ports
        self._folder = folder
        self._store = store
        self._sync = settings.sync_interval
        self.port = self.monitor = 0
        self.user = settings.nats_user or "mim"
        given = settings.nats_password
        self.password = given.get_secret_value() if given else secrets.token_urlsafe(24)
        self.child = Child("nats", self._start_one)

    async def start(self) -> None:
        """Start it and wait until JetStream works. Raises: CannotStart."""
        # A port that was free a moment ago may be the near end of somebody's connection now: then others are tried.
        for _ in range(START_TRIES):
            self.port, self.monitor = self._choose_ports()
            self._write()
            await self.child.start()
            if await self._ready():
                return
        raise CannotStart(f"nats-server did not start; {self._folder / 'nats.log'} says why")

    async def _start_one(self) -> Process:
        # It would remove streams that it cannot write to when it starts.
        while disk_is_full(self._folder):  # noqa: ASYNC110 - a disk tells nobody
            await asyncio.sleep(LOOK_S)
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("nats-server"),
            *("-c", str(self._folder / "nats.conf")),
            env=_LEAN | os.environ | {"MIM_NATS_STORE_KEY": self._store.key},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )

    def env_of(self, service: str) -> dict[str, str]:
        """What a service needs to connect."""
        seed = self._folder / "keys" / f"{service}.nk"
        return {"MIM_NATS_URL": f"nats://127.0.0.1:{self.port}", "MIM_NATS_NKEY_FILE": str(seed)}

    def env(self) -> dict[str, str]:
        """What the owner needs to connect."""
        return {
            "MIM_NATS_URL": f"nats://127.0.0.1:{self.port}",
            "MIM_NATS_USER": self.user,
            "MIM_NATS_PASSWORD": self.password,
        }

    def _write(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        public = nats_conf.make_keys(self._folder / "keys")
        owner = f"{{ user: {json.dumps(self.user)}, password: {json.dumps(self.password)} }}"
        text = f"""server_name: mim
listen: "127.0.0.1:{self.port}"
http: "127.0.0.1:{self.monitor}"
log_file: {json.dumps(str(self._folder / "nats.log"))}
logfile_size_limit: 10MB
logfile_max_num: 2
max_payload: 1MB
ping_interval: "5s"
ping_max: 2
authorization {{
  users: [
{nats_conf.users(public.__getitem__, 4, owner)}
  ]
}}
jetstream {{
  store_dir: {json.dumps(str(self._store.folder))}
  sync_interval: {json.dumps(self._sync)}
  cipher: aes
  key: $MIM_NATS_STORE_KEY
  max_file_store: 64GB
  max_memory_store: 64MB
}}
"""
        _write_private(self._folder / "nats.conf", text)
        # For programs of the owner's that command and watch: see docs/bus.md.
        _write_private(self._folder / "access.json", json.dumps(self.env(), indent=2))

    async def _ready(self) -> bool:
        """Wait until JetStream works (true) or the process ended (false). Raises: CannotStart."""
        async with aiohttp.ClientSession() as session:
            for _ in range(400):
                if self.child.pid is None:
                    return False
                if await self._healthy(session):
                    return True
                await asyncio.sleep(0.025)
        await self.child.stop(1.0)
        raise CannotStart(f"nats-server does not become ready; {self._folder / 'nats.log'} says why")

    async def watch(self) -> None:
        """Start it anew when there is room again on a disk that was full.

        A stream that met a full disk refuses every write until the server restarts, room or not, while its health
        check says that all is well (nats-server 2.15.1, measured).
        """
        was_full = False
        while True:
            await asyncio.sleep(LOOK_S)
            full = disk_is_full(self._folder)
            if full and not was_full:
                log.error("disk_full", folder=str(self._folder), action="free some space; nothing is stored until then")
            if was_full and not full and self.child.pid is not None:
                log.warning("nats_restarted", reason="the disk has room again")
                with suppress(ProcessLookupError):
                    os.kill(self.child.pid, signal.SIGKILL)
            was_full = full

    async def _healthy(self, session: aiohttp.ClientSession) -> bool:
        try:
            url = f"http://127.0.0.1:{self.monitor}/healthz?js-enabled-only=true"
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=1)) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def free_ports() -> tuple[int, int]:
    """Two ports of loopback that nobody uses at this moment."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


class Sandbox:
    """The messenger emulators, and the settings that point the adapters at them."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder = folder
        self.children = {
            kind: Child(f"{kind}-emulator", partial(nursery.fork, f"mim.emulators.{kind}", [str(folder / kind)], {}))
            for kind in ("telegram", "mtproto", "whatsapp")
        }

    async def start(self) -> None:
        """Start them."""
        for kind, child in self.children.items():
            (self.folder / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / kind / "ports.json").unlink(missing_ok=True)
            await child.start()

    async def settings(self, service: str) -> dict[str, str]:
        """What a service has to know; waits for the emulator that it needs. Raises: CannotStart."""
        if service == "telegram-adapter":
            bots, people = await self._ports("telegram"), await self._ports("mtproto")
            return {
                "MIM_TELEGRAM_API_URL": f"http://127.0.0.1:{bots['api']}",
                "MIM_TELEGRAM_API_ID": "1",
                "MIM_TELEGRAM_API_HASH": "sandbox",
                "MIM_TELEGRAM_DC": f"127.0.0.1:{people['dc']}",
                "MIM_TELEGRAM_DC_KEY_FILE": str(self.folder / "mtproto" / "server.pub"),
            }
        if service == "whatsapp-adapter":
            ports = await self._ports("whatsapp")
            folder = self.folder / "whatsapp"
            return {
                "MIM_WHATSAPP_PROXY_URL": f"http://127.0.0.1:{ports['proxy']}",
                "MIM_WHATSAPP_CA_FILE": str(folder / "ca.pem"),
                "MIM_WHATSAPP_CHILD_WRAPPER": f"-m mim.emulators.whatsapp.trust {folder / 'root.pub'}",
            }
        return {}

    async def _ports(self, kind: str) -> dict[str, int]:
        path = self.folder / kind / "ports.json"
        deadline = time.monotonic() + SANDBOX_START_S
        while not path.exists():
            if time.monotonic() > deadline:
                raise CannotStart(f"the {kind} emulator did not start; look at its lines above")
            await asyncio.sleep(0.02)
        ports: dict[str, int] = json.loads(path.read_text())
        return ports
