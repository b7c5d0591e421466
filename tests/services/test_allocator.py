"""Allocators over a real bus: ports are never given twice, whoever asks whom how often."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import known

from mim.allocator.app import subscribe
from mim.allocator.handlers import LAPSE_S, Allocator, can_listen
from mim.contracts import subjects
from mim.contracts.errors import ErrorCode
from mim.contracts.records import Allocation, AllocationRequest, Lease, Release, Reply, WorkerHeartbeat
from mim.contracts.states import Provider
from mim.runtime.bus import Bus
from mim.runtime.secrets import Vault
from mim.runtime.store import Secrets, Store

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Eventually

Start = Callable[..., Awaitable[Allocator]]
PORTS = range(3001, 3201)


def instance(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def request(number: int, *interfaces: str, **more: Any) -> AllocationRequest:
    wanted = interfaces or ("api",)
    return AllocationRequest(
        instance_id=instance(number), user_id="u", provider=Provider.TELEGRAM, type_instance=wanted, **more
    )


def given(reply: Reply) -> Allocation:
    assert reply.allocation is not None, reply
    return reply.allocation


@pytest.fixture
def start(connect_bus: ConnectBus, background: Background) -> Start:
    """Start an allocator with a connection of its own."""
    names = itertools.count(1)

    async def make(ports: range = PORTS, probe: Callable[[int], bool] = lambda _: True, **more: Any) -> Allocator:
        bus = await connect_bus(f"allocator-{next(names)}")
        allocator = Allocator(bus, Secrets(bus, Vault(bytes(32))), host="host-1", ports=ports, probe=probe, **more)
        background(allocator.watch_ports())
        background(allocator.watch_workers())
        async with asyncio.timeout(5):
            await allocator.ready.wait()
        return allocator

    return make


async def port_keys(bus: Bus) -> list[str]:
    """All ports that are taken, by the bucket."""
    keys = []
    async for batch in bus.follow_bucket(subjects.PORTS_BUCKET, "host-1.*"):
        if not batch:
            return keys
        keys += [entry.subject for entry in batch if entry.data is not None]
    return keys


async def test_two_allocators_under_load_never_give_one_port_twice(start: Start, bus: Bus) -> None:
    pair = [await start(), await start()]
    asked = [pair[number % 2].allocate(request(number, "api", "mcp")) for number in range(80)]
    ports = [port for reply in await asyncio.gather(*asked) for port in given(reply).ports.numbers()]
    assert len(ports) == len(set(ports)) == 160
    assert set(ports) <= set(PORTS)
    assert sorted(await port_keys(bus)) == sorted(f"host-1.{port}" for port in ports)


async def test_however_often_and_whomever_one_asks_an_instance_ends_with_one_set(start: Start, bus: Bus) -> None:
    pair = [await start(), await start()]
    same = await asyncio.gather(*(pair[number % 2].allocate(request(1, "api", "mcp")) for number in range(20)))
    assert len({given(reply).ports for reply in same}) == 1
    assert len({given(reply).api_key_sha256 for reply in same}) == 1
    assert given(await pair[0].allocate(request(1, "api", "mcp"))) == given(same[0])
    keys = await port_keys(bus)
    assert sorted(keys) == sorted(f"host-1.{port}" for port in given(same[0]).ports.numbers())


async def test_a_new_allocator_knows_what_was_given(start: Start) -> None:
    first = given(await (await start()).allocate(request(1)))
    later = await start()
    assert given(await later.allocate(request(1))) == first
    assert given(await later.allocate(request(2))).ports != first.ports


async def test_a_port_of_another_program_is_skipped(start: Start) -> None:
    with socket.socket() as other:
        port = next(port for port in range(14_000, 15_000) if can_listen("127.0.0.1", port))
        other.bind(("127.0.0.1", port))
        other.listen()
        ports = range(port, port + 20)
        allocator = await start(ports, lambda number: can_listen("127.0.0.1", number))
        got = given(await allocator.allocate(request(1))).ports.api
        assert got in ports
        assert got != port


async def test_when_all_are_taken_it_says_so_and_keeps_nothing_half_given(start: Start, bus: Bus) -> None:
    allocator = await start(range(3001, 3004))
    await allocator.allocate(request(1, "api", "mcp"))
    refused = await allocator.allocate(request(2, "api", "mcp"))
    assert (refused.allocation, refused.code) == (None, ErrorCode.PORTS_EXHAUSTED)
    assert "3001-3003" in (refused.message or "")
    assert len(await port_keys(bus)) == 2
    assert given(await allocator.allocate(request(3))).ports.api == 3003


async def test_what_one_took_in_vain_and_another_took_up_is_not_freed(
    start: Start, bus: Bus, eventually: Eventually
) -> None:
    """Two are asked for two ports of one instance while only one is free; then a second one becomes free."""
    one, other = await start(range(3001, 3003)), await start(range(3001, 3003))
    leases = Store(bus, subjects.PORTS_BUCKET, Lease)
    stranger = subjects.port_key("host-1", 3002)
    await leases.create(stranger, Lease(instance_id=instance(2)))
    asked = request(1, "api", "mcp")
    answers: list[Reply] = []

    def probe_of_one(port: int) -> bool:
        return port != 3002

    async def other_has_heard() -> bool:
        await bus.nc.flush()
        return other._taken == {3001: instance(1)}

    async def before_it_is_refused(instance_id: str, holds: Any) -> None:
        await leases.remove(stranger)
        await eventually(other_has_heard)
        answers.append(await other.allocate(asked))
        await give_up(instance_id, holds)

    give_up, one._give_up, one._probe = one._give_up, before_it_is_refused, probe_of_one  # type: ignore[method-assign]
    assert (await one.allocate(asked)).code == ErrorCode.PORTS_EXHAUSTED
    assert given(answers[0]).ports.numbers() == (3001, 3002)
    assert sorted(await port_keys(bus)) == ["host-1.3001", "host-1.3002"]


async def test_what_is_released_is_free_for_others_at_all_allocators(
    start: Start, bus: Bus, eventually: Eventually
) -> None:
    one, other = await start(range(3001, 3003)), await start(range(3001, 3003))
    await one.allocate(request(1, "api", "mcp"))
    release = Release(instance_id=instance(1), provider=Provider.TELEGRAM)
    assert await other.release(release) == Reply()
    assert await one.release(release) == Reply()
    assert await port_keys(bus) == []
    for allocator, number in ((one, 2), (other, 3)):

        async def got(allocator: Allocator = allocator, number: int = number) -> bool:
            return (await allocator.allocate(request(number))).allocation is not None

        await eventually(got)


async def test_a_port_that_could_not_be_opened_is_given_up_for_another(start: Start) -> None:
    foreign: set[int] = set()
    allocator = await start(range(3001, 3010), lambda port: port not in foreign)
    first = given(await allocator.allocate(request(1)))
    assert first.ports.api == 3001
    foreign.add(3001)
    second = given(await allocator.allocate(request(1, lost_ports=(3001,))))
    assert second.ports.api == 3002
    assert second.api_key_sha256 == first.api_key_sha256
    stranger = given(await allocator.allocate(request(2, lost_ports=(3002,))))  # not its port to give up
    assert stranger.ports.api == 3003
    assert given(await allocator.allocate(request(1))).ports.api == 3002


async def test_a_request_that_comes_after_the_release_gets_nothing_and_leaves_nothing(start: Start, bus: Bus) -> None:
    one, other = await start(), await start()
    await one.allocate(request(1))
    await other.release(Release(instance_id=instance(1), provider=Provider.TELEGRAM))
    secrets = Secrets(bus, Vault(bytes(32)))
    await secrets.remove_all(Provider.TELEGRAM, instance(1), ("api_key",))
    for late in (request(1), request(1, expose="gateway")):
        assert (await one.allocate(late)).code == ErrorCode.NOT_FOUND
    assert await port_keys(bus) == []
    assert await secrets.open("u", "telegram", instance(1), "api_key") is None


async def test_a_release_that_is_repeated_takes_no_port_from_who_has_it_now(start: Start, bus: Bus) -> None:
    allocator = await start(range(3001, 3002))
    await allocator.allocate(request(1))
    release = Release(instance_id=instance(1), provider=Provider.TELEGRAM)
    await allocator.release(release)
    assert given(await allocator.allocate(request(2))).ports.api == 3001
    allocator._taken[3001] = instance(1)  # as one whose watch is late has it
    await allocator.release(release)
    assert await port_keys(bus) == ["host-1.3001"]


async def test_what_was_taken_for_a_released_instance_and_left_is_freed(
    start: Start, bus: Bus, eventually: Eventually
) -> None:
    await start()
    leases = Store(bus, subjects.PORTS_BUCKET, Lease)
    await leases.create(subjects.port_key("host-1", 3001), Lease(instance_id=instance(1)))
    await leases.remove(subjects.lease_key(instance(1)))
    await leases.create(subjects.port_key("host-1", 3002), Lease(instance_id=instance(1)))

    async def none_is_left() -> bool:
        return await port_keys(bus) == []

    await eventually(none_is_left)


async def test_the_key_is_kept_sealed_and_told_by_its_hash(start: Start, bus: Bus) -> None:
    allocator = await start(new_key=lambda: "mim_the-key")
    reply = given(await allocator.allocate(request(1)))
    assert reply.api_key_sha256 == hashlib.sha256(b"mim_the-key").hexdigest()
    assert await Secrets(bus, Vault(bytes(32))).open("u", "telegram", instance(1), "api_key") == "mim_the-key"
    data, _ = await bus.last("KV_secrets", f"$KV.secrets.telegram.{instance(1)}.api_key")
    assert b"the-key" not in (data or b"")


async def test_a_dead_worker_is_not_chosen_and_a_living_one_is_kept(
    start: Start, bus: Bus, eventually: Eventually
) -> None:
    now = 100.0
    allocator = await start(clock=lambda: now)
    beats = Store(bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)

    async def beat(name: str, load: int) -> None:
        base: dict[str, Any] = {"provider": Provider.TELEGRAM, "host": "host-1", "capacity": 10}
        await beats.save(name, WorkerHeartbeat(worker=name, boot=f"boot-{name}", load=load, **base))

    async def chosen(prefer: str | None = None) -> str | None:
        return given(await allocator.allocate(request(1, worker=prefer))).worker

    async def is_chosen(name: str | None) -> bool:
        return await chosen() == name

    assert await chosen() is None
    await beat("busy", 5)
    await eventually(lambda: is_chosen("busy"))
    await beat("idle", 0)
    await eventually(lambda: is_chosen("idle"))
    assert await chosen("busy") == "busy"  # it held the instance last and lives: it stays there
    now += LAPSE_S + 1
    assert await chosen() is None
    await beat("busy", 5)
    await eventually(lambda: is_chosen("busy"))
    assert await chosen("idle") == "busy"
    await beats.remove("busy")
    await eventually(lambda: is_chosen(None))


async def test_over_the_bus_every_request_is_answered_refusals_too(start: Start, connect_bus: ConnectBus) -> None:
    server, caller = await connect_bus("server"), await connect_bus("caller")
    subscribe(server, await start(range(3001, 3002)))
    await server.broker.start()
    await known(server.nc)
    ask = [caller.request(subjects.ALLOCATE, request(number).model_dump_json().encode(), 15) for number in (1, 2)]
    replies = [Reply.model_validate_json(data) for data in await asyncio.gather(*ask)]
    assert sorted(str(reply.code) for reply in replies) == ["None", "PORTS_EXHAUSTED"]


async def test_while_the_bus_is_away_it_refuses_and_afterwards_goes_on(
    nats_server: NatsServer, start: Start, eventually: Eventually
) -> None:
    allocator = await start()
    first = given(await allocator.allocate(request(1)))
    await nats_server.stop()
    assert (await allocator.allocate(request(2))).code == ErrorCode.BUS_UNAVAILABLE
    await nats_server.start()

    async def works() -> bool:
        return (await allocator.allocate(request(2))).allocation is not None

    await eventually(works)
    assert given(await allocator.allocate(request(1))) == first
    assert given(await allocator.allocate(request(2))).ports != first.ports
