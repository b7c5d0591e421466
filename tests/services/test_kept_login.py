"""Logins that are kept on the bus: found by the next run wherever it is, changed by nobody who was overtaken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from mim.cli.rotation import reseal
from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, NotReady, Unavailable
from mim.contracts.login import LoginKind
from mim.contracts.records import InstanceRecord, OrderAction, SessionOrder
from mim.contracts.states import Desired, Provider, Status
from mim.contracts.values import Ports, Reason
from mim.runtime.bus import Bus
from mim.runtime.kept_login import KeptLogin, is_kept
from mim.runtime.secrets import LOGIN, SecretsUnreadable, Vault
from mim.runtime.session import MOST_LOGIN_BYTES
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store

ID = "5f0c1d3e-0000-4000-8000-000000000077"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
REASON = Reason(code="REQUESTED", message="", since=NOW)
OLD_KEY, NEW_KEY = bytes(32), bytes(range(32))


def order(epoch: int = 1, login: LoginKind | None = None, *, resumes: bool = False) -> SessionOrder:
    return SessionOrder(
        instance_id=ID,
        user_id="u",
        provider=Provider.WHATSAPPWEB,
        login=login,
        action=OrderAction.RUN,
        boot="b",
        epoch=epoch,
        ports=Ports(),
        api_key_sha256="",
        resumes=resumes,
        status=Status.STARTING,
        reason=REASON,
    )


@pytest.fixture
def secrets(bus: Bus) -> Secrets:
    return Secrets(bus, Vault(OLD_KEY))


async def run(bus: Bus, secrets: Secrets, epoch: int) -> KeptLogin:
    kept = KeptLogin(bus, secrets, order(epoch))
    await kept.load()
    return kept


def test_a_bot_has_its_token_and_nothing_is_kept_for_it() -> None:
    assert [is_kept(order(login=login)) for login in (None, LoginKind.USER, LoginKind.BOT)] == [True, True, False]


async def test_the_next_run_finds_what_the_one_before_kept(bus: Bus, secrets: Secrets) -> None:
    first = await run(bus, secrets, 1)
    assert (first.login, first.epoch) == (None, 0)
    await first.keep("one:with a colon\nand a line")
    await first.keep("two")
    following = await run(bus, secrets, 5)
    assert (following.login, following.epoch, following.run) == ("two", 1, 5)
    await following.keep(None)
    assert (await run(bus, secrets, 6)).login is None


async def test_a_login_that_is_not_to_be_seen_yet_is_looked_for_again(
    bus: Bus, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await run(bus, secrets, 1)
    await first.keep("one")
    load, told = secrets.load, list[tuple[str | None, int]]()

    async def lagging(*about: str) -> tuple[str | None, int]:
        told.append((None, 0) if len(told) < 2 else await load(*about))
        return told[-1]

    monkeypatch.setattr(secrets, "load", lagging)
    kept = KeptLogin(bus, secrets, order(2, resumes=True))
    await kept.load()
    assert (kept.login, len(told)) == ("one", 3)
    await kept.keep(None)
    await kept.load()  # it was there and is gone: nothing lags behind
    assert (kept.login, len(told)) == (None, 4)
    told.clear()
    assert (await run(bus, secrets, 3)).login is None  # nobody says that there is one
    assert len(told) == 1


async def test_a_run_that_was_overtaken_neither_keeps_nor_forgets(bus: Bus, secrets: Secrets) -> None:
    first = await run(bus, secrets, 1)
    await first.keep("first")
    second = await run(bus, secrets, 2)
    await second.keep("first")  # the same, but of this run
    for late in ("late", None):
        with pytest.raises(NotReady):
            await first.keep(late)
    with pytest.raises(NotReady):
        await run(bus, secrets, 1)
    found = await run(bus, secrets, 3)
    assert (found.login, found.epoch) == ("first", 2)
    await found.keep(None)
    with pytest.raises(NotReady):
        await second.keep("back from the dead")


async def test_two_that_begin_at_once_do_not_both_get_it(bus: Bus, secrets: Secrets) -> None:
    runs = [await run(bus, secrets, epoch) for epoch in (1, 1, 2)]
    kept = await asyncio.gather(*(each.keep(f"of {i}") for i, each in enumerate(runs)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in kept) == ["NoneType", "NotReady", "NotReady"]


async def test_an_answer_that_was_lost_is_no_other_run(
    bus: Bus, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, replace = await run(bus, secrets, 1), secrets.replace
    lost = [True]

    async def replaced(*about: object) -> int:
        revision = await replace(*about)  # type: ignore[arg-type]
        if lost:
            lost.clear()
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "no answer")
        return revision

    monkeypatch.setattr(secrets, "replace", replaced)
    await kept.keep("one")
    await kept.keep("two")
    assert (await run(bus, secrets, 2)).login == "two"


async def test_a_login_is_sealed_anew_when_the_key_is_replaced_and_stays_its_runs(
    bus: Bus, secrets: Secrets, settings: Settings
) -> None:
    kept = await run(bus, secrets, 1)
    await kept.keep("x" * MOST_LOGIN_BYTES)
    record = InstanceRecord(
        id=ID,
        user_id="u",
        provider=Provider.WHATSAPPWEB,
        type_instance=(),
        desired=Desired.RUNNING,
        status=Status.CLIENT_READY,
        reason=REASON,
        created_at=NOW,
        updated_at=NOW,
        event_seq=1,
        instance_seq=1,
    )
    await Store(bus, subjects.INSTANCES_BUCKET, InstanceRecord).save(ID, record)
    report = await reseal(bus, Vault(NEW_KEY, OLD_KEY), settings)
    assert (report.secrets.anew, report.secrets.unreadable, report.secrets.orphans) == (1, [], [])
    with pytest.raises(SecretsUnreadable):
        await run(bus, secrets, 2)
    secrets._vault = Vault(NEW_KEY, OLD_KEY)
    await kept.keep("y")
    assert (await run(bus, Secrets(bus, Vault(NEW_KEY)), 2)).login == "y"


async def test_what_an_earlier_version_kept_is_found(bus: Bus, secrets: Secrets) -> None:
    sealed = secrets.seal("u", ID, LOGIN, "1BVtsOK8Bu0=")
    await secrets.put(Provider.WHATSAPPWEB, ID, LOGIN, sealed)
    kept = await run(bus, secrets, 4)
    assert (kept.login, kept.epoch) == ("1BVtsOK8Bu0=", 0)


async def test_one_that_no_key_opens_can_be_forgotten(bus: Bus, secrets: Secrets) -> None:
    await (await run(bus, secrets, 1)).keep("under a lost key")
    other = Secrets(bus, Vault(NEW_KEY))
    kept = KeptLogin(bus, other, order(2))
    with pytest.raises(SecretsUnreadable):
        await kept.load()
    await kept.find()
    await kept.keep(None)
    assert (await run(bus, other, 3)).login is None
