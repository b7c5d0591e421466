"""Buckets of typed values: nobody's change is lost, and what is removed is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mim.contracts import subjects
from mim.contracts.fields import Model
from mim.runtime.bus import Bus, Conflict
from mim.runtime.secrets import SecretsUnreadable, Vault
from mim.runtime.store import REMOVED_S, Secrets, Store

if TYPE_CHECKING:
    from tests.conftest import ConnectBus

ID = "5f0c1d3e-0000-4000-8000-000000000042"


class Counter(Model):
    count: int = 0
    writers: tuple[int, ...] = ()


@pytest.fixture
def store(bus: Bus) -> Store[Counter]:
    return Store(bus, subjects.PORTS_BUCKET, Counter)


async def test_twenty_writers_at_once_lose_no_update(store: Store[Counter], connect_bus: ConnectBus) -> None:
    stores = [store, Store(await connect_bus("other"), subjects.PORTS_BUCKET, Counter)]

    async def add(writer: int) -> None:
        def more(seen: Counter | None) -> Counter:
            seen = seen or Counter()
            return Counter(count=seen.count + 1, writers=(*seen.writers, writer))

        await stores[writer % 2].change("counter", more)

    await asyncio.gather(*(add(writer) for writer in range(20)))
    stored, _ = await store.load("counter")
    assert stored is not None
    assert stored.count == 20
    assert sorted(stored.writers) == list(range(20))


async def test_of_twenty_creators_one_wins(store: Store[Counter]) -> None:
    won = await asyncio.gather(*(store.create("key", Counter(count=number)) for number in range(20)))
    [(winner, first)] = [(number, revision) for number, revision in enumerate(won) if revision is not None]
    assert await store.load("key") == (Counter(count=winner), first)


async def test_a_change_may_leave_it_as_it_is(store: Store[Counter]) -> None:
    assert await store.change("key", lambda _: None) is None
    await store.save("key", Counter(count=7))
    _, revision = await store.load("key")
    assert await store.change("key", lambda _: None) == Counter(count=7)
    assert (await store.load("key"))[1] == revision


async def test_saving_over_something_newer_is_a_conflict(store: Store[Counter]) -> None:
    revision = await store.save("key", Counter(count=1), revision=0)
    await store.save("key", Counter(count=2), revision=revision)
    with pytest.raises(Conflict):
        await store.save("key", Counter(count=3), revision=revision)
    with pytest.raises(Conflict):
        await store.save("key", Counter(count=3), revision=0)


async def test_a_removed_key_is_free_again(store: Store[Counter]) -> None:
    await store.remove("key")
    assert await store.create("key", Counter(count=1))
    await store.remove("key")
    await store.remove("key")
    assert (await store.load("key"))[0] is None
    assert await store.create("key", Counter(count=2))


async def test_a_secret_is_stored_once_opens_for_its_owner_only_and_leaves_no_trace(bus: Bus) -> None:
    secrets = Secrets(bus, Vault(bytes(32)))
    sealed = [secrets.seal("owner", ID, "token", f"plain-{number}") for number in range(10)]
    kept = await asyncio.gather(*(secrets.put_new("telegram", ID, "token", one) for one in sealed))
    assert len(set(kept)) == 1
    plain = f"plain-{sealed.index(kept[0])}"
    assert await secrets.open("owner", "telegram", ID, "token") == plain
    with pytest.raises(SecretsUnreadable):
        await secrets.open("somebody else", "telegram", ID, "token")
    await secrets.put("telegram", ID, "token", secrets.seal("owner", ID, "token", "new"))
    assert await secrets.open("owner", "telegram", ID, "token") == "new"
    await secrets.remove_all("telegram", ID, ("token", "proxy"))
    assert await secrets.open("owner", "telegram", ID, "token") is None
    for seq in range(1, (await bus.js.stream_info("KV_secrets")).state.last_seq + 1):
        data, _ = await bus.last("KV_secrets", f"$KV.secrets.telegram.{ID}.token")
        assert data is None, seq
    assert (await bus.js.stream_info("KV_secrets")).state.messages <= 2  # a tombstone for each name


async def test_what_was_removed_is_not_remembered_for_ever(bus: Bus, store: Store[Counter]) -> None:
    await store.save("key", Counter(count=7))
    await store.remove("key")
    left = await bus.js.get_last_msg(f"KV_{subjects.PORTS_BUCKET}", f"$KV.{subjects.PORTS_BUCKET}.key")
    assert left.headers is not None
    assert left.headers["Nats-TTL"] == f"{REMOVED_S}s"
