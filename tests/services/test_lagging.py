"""Reads that a server of a cluster answers though it lags behind: nothing is done on their word alone.

The lag is played here; `test_hosts.py` meets the real one.
"""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from tests.services.conftest import Background, Eventually, Story
from tests.services.test_allocator import Start, given, instance, port_keys, request, start  # noqa: F401 - a fixture
from tests.services.test_lifecycle import System, system  # noqa: F401 - a fixture
from tests.services.test_outbox import ID as OUTBOX_ID
from tests.services.test_outbox import publish
from tests.services.test_worker import ID, Rig, rig  # noqa: F401 - a fixture
from tests.unit.test_machine import at

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, NotReady
from mim.contracts.messages import Reconnecting, SendMessage
from mim.contracts.records import OrderAction, Release, Reply
from mim.contracts.states import Provider, Status
from mim.lifecycle.living import LAPSE_S
from mim.lifecycle.model import ReadModel
from mim.runtime import runner
from mim.runtime.bus import Bus
from mim.runtime.idempotency import Idempotency, Seed
from mim.runtime.outbox import Outbox
from mim.runtime.secrets import API_KEY, Vault
from mim.runtime.store import Secrets, Store


def lag(
    monkeypatch: pytest.MonkeyPatch, store: Store[Any], behind: tuple[Any, int] = (None, 0), times: int = 1
) -> list[str]:
    """Let the first reads of a store be answered by a server that lags `behind`; all keys that are read from now on."""
    load, asked = store.load, list[str]()

    async def lagging(key: str) -> Any:
        asked.append(key)
        return behind if len(asked) <= times else await load(key)

    monkeypatch.setattr(store, "load", lagging)
    return asked


async def test_an_order_that_came_while_fenced_is_obeyed_afterwards(rig: Rig) -> None:  # noqa: F811
    await rig.worker._fence()
    await rig.order()
    await rig.world.until(lambda: ID in rig.worker._wanted or rig.world.open == 1)  # the next heartbeat ends the fence
    await rig.said("client_ready")


async def test_after_a_fence_an_order_that_was_taken_back_is_not_run(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await rig.order()
    await rig.said("client_ready")
    key = subjects.order_key("telegram", rig.worker.name, ID)
    old, _ = await rig.orders.load(key)

    async def not_yet() -> None:
        """The next heartbeat would end the fence before the order is taken back."""

    monkeypatch.setattr(rig.worker, "_resume", not_yet)
    await rig.worker._fence()
    await rig.orders.remove(key)

    async with asyncio.timeout(15):
        while ID not in rig.worker._wanted:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    asked = asyncio.Event()

    async def lagging(_: str) -> Any:
        asked.set()
        return old, 1

    monkeypatch.setattr(rig.worker._orders, "load", lagging)
    rig.worker._fenced = False
    rig.worker._want(ID, old)
    await asyncio.wait_for(asked.wait(), 5)
    rig.worker._want(ID, None)  # the server has caught up
    async with asyncio.timeout(15):
        while ID in rig.worker._obeying:
            await asyncio.wait([rig.worker._obeying[ID]])
    assert (rig.world.runs, rig.world.open) == (1, 0)


async def test_after_a_fence_an_order_runs_however_late_it_can_be_proved(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mim.runtime.proof.PROVE_TRIES", 3)
    await rig.worker._fence()
    await rig.worker._resume()
    asked = lag(monkeypatch, rig.worker._orders, times=5)
    await rig.order()
    await rig.said("client_ready")
    assert (rig.world.runs, len(asked)) == (1, 6)


@pytest.mark.parametrize("known", ["nothing", "an earlier life"])
async def test_after_a_fence_what_a_server_does_not_know_yet_is_not_given_up(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    known: str,
) -> None:
    await rig.order()
    await rig.said("client_ready")
    now, revision = await rig.orders.load(subjects.order_key("telegram", rig.worker.name, ID))
    assert now is not None
    behind = (None, 0) if known == "nothing" else (now.model_copy(update={"boot": "earlier"}), revision - 1)
    asked = lag(monkeypatch, rig.worker._orders, behind, times=2)
    await rig.worker._fence()
    assert rig.world.open == 0
    await rig.world.until(lambda: rig.world.open == 1)
    assert (rig.world.runs, len(asked) > 2) == (2, True)


async def test_an_order_to_give_an_instance_up_is_removed_though_a_server_does_not_know_it_yet(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    await rig.order()
    await rig.said("client_ready")
    asked = lag(monkeypatch, rig.worker._orders)

    async def removed() -> bool:
        return (await rig.orders.load(subjects.order_key("telegram", rig.worker.name, ID)))[0] is None

    await rig.order(OrderAction.YIELD)
    await eventually(removed)
    assert (len(asked), rig.world.open) == (2, 0)


async def test_a_heartbeat_of_an_earlier_life_that_is_told_late_is_no_other_worker(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = rig.worker
    revision = await worker._beat(None)
    now, _ = await worker._beats.load(worker.name)
    assert now is not None
    earlier = now.model_copy(update={"boot": "earlier"})
    lag(monkeypatch, worker._beats, (earlier, revision - 1))
    with pytest.raises(Exception, match="lags behind"):
        await worker._beat(revision - 1)
    assert await worker._beat(revision - 1) > revision


async def test_a_fence_closes_sessions_before_it_waits_for_the_bus(
    rig: Rig,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await rig.order()
    await rig.said("client_ready")
    held, close = asyncio.Event(), rig.worker._outbox.close

    async def slow(instance_id: str) -> None:
        await held.wait()
        await close(instance_id)

    monkeypatch.setattr(rig.worker._outbox, "close", slow)
    began = time.monotonic()
    fencing = asyncio.create_task(rig.worker._fence())
    await rig.world.until(lambda: rig.world.open == 0)
    assert time.monotonic() - began < runner.END_S
    held.set()
    await fencing


async def test_what_waits_is_found_though_nothing_seemed_to(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    done: Story[str] = Story()

    async def deliver(message: SendMessage, _doubt: bool) -> None:
        done.add(message.id)

    await publish(bus, 0)
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()

    async def nothing(_: str) -> bool:
        return False

    monkeypatch.setattr(outbox, "_is_waiting", nothing)
    await outbox.open(OUTBOX_ID, 1, deliver)
    assert await bus.js.consumers_info(subjects.OUTBOX) == []
    await outbox.look_again()
    await done.until(lambda items: items == ["m0"])
    await outbox.close(OUTBOX_ID)


async def test_ports_stay_given_though_their_lease_is_not_to_be_seen_yet(
    start: Start,  # noqa: F811
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, late = await start(), await start()
    ports = given(await first.allocate(request(1))).ports
    async with asyncio.timeout(5):
        while not late._taken:
            await bus.nc.flush()

    async def unseen(_: str) -> Any:
        return None, 0

    with monkeypatch.context() as lagging:
        lagging.setattr(late._leases, "load", unseen)
        assert (await late.allocate(request(1))).code == ErrorCode.BUS_UNAVAILABLE
    assert await port_keys(bus) == [f"host-1.{port}" for port in ports.numbers()]
    assert given(await late.allocate(request(1))).ports == ports


@pytest.mark.parametrize("lagging", ["not yet", "an older revision"])
async def test_a_port_is_freed_though_the_server_that_is_asked_lags_behind(
    start: Start,  # noqa: F811
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
    lagging: str,
) -> None:
    allocator = await start()
    port = given(await allocator.allocate(request(1))).ports.api
    assert port is not None
    key = subjects.port_key("host-1", port)
    load = allocator._leases.load
    lease, revision = await load(key)
    assert lease is not None
    newest = await allocator._leases.save(key, lease, revision=revision)  # as another allocator that takes it up
    async with asyncio.timeout(5):
        while allocator._seen[port] < newest:
            await bus.nc.flush()
    told = [(None, 0) if lagging == "not yet" else (lease, revision)]

    async def late(asked: str) -> Any:
        return told.pop() if told and asked == key else await load(asked)

    monkeypatch.setattr(allocator._leases, "load", late)
    assert await allocator.release(Release(instance_id=instance(1), provider=Provider.TELEGRAM)) == Reply()
    assert (told, await port_keys(bus)) == ([], [])


async def test_a_port_that_is_only_being_taken_is_nobodys(start: Start) -> None:  # noqa: F811
    """Two requests for one instance, while another allocator has the port that the first one wants."""
    one, other = await start(), await start()
    theirs = given(await other.allocate(request(2))).ports
    async with asyncio.timeout(5):
        while not one._taken:
            await one._workers_store.load("none")
    one._taken.clear()  # as if it had not heard yet
    both = await asyncio.gather(one.allocate(request(1)), one.allocate(request(1)))
    assert len({given(reply).ports for reply in both}) == 1
    assert given(both[0]).ports != theirs


async def test_a_secret_that_is_not_to_be_seen_yet_is_looked_for_again(
    bus: Bus, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets, looked = Secrets(bus, Vault(bytes(32))), asyncio.Event()
    place = ("u", Provider.TELEGRAM, ID)
    find = secrets.open

    async def looking(*about: str) -> str | None:
        found = await find(*about)
        looked.set()
        return found

    async def put() -> None:
        await looked.wait()
        await secrets.put(Provider.TELEGRAM, ID, "token", secrets.seal("u", ID, "token", "t"))

    monkeypatch.setattr(secrets, "open", looking)
    background(put())
    assert await secrets.open_all(*place, ("token",)) == {"token": "t"}
    with pytest.raises(NotReady, match="proxy is not to be seen yet"):
        await secrets.open_all(*place, ("token", "proxy"))


async def test_no_session_begins_without_a_secret_that_is_not_to_be_seen_yet(
    rig: Rig,  # noqa: F811
) -> None:
    secrets = rig.worker._secrets
    await secrets.put("telegram", ID, "proxy", secrets.seal("u", ID, "proxy", "p"))
    await rig.order(secrets=("proxy", "token"))
    first = await rig.said("reconnecting")
    assert isinstance(first.data, Reconnecting)
    assert first.data.reason is not None
    assert (first.data.reason.code, rig.world.runs) == (ErrorCode.BUS_UNAVAILABLE, 0)
    async with asyncio.timeout(15):
        # Others go on meanwhile.
        while rig.worker._doors.connecting._free < rig.settings.telegram_connecting_most:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "as token is not" in first.data.reason.message
    await secrets.put("telegram", ID, "token", secrets.seal("u", ID, "token", "t"))
    await rig.said("reconnecting", "client_ready")
    assert rig.world.runs == 1


async def test_a_secret_that_was_taken_away_is_not_waited_for(rig: Rig) -> None:  # noqa: F811
    await rig.order(secrets=("proxy",))
    await rig.said("reconnecting")
    await rig.order()
    await rig.said("reconnecting", "client_ready")


@pytest.mark.parametrize("lagging", [None, "the key before"])
async def test_an_api_key_that_is_not_the_one_of_the_record_is_looked_for_again(
    bus: Bus, background: Background, monkeypatch: pytest.MonkeyPatch, lagging: str | None
) -> None:
    secrets, looked = Secrets(bus, Vault(bytes(32))), asyncio.Event()
    record = at(Status.CLIENT_READY, api_key_sha256=sha256(b"the key").hexdigest())
    find = secrets.load

    async def looking(*about: str) -> tuple[str | None, int]:
        found = await find(*about)
        looked.set()
        return found

    async def put(key: str) -> None:
        sealed = secrets.seal(record.user_id, record.id, API_KEY, key)
        await secrets.put(record.provider, record.id, API_KEY, sealed)

    async def put_late() -> None:
        await looked.wait()
        await put("the key")

    if lagging:
        await put(lagging)
    monkeypatch.setattr(secrets, "load", looking)
    background(put_late())
    assert await secrets.api_key(record, lambda _: None) == "the key"
    before = record.model_copy(update={"api_key_sha256": "another"})
    assert await secrets.api_key(before, lambda _: None) is None
    seen = [record, before]  # the record lags behind as well
    assert await secrets.api_key(before, lambda _: seen.pop()) == "the key"


async def test_who_cannot_write_judges_nobodys_silence(
    system: System,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await system.lifecycle()
    _, life = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    other, _ = await system.worker("two")
    life.cancel()
    swept = asyncio.Event()

    def cut_off(_: ReadModel) -> bool:
        swept.set()
        return False

    with monkeypatch.context() as split:
        split.setattr(ReadModel, "is_proved", property(cut_off))
        system.clock.now += LAPSE_S + 1
        await asyncio.wait_for(swept.wait(), 5)
        swept.clear()
        await asyncio.wait_for(swept.wait(), 5)
        record = await system.until(Status.CLIENT_READY)
        assert (record.worker, record.epoch) == ("one", 1)
    system.clock.now += LAPSE_S + 1
    await other.beat()
    await system.until(Status.CLIENT_READY, also=lambda record: record.worker == "two")


async def test_a_repeat_is_not_done_twice_though_a_server_does_not_know_the_first_yet(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Idempotency(bus, Vault(bytes(32)))
    seeds = []

    async def act(seed: Seed) -> web.Response:
        seeds.append(seed.id("purpose"))
        return web.Response(body=b"done")

    async def ask() -> web.StreamResponse:
        request = make_mocked_request("POST", "/", headers={"Idempotency-Key": "one"})
        request._read_bytes = b"{}"
        return await once.once(request, "somebody", act)

    await ask()
    asked = lag(monkeypatch, once._store)
    assert (await ask()).headers["Idempotent-Replayed"] == "true"
    assert (len(seeds), len(asked) > 1) == (1, True)
