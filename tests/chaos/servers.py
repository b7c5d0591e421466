"""A bus of three servers, each on a host of its own, that may be killed, frozen, or cut off from the others."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from tests.services import hosts
from tests.services.hosts import NAMES, Host, Network

from mim.contracts import subjects


class Servers:
    """Made by `running`."""

    def __init__(self, machines: dict[str, Host]) -> None:
        self._machines = machines
        self._busy: set[str] = set()

    @property
    def env(self) -> dict[str, str]:
        """What a system needs to use them."""
        urls = ",".join(machine.nats_url for machine in self._machines.values())
        access = {"MIM_NATS_USER": hosts.USER, "MIM_NATS_PASSWORD": hosts.PASSWORD}
        return {"MIM_NATS_URL": urls, "MIM_REPLICAS": "3", **access}

    async def connect(self) -> Client:
        """A connection that knows all of them."""
        urls = [machine.nats_url for machine in self._machines.values()]
        return await nats.connect(urls, user=hosts.USER, password=hosts.PASSWORD, max_reconnect_attempts=-1)

    async def suffer(self, kind: str, number: int, lasts_s: float) -> None:
        """Lose one of them for a while; nothing if one is lost already, as two of three are more than is promised."""
        if self._busy:
            return
        name = NAMES[number % len(NAMES)]
        self._busy.add(name)
        try:
            if number % 2:
                name = await self._leader() or name
            await self._lose(self._machines[name], kind, lasts_s)
            await self._whole()
        finally:
            self._busy.clear()

    async def _lose(self, machine: Host, kind: str, lasts_s: float) -> None:
        server = machine.processes["nats"]
        if kind == "kill":
            await server.kill()
            await asyncio.sleep(lasts_s)
            await machine.start_nats()
        elif kind == "freeze":
            server.signal(signal.SIGSTOP)
            await asyncio.sleep(lasts_s)
            server.signal(signal.SIGCONT)
        else:
            machine.cut()
            await asyncio.sleep(lasts_s)
            machine.heal()

    async def _leader(self) -> str | None:
        with suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
            client = await self.connect()
            try:
                info = await client.jetstream(timeout=2).stream_info(subjects.EVENTS)
            finally:
                await client.close()
            return info.cluster.leader if info.cluster else None
        return None

    async def _whole(self) -> None:
        """Return when every stream is on all three again, up to date."""
        async with asyncio.timeout(60):
            while not await self._are_current():  # noqa: ASYNC110 - the servers announce nothing
                await asyncio.sleep(0.2)

    async def _are_current(self) -> bool:
        with suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
            client = await self.connect()
            try:
                infos = await client.jetstream(timeout=2).streams_info()
            finally:
                await client.close()
            peers = [peer for info in infos if info.cluster for peer in info.cluster.replicas or []]
            return len(peers) == 2 * len(infos) and all(peer.current and not peer.offline for peer in peers)
        return False


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Servers]:
    """The three, on hosts of their own; skips where there can be none."""
    hosts.require()
    network = Network()
    machines = {name: Host(network, name, folder / name, {}, ()) for name in NAMES}
    try:
        network.make()
        await asyncio.gather(*(machine.start_nats() for machine in machines.values()))
        yield Servers(machines)
    finally:
        await asyncio.gather(*(machine.lose() for machine in machines.values()))
        network.remove()
