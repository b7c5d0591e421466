"""The outbox of a worker: consumers only for instances that have something to send."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import nats.errors
import pytest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, ConsumerInfo, RawStreamMsg
from nats.js.errors import NotFoundError
from tests.services.conftest import Background, Eventually, Story

from mim.contracts import subjects
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage
from mim.contracts.states import Provider
from mim.runtime import history, streams
from mim.runtime.flow import Entry
from mim.runtime.history import count
from mim.runtime.outbox import Deliver, Outbox, Tell

if TYPE_CHECKING:
    from tests.conftest import NatsServer

    from mim.runtime.bus import Bus

ID = "00000000-0000-4000-8000-000000000001"


def message(number: int) -> SendMessage:
    return SendMessage(
        id=f"m{number}",
        instance_id=ID,
        provider=Provider.TELEGRAM,
        to="1",
        text=f"text {number}",
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
    )


async def publish(bus: Bus, number: int) -> None:
    subject = subjects.message_command("telegram", ID)
    await bus.publish(subject, message(number).model_dump_json().encode())


async def consumers(bus: Bus) -> list[str | None]:
    return [info.name for info in await bus.js.consumers_info(subjects.OUTBOX)]


async def test_a_consumer_is_made_for_the_first_message_and_put_down_after_idle_time(
    bus: Bus, background: Background
) -> None:
    done: Story[str] = Story()

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        assert not doubt

        async def tell() -> None:
            done.add(given.id)

        return tell

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot", idle_s=0.2)
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    assert await consumers(bus) == []
    for number in range(3):
        await publish(bus, number)
    await done.until(lambda items: items == ["m0", "m1", "m2"])
    assert await consumers(bus) == [f"out-{ID}"]
    background(outbox.tidy())
    while await consumers(bus):
        pass  # each look asks the server; pytest's own deadline ends it
    await publish(bus, 3)
    await done.until(lambda items: items[3:] == ["m3"])


@pytest.mark.parametrize("is_kept", [False, True])
async def test_the_file_of_an_outbox_that_is_kept_filled_stays(
    bus: Bus, nats_server: NatsServer, background: Background, eventually: Eventually, is_kept: bool
) -> None:
    """The other way round it is shown that the server is as `streams.attend` says: it may go once this fails."""
    done: Story[str] = Story()

    async def holds(subject: str) -> bool:
        return await count(bus, subjects.OUTBOX, subject) > 0

    async def is_sent() -> bool:
        return not await holds(subjects.message_command("telegram", ID))

    if is_kept:
        background(streams.attend(bus, 1))
        await eventually(lambda: holds(subjects.OUTBOX_KEPT))
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, _telling(done))
    for number in range(3):
        await publish(bus, number)
        await done.until(lambda items, count=number + 1: len(items) == count)  # type: ignore[misc]
        await eventually(is_sent)
    first = nats_server.folder.glob("jetstream/*/streams/OUTBOX/msgs/1.blk")
    assert any(first) is is_kept
    await outbox.close(ID)


async def test_what_waited_before_the_session_is_delivered_when_it_opens(bus: Bus) -> None:
    done: Story[str] = Story()

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        assert not doubt

        async def tell() -> None:
            done.add(given.id)

        return tell

    for number in range(3):
        await publish(bus, number)
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await done.until(lambda items: items == ["m0", "m1", "m2"])
    await outbox.close(ID)
    assert await consumers(bus) == []


async def test_what_was_tried_is_told_after_the_session_and_never_tried_again(bus: Bus, eventually: Eventually) -> None:
    tried: list[str] = []
    may_tell, told = asyncio.Event(), asyncio.Event()

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        tried.append(given.id)

        async def tell() -> None:
            await may_tell.wait()
            told.set()

        return tell

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await publish(bus, 0)
    await eventually(lambda: _is(bool(tried)))
    await outbox.close(ID)
    assert await consumers(bus) == [f"out-{ID}"]  # the evidence for whoever is next
    await outbox.open(ID, 1, deliver)
    await publish(bus, 1)
    may_tell.set()
    await told.wait()
    await eventually(lambda: _is(tried[1:] == ["m1"]))

    async def is_empty() -> bool:
        return await count(bus, subjects.OUTBOX, subjects.message_command("telegram", ID)) == 0

    await eventually(is_empty)
    assert tried == ["m0", "m1"]


async def test_what_came_while_this_worker_was_cut_off_is_found_when_it_is_back(bus: Bus) -> None:
    done: Story[str] = Story()
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, _telling(done))
    for subscription in list(bus.nc._subs.values()):
        if subscription.subject == subjects.messages_of("telegram"):
            await subscription.unsubscribe()
    await publish(bus, 0)
    await bus.returned()
    await outbox.look_again()
    await done.until(lambda items: items == ["m0"])
    await outbox.close(ID)


async def test_a_consumer_that_somebody_deleted_is_made_again_and_nothing_is_tried_twice(
    bus: Bus, eventually: Eventually
) -> None:
    done: Story[str] = Story()
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, _telling(done))
    await publish(bus, 0)
    await done.until(lambda items: items == ["m0"])
    await bus.js.delete_consumer(subjects.OUTBOX, f"out-{ID}")
    await publish(bus, 1)

    async def is_found() -> bool:
        await outbox.look_again()
        return await consumers(bus) == [f"out-{ID}"] and done.items == ["m0", "m1"]

    await eventually(is_found)
    await outbox.close(ID)
    assert await consumers(bus) == []


async def test_a_message_whose_consumer_is_lost_before_it_is_acknowledged_is_not_tried_again(
    bus: Bus, eventually: Eventually
) -> None:
    tried: list[str] = []

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        tried.append(given.id)

        async def tell() -> None:
            await bus.js.delete_consumer(subjects.OUTBOX, f"out-{ID}")

        return tell

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await publish(bus, 0)

    async def is_done() -> bool:
        await bus.returned()
        await outbox.look_again()
        return await count(bus, subjects.OUTBOX, subjects.message_command("telegram", ID)) == 0

    await eventually(is_done)
    assert tried == ["m0"]


async def test_messages_whose_acknowledgements_the_server_forgot_are_not_tried_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Story[str] = Story()
    arrived: list[Msg] = []
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    arrive = outbox._arrive

    async def watched(msg: Msg) -> None:
        arrived.append(msg)
        await arrive(msg)

    monkeypatch.setattr(outbox, "_arrive", watched)
    await outbox.listen()
    await outbox.open(ID, 1, _telling(done))
    for number in range(3):
        await publish(bus, number)
    await done.until(lambda items: items == ["m0", "m1", "m2"])
    for msg in arrived[:3]:
        await outbox._handle_one(ID, msg, _telling(done))
    await publish(bus, 3)
    await done.until(lambda items: items == ["m0", "m1", "m2", "m3"])
    await outbox.close(ID)


async def test_all_that_the_last_holder_told_and_the_server_forgot_is_not_sent_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Story[str] = Story()
    lagging = [0, 2]  # how many events the server that is asked has got
    newest = history.newest

    async def read(*args: Any, **options: Any) -> tuple[list[Entry], int]:
        entries, total = await newest(*args, **options)
        return (entries[: lagging.pop(0)] if lagging and "since" in options else entries), total

    monkeypatch.setattr(history, "newest", read)
    for number in range(4):
        await publish(bus, number)
    for number in range(3):
        sent = MessageSent(
            instance_id=ID, provider=Provider.TELEGRAM, epoch=1, id=f"m{number}", to="1", messenger_id="7"
        )
        await bus.emit(sent)
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 2, _telling(done))
    await done.until(lambda items: items == ["m3"])
    assert not lagging
    await outbox.close(ID)


async def test_what_was_sent_before_a_message_was_queued_says_nothing_of_it(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = MessageSent(instance_id=ID, provider=Provider.TELEGRAM, epoch=1, id="m0", to="1", messenger_id="7")
    await bus.emit(sent)
    monkeypatch.setattr(history, "SKEW", timedelta())
    assert not await history.was_told(bus, message(1), datetime.now(UTC) + timedelta(minutes=1))
    assert await history.was_told(bus, message(0), datetime.now(UTC))


async def test_what_has_failed_is_not_tried_again_unless_it_is_queued_again(bus: Bus) -> None:
    done: Story[str] = Story()
    await publish(bus, 0)
    await publish(bus, 1)
    failed = MessageFailed(
        instance_id=ID, provider=Provider.TELEGRAM, epoch=1, id="m0", to="1", code="NOT_FOUND", message="no such chat"
    )
    await bus.emit(failed)
    for epoch, all_done in ((2, ["m1"]), (3, ["m1", "m0"])):
        outbox = Outbox(bus, "telegram", f"mim.deliver.test.boot{epoch}")
        await outbox.listen()
        await outbox.open(ID, epoch, _telling(done))
        await done.until(lambda items, expected=all_done: items == expected)
        await outbox.close(ID)
        await publish(bus, 0)


async def test_what_the_last_holder_told_is_not_sent_again_though_its_consumer_is_gone_and_a_server_lags_behind(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Story[str] = Story()
    get = bus.js.get_last_msg

    async def lagging(stream: str, subject: str, direct: bool | None = False) -> RawStreamMsg:
        if direct and stream == subjects.EVENTS:
            raise NotFoundError
        return await get(stream, subject, direct=direct)

    monkeypatch.setattr(bus.js, "get_last_msg", lagging)
    await publish(bus, 0)
    await publish(bus, 1)
    told = MessageSent(instance_id=ID, provider=Provider.TELEGRAM, epoch=1, id="m0", to="1", messenger_id="7")
    await bus.emit(told)
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 2, _telling(done))
    await done.until(lambda items: items == ["m1"])
    await outbox.close(ID)


async def test_what_was_delivered_and_did_not_arrive_is_not_in_doubt(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    done: Story[tuple[str, bool]] = Story()
    lost: list[str] = []

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        done.add((given.id, doubt))
        return _nothing

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    arrive = outbox._arrive

    async def arrive_but_once(msg: Msg) -> None:
        if not lost:
            lost.append(msg.subject)
            await msg.nak()
        else:
            await arrive(msg)

    monkeypatch.setattr(outbox, "_arrive", arrive_but_once)
    add = bus.js.add_consumer

    async def late(stream: str, config: ConsumerConfig) -> ConsumerInfo:
        """The answer of a server that delivers first."""
        made = await add(stream, config)
        while not (info := await bus.js.consumer_info(stream, made.name)).num_ack_pending:
            pass
        return info

    monkeypatch.setattr(bus.js, "add_consumer", late)
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await publish(bus, 0)
    await done.until(lambda items: items == [("m0", False)])
    await outbox.close(ID)


async def test_who_ends_before_it_knows_that_its_consumer_is_made_leaves_nothing_behind(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()
    add = bus.js.add_consumer

    async def slow(*args: Any, **named: Any) -> ConsumerInfo:
        made = await add(*args, **named)
        asked.set()
        await may_answer.wait()
        return made

    await publish(bus, 0)
    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    monkeypatch.setattr(bus.js, "add_consumer", slow)
    opening = asyncio.create_task(outbox.open(ID, 1, _telling(Story())))
    await asked.wait()
    opening.cancel()
    closing = asyncio.create_task(outbox.close(ID))
    asyncio.get_running_loop().call_later(0.1, may_answer.set)
    await closing
    assert await consumers(bus) == []  # it would be the evidence of a crash


async def test_an_end_that_is_cancelled_goes_on_and_who_ends_it_again_waits_for_it(bus: Bus) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()  # as an attempt has the last word
        return _nothing

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await publish(bus, 0)
    await begun.wait()
    first = asyncio.create_task(outbox.close(ID))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(outbox.close(ID))
    assert not (await asyncio.wait({second}, timeout=0.1))[0]
    may_end.set()
    await second
    assert await consumers(bus) == []


@pytest.mark.parametrize(("epoch", "doubt"), [(1, False), (2, False), (3, True)])
async def test_what_waits_is_in_doubt_only_if_somebody_else_may_have_held_the_instance_meanwhile(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, epoch: int, doubt: bool
) -> None:
    begun = asyncio.Event()

    async def deliver(given: SendMessage, doubt: bool) -> Tell:
        begun.set()
        await asyncio.Event().wait()  # its session is not ready
        return _nothing

    async def unreachable(*_: object, **__: object) -> None:
        raise nats.errors.TimeoutError

    outbox = Outbox(bus, "telegram", "mim.deliver.test.boot")
    await outbox.listen()
    await outbox.open(ID, 1, deliver)
    await publish(bus, 0)
    await begun.wait()
    with monkeypatch.context() as away:
        away.setattr(outbox, "_leave", unreachable)
        away.setattr(Msg, "nak", unreachable)
        await outbox.close(ID)
    await outbox.open(ID, epoch, deliver)
    assert (ID in outbox._doubtful) is doubt
    await outbox.close(ID)


async def test_who_waited_for_the_bus_and_gave_the_instance_up_takes_nothing_from_the_next_holder(bus: Bus) -> None:
    done: Story[str] = Story()
    former, present = (Outbox(bus, "telegram", f"mim.deliver.{name}.boot") for name in ("former", "present"))
    for outbox in (former, present):
        await outbox.listen()
    await former.open(ID, 1, _telling(Story()))
    former._due[ID] = None
    looks = former._look_at(ID)  # has begun, and the bus is away
    await former.close(ID)
    await present.open(ID, 1, _telling(done))
    await publish(bus, 0)
    await done.until(lambda items: items == ["m0"])
    await looks
    await publish(bus, 1)
    await done.until(lambda items: items == ["m0", "m1"])
    await present.close(ID)
    assert await consumers(bus) == []


async def test_only_what_a_frozen_holder_has_is_in_doubt_and_it_leaves_the_next_ones_consumer_alone(bus: Bus) -> None:
    tried: Story[tuple[str, bool]] = Story()
    held = asyncio.Event()

    def deliverer(wait: asyncio.Event | None) -> Deliver:
        async def deliver(given: SendMessage, doubt: bool) -> Tell:
            tried.add((given.id, doubt))
            if wait is not None:
                await wait.wait()
            return _nothing

        return deliver

    former, present, last = (Outbox(bus, "telegram", f"mim.deliver.{name}.boot") for name in ("a", "b", "c"))
    for number, (outbox, wait) in enumerate([(former, None), (present, held), (last, None)]):
        await outbox.listen()
        await outbox.open(ID, 1, deliverer(wait))
        await publish(bus, number)
        await tried.until(partial(_has, number))
    await tried.until(lambda items: items == [("m0", False), ("m1", False), ("m1", True), ("m2", False)])
    for outbox in (former, present):
        await outbox.close(ID)
    assert await consumers(bus) == [f"out-{ID}"]
    await publish(bus, 3)
    await tried.until(lambda items: items[4:] == [("m3", False)])
    await last.close(ID)
    assert await consumers(bus) == []


def _has(number: int, items: list[tuple[str, bool]]) -> bool:
    return any(name == f"m{number}" for name, _ in items)


async def _nothing() -> None:
    """Tells nobody."""


def _telling(done: Story[str]) -> Deliver:
    async def deliver(given: SendMessage, _doubt: bool) -> Tell:
        async def tell() -> None:
            done.add(given.id)

        return tell

    return deliver


async def _is(true: bool) -> bool:
    await asyncio.sleep(0.01)
    return true
