"""The bus as a cluster of three servers that keep everything thrice: one may be lost at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nats.errors
import pytest
from nats.js.errors import APIError
from tests.conftest import NatsServer, free_port

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.fields import Model
from mim.runtime import bus as buses
from mim.runtime import streams
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings
from mim.runtime.store import Store

if TYPE_CHECKING:
    from tests.services.conftest import Background

ID = "5f0c1d3e-0000-4000-8000-000000000042"
SUBJECT = subjects.instance_event(ID, "updated")
SERVERS = ("n1", "n2", "n3")


class Count(Model):
    number: int = 0


class Cluster:
    """Three servers by name, and buses that know all of them."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack
        ports = [free_port() for _ in SERVERS]
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
        self.servers = {
            name: NatsServer(
                folder / name,
                *("--name", name, "--cluster_name", "mim", "--cluster", f"nats://127.0.0.1:{port}", "--routes", routes),
            )
            for name, port in zip(SERVERS, ports, strict=True)
        }

    async def start(self, replicas: int = 3) -> Bus:
        """Start all; returns when everything is made."""
        await asyncio.gather(*(server.start() for server in self.servers.values()))
        bus = await self.bus("lifecycle")
        await bus.surely(lambda: _provision(bus, replicas))
        return bus

    async def bus(self, name: str) -> Bus:
        urls = ",".join(server.url for server in self.servers.values())
        settings = Settings(nats_url=urls, data_dir=self._folder / "data")
        return await self._stack.enter_async_context(buses.connect(settings, name))

    async def leader(self, bus: Bus, stream: str) -> str:
        """Which server leads a stream."""
        async with asyncio.timeout(90):
            while True:
                with suppress(nats.errors.Error, APIError, TimeoutError):
                    info = await bus.js.stream_info(stream)
                    if info.cluster is not None and info.cluster.leader is not None:
                        return info.cluster.leader

    async def until_whole(self) -> None:
        """Return when what the tests read is on all servers, up to date."""
        bus = await self.bus("looking")
        async with asyncio.timeout(90):
            while not await _is_whole(bus, subjects.EVENTS, f"KV_{subjects.ORDERS_BUCKET}"):
                pass


async def _is_whole(bus: Bus, *names: str) -> bool:
    for stream in names:
        try:
            info = await bus.js.stream_info(stream)
        except (nats.errors.Error, APIError, TimeoutError):
            return False
        replicas = (info.cluster and info.cluster.replicas) or []
        if len(replicas) != 2 or not all(peer.current and not peer.offline and not peer.lag for peer in replicas):
            return False
    return True


async def _provision(bus: Bus, replicas: int) -> None:
    try:
        await streams.provision(bus.js, replicas)
    except (nats.errors.Error, APIError, TimeoutError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, str(error)) from error


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        cluster = Cluster(tmp_path, stack)
        yield cluster
        await asyncio.gather(*(server.stop() for server in cluster.servers.values()))


async def test_the_server_that_leads_is_lost_and_nothing_else(cluster: Cluster, background: Background) -> None:
    """Events are followed once each and in order, and compare-and-set holds, over the loss of one and then another."""
    await cluster.start()
    await cluster.until_whole()
    follower, publisher, other = [await cluster.bus(name) for name in ("follower", "publisher", "other")]
    seen: list[bytes] = []
    moved = asyncio.Condition()

    async def follow() -> None:
        async for batch in follower.follow(subjects.EVENTS, SUBJECT, after=0):
            async with moved:
                seen.extend(entry.data or b"" for entry in batch)
                moved.notify_all()

    async def until(count: int) -> None:
        async with asyncio.timeout(60), moved:
            await moved.wait_for(lambda: len(seen) >= count)

    async def publish(first: int, last: int) -> None:
        for number in range(first, last):
            payload = b"%d" % number
            await publisher.surely(lambda payload=payload: publisher.publish(SUBJECT, payload, msg_id=f"n{payload!r}"))

    async def count_up(bus: Bus, times: int) -> None:
        store = Store(bus, subjects.ORDERS_BUCKET, Count)
        for _ in range(times):
            await bus.surely(lambda: store.change(KEY, lambda now: Count(number=(now or Count()).number + 1)))

    background(follow())
    for turn in range(2):
        publishing = [background(publish(200 * turn, 200 * turn + 200)), background(count_up(other, 20))]
        await until(200 * turn + 50)
        lost = cluster.servers[await cluster.leader(publisher, subjects.EVENTS)]
        await lost.stop()
        await asyncio.gather(*publishing)
        await until(200 * turn + 200)
        await lost.start()
        await cluster.until_whole()
    assert seen == [b"%d" % number for number in range(400)]
    number = await other.surely(lambda: Store(other, subjects.ORDERS_BUCKET, Count).load(KEY))
    assert number[0] is not None
    assert number[0].number >= 40  # one whose answer was lost is counted twice, none is lost


KEY = "telegram.telegram-1.count"


@pytest.mark.timeout(300)
async def test_what_one_server_kept_is_moved_to_three_without_loss(cluster: Cluster) -> None:
    bus = await cluster.start(replicas=1)
    await bus.surely(lambda: bus.publish(SUBJECT, b"before", msg_id="before"))
    store = Store(bus, subjects.ORDERS_BUCKET, Count)
    await bus.surely(lambda: store.save(KEY, Count(number=7)))
    await bus.surely(lambda: _provision(bus, 3))
    await cluster.until_whole()
    await cluster.servers[await cluster.leader(bus, subjects.EVENTS)].stop()
    async with asyncio.timeout(90):
        async for batch in bus.follow(subjects.EVENTS, SUBJECT, after=0):
            if batch:
                break
    assert [entry.data for entry in batch] == [b"before"]
    number, _ = await bus.surely(lambda: store.load(KEY))
    assert number == Count(number=7)
