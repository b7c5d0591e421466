"""Three hosts on one machine: network namespaces around a bridge, each with its own nats-server and services.

The bridge lies in a namespace of its own, so that no firewall of this machine (such as a container engine's) is asked.
The test itself, with the emulated messengers, is a fourth party that all hosts reach, as they would the internet.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.e2e import warm

NAMES = ("h1", "h2", "h3")
SERVICES = ("lifecycle", "allocator", "gateway", "telegram-adapter", "whatsapp-adapter")
USER, PASSWORD, TOKEN = "mim", "of-the-test", "of-the-operator"
NATS_PORT, ROUTES_PORT = 4222, 6222
START_S = 40.0
LISTEN_S = 10.0

# A host that is cut off does not say goodbye: without frequent pings its neighbours go on handing things to it.
_NATS = """
server_name: {name}
listen: "{address}:{port}"
jetstream {{ store_dir: "{folder}" }}
authorization {{ user: {user}, password: "{password}" }}
ping_interval: "2s"
ping_max: 2
cluster {{ name: mim, listen: "{address}:{routes_port}", ping_interval: "2s", ping_max: 2, routes: {routes} }}
"""


def ip(*arguments: str) -> None:
    """Run `ip`. Raises: CalledProcessError."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def require() -> None:
    """Skip where namespaces cannot be made; with REQUIRE_NETNS fail."""
    why = None
    if shutil.which("ip") is None:
        why = "there is no program ip (iproute2)"
    elif os.geteuid() != 0:
        why = "network namespaces need root"
    else:
        probe = f"mim-probe-{os.getpid()}"
        try:
            ip("netns", "add", probe)
            ip("netns", "del", probe)
        except subprocess.CalledProcessError as error:
            why = f"network namespaces cannot be made here: {error.stderr.decode().strip()}"
    if why is not None:
        (pytest.fail if os.environ.get("REQUIRE_NETNS") else pytest.skip)(why)


class Network:
    """A bridge, three namespaces and this process on it."""

    def __init__(self) -> None:
        self._net = f"198.18.{secrets.randbelow(256)}"  # of the block for benchmarks, which nobody routes
        self._tag = f"mim{os.getpid() % 100_000}"
        self.outside = f"{self._net}.1"

    def address(self, name: str) -> str:
        """Of a host."""
        return f"{self._net}.{10 + int(name[1:])}"

    def namespace(self, name: str) -> str:
        """Of a host, or of the bridge."""
        return f"{self._tag}-{name}"

    def make(self) -> None:
        """Make everything."""
        hub = self.namespace("hub")
        ip("netns", "add", hub)
        ip("-n", hub, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        ip("-n", hub, "link", "set", "br0", "up")
        mine = f"{self._tag}r"
        ip("link", "add", mine, "type", "veth", "peer", "name", "root", "netns", hub)
        ip("address", "add", f"{self.outside}/24", "dev", mine)
        ip("link", "set", mine, "up")
        self._plug(hub, "root")
        for name in NAMES:
            own = self.namespace(name)
            ip("netns", "add", own)
            ip("-n", own, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", hub)
            ip("-n", own, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", own, "link", "set", device, "up")
            self._plug(hub, name)

    def _plug(self, hub: str, device: str) -> None:
        ip("-n", hub, "link", "set", device, "master", "br0")
        ip("-n", hub, "link", "set", device, "up")

    def remove(self) -> None:
        """Remove what there is of it; with the namespaces their devices go."""
        for name in (*NAMES, "hub"):
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", self.namespace(name))

    def cut(self, name: str, *, heal: bool = False) -> None:
        """Let nothing through between a host and the other hosts. It still reaches the messengers.

        What they send to each other goes to a station that is not there: nobody gets an error, as on a broken line.
        """
        for other in NAMES:
            if other != name:
                for here, there in ((name, other), (other, name)):
                    neighbour = (self.address(there), "dev", "eth0")
                    nowhere = () if heal else ("lladdr", "02:00:00:00:00:00", "nud", "permanent")
                    ip("-n", self.namespace(here), "neigh", "del" if heal else "replace", *neighbour, *nowhere)


class Process:
    """A process on a host, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process | warm.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._said = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            self._said.set()

    async def says(self, word: str, timeout_s: float = START_S) -> None:
        """Return once a line has this word."""
        try:
            async with asyncio.timeout(timeout_s):
                while not any(word in line for line in self.lines):
                    self._said.clear()
                    await self._said.wait()
        except TimeoutError:
            raise AssertionError(f"no {word!r} in\n" + "\n".join(self.lines[-40:])) from None

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signum)

    async def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self.signal(signal.SIGKILL)
        await self._process.wait()
        await self._reader


class Host:
    """One machine: its nats-server and its services."""

    def __init__(
        self, network: Network, name: str, folder: Path, env: Mapping[str, str], services: tuple[str, ...]
    ) -> None:
        self.name, self.address = name, network.address(name)
        self.url = f"http://{self.address}:3000"
        self.nats_url = f"nats://{self.address}:{NATS_PORT}"
        self.workers = tuple(f"{kind}-{name}" for kind in ("telegram", "whatsapp"))
        self.processes: dict[str, Process] = {}
        self._network, self._folder, self._env, self._services = network, folder, env, services

    async def start_nats(self) -> None:
        """Start the nats-server. It has no quorum yet."""
        self._folder.mkdir(exist_ok=True)
        routes = [f"nats://{self._network.address(name)}:{ROUTES_PORT}" for name in NAMES]
        where = {"address": self.address, "port": NATS_PORT, "routes_port": ROUTES_PORT, "routes": json.dumps(routes)}
        who = {"name": self.name, "user": USER, "password": PASSWORD, "folder": self._folder / "nats"}
        conf = self._folder / "nats.conf"
        conf.write_text(_NATS.format(**where, **who))
        program = Path(sys.executable).with_name("nats-server")
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self._network.namespace(self.name), program, "-c", conf),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
            preexec_fn=warm.die_with_parent,
        )
        self.processes["nats"] = Process(process)
        await self.processes["nats"].says("Server is ready", LISTEN_S)

    async def start_services(self) -> None:
        """Start the services; returns when all are ready."""
        for service in self._services:
            env = {**os.environ, **self._env, **self._own(service)}
            process = await warm.start("run", service, env=env, namespace=self._network.namespace(self.name))
            self.processes[service] = Process(process)
        await asyncio.gather(*(self.processes[service].says('"service_ready"') for service in self._services))

    def _own(self, service: str) -> dict[str, str]:
        others = [f"nats://{self._network.address(other)}:{NATS_PORT}" for other in NAMES if other != self.name]
        return {
            "MIM_NATS_URL": ",".join((self.nats_url, *others)),
            "MIM_DATA_DIR": str(self._folder / service),
            "MIM_HOST": self.address,
            "MIM_INSTANCE_HOST": self.address,
            "MIM_WORKER": f"{service.partition('-')[0]}-{self.name}",
        }

    async def lose(self) -> None:
        """All of it is gone at once."""
        await asyncio.gather(*(process.kill() for process in self.processes.values()))

    def cut(self) -> None:
        """The other hosts are gone for it, and it for them."""
        self._network.cut(self.name)

    def heal(self) -> None:
        """The others are there again."""
        self._network.cut(self.name, heal=True)


@asynccontextmanager
async def hosts(folder: Path, env: Mapping[str, str], network: Network) -> AsyncIterator[dict[str, Host]]:
    """The three hosts, all of them up; the third only with a gateway."""
    env = {
        "MIM_NATS_USER": USER,
        "MIM_NATS_PASSWORD": PASSWORD,
        "MIM_REPLICAS": "3",
        "MIM_HOST_NAME": "mim",  # one for all: within it ports are unique, wherever an instance moves
        "MIM_SECRET_KEY": "5a" * 32,
        "MIM_ADMIN_TOKEN": TOKEN,
        "MIM_LOG_FORMAT": "json",
        **env,
    }
    made = {
        name: Host(network, name, folder / name, env, ("gateway",) if name == NAMES[-1] else SERVICES) for name in NAMES
    }
    try:
        await asyncio.gather(*(host.start_nats() for host in made.values()))
        await asyncio.gather(*(host.start_services() for host in made.values()))
        yield made
    finally:
        await asyncio.gather(*(host.lose() for host in made.values()))


@asynccontextmanager
async def forwarded(host: str, port: int) -> AsyncIterator[int]:
    """A port on `host` that leads to one of loopback."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            pipes = [asyncio.create_task(_pipe(reader, back)), asyncio.create_task(_pipe(there, writer))]
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for pipe in pipes:
                pipe.cancel()
            back.close()
        writer.close()

    server = await asyncio.start_server(connected, host)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
