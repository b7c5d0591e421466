"""The bus against a real nats-server: durable publishing, following that survives, dead letters."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats.errors
import orjson
import pytest
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from mim.contracts import subjects
from mim.contracts.answers import PortStatistics
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.messages import AnyCommand, Outcome
from mim.contracts.records import DeadLetter
from mim.contracts.reports import ServiceReport
from mim.gateway.system import is_slow, system_health
from mim.lifecycle.app import subscribe
from mim.runtime import metrics, streams
from mim.runtime.bus import PUBLISH_TIMEOUT_S, Bus, Conflict
from mim.runtime.consumers import attend
from mim.runtime.flow import Entry
from mim.runtime.service import answer_health

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Eventually, Story

    Entries = Callable[[str, str], Story[Entry]]

ID = "5f0c1d3e-0000-4000-8000-000000000042"
SUBJECT = subjects.instance_event(ID, "updated")
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
# ------------------------------------------------------------------------------------------------ following


async def test_a_follower_sees_everything_once_and_in_order_across_a_crash_of_the_server(
    nats_server: NatsServer, bus: Bus, connect_bus: ConnectBus, entries: Entries, background: Background
) -> None:
    story, publisher, total = entries(subjects.EVENTS, SUBJECT), await connect_bus("publisher"), 400

    async def publish() -> None:
        for number in range(total):
            payload = b"%d" % number
            await publisher.surely(lambda payload=payload: publisher.publish(SUBJECT, payload, msg_id=f"n{payload}"))

    publishing = background(publish())
    await story.until(lambda items: len(items) >= 100)
    await nats_server.stop()
    await nats_server.start()
    await story.until(lambda items: len(items) >= total)
    await publishing
    assert [entry.data for entry in story.items] == [b"%d" % number for number in range(total)]
    assert [entry.seq for entry in story.items] == sorted({entry.seq for entry in story.items})
    assert bus.reconnects == 1


async def test_a_late_follower_gets_what_was_stored_and_is_told_when_it_is_up_to_date(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(SUBJECT, b"%d" % number)
    seen: list[Entry] = []
    async with asyncio.timeout(5):
        async for batch in bus.follow(subjects.EVENTS, SUBJECT, after=2):
            if not batch:
                break
            seen += batch
    assert [entry.data for entry in seen] == [b"2", b"3", b"4"]


async def test_a_follower_that_is_slow_makes_the_server_wait_and_loses_nothing(
    bus: Bus, connect_bus: ConnectBus
) -> None:
    publisher, total, payload = await connect_bus("publisher"), 1500, b"x" * 60_000
    await bus.publish(SUBJECT, b"first")
    largest = seen = 0
    async with asyncio.timeout(60):
        async for batch in bus.follow(subjects.EVENTS, SUBJECT, after=0):
            if seen == 0 and batch:
                for _ in range(total):
                    await publisher.publish(SUBJECT, payload)
            seen += len(batch)
            largest = max(largest, sum(len(entry.data or b"") for entry in batch))
            if seen == total + 1:
                break
    assert largest < 40_000_000, "the process holds all that it has not looked at"
    assert bus.dropped == 0


async def test_what_is_dropped_because_nobody_takes_it_is_counted_and_told(bus: Bus) -> None:
    before = metrics.REGISTRY.get_sample_value("mim_bus_messages_dropped_total") or 0
    stuck = asyncio.Event()

    async def take(_msg: Msg) -> None:
        await stuck.wait()

    await bus.nc.subscribe("mim.rpc.slow", cb=take, pending_msgs_limit=2)
    for _ in range(5):
        await bus.nc.publish("mim.rpc.slow", b"x")
    await bus.nc.flush(5)
    await bus.nc.flush(5)
    stuck.set()
    assert bus.dropped >= 2
    assert (metrics.REGISTRY.get_sample_value("mim_bus_messages_dropped_total") or 0) == before + bus.dropped
    await answer_health(bus, "allocator", "host-1")
    report = ServiceReport.model_validate_json(await bus.request(subjects.HEALTH, b"", 5))
    assert report.figures["dropped"] == bus.dropped
    health = system_health([], [report.service] if is_slow(report) else [], {}, PortStatistics.model_construct())
    assert (health.status, len(health.issues)) == ("warning", 1)
    assert "allocator does not keep up" in health.issues[0]


async def test_an_empty_stream_is_up_to_date_at_once(bus: Bus) -> None:
    async with asyncio.timeout(5):
        assert await anext(bus.follow(subjects.EVENTS, SUBJECT, after=0)) == []


async def test_a_bucket_is_followed_as_it_is_and_as_it_changes(bus: Bus, background: Background) -> None:
    key = f"$KV.{subjects.PORTS_BUCKET}.host."
    for name in ("a", "b", "a"):
        await bus.publish(key + name, name.encode())
    await bus.publish(key + "b", b"", headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"})
    batches = bus.follow_bucket(subjects.PORTS_BUCKET)
    first: list[Entry] = []
    async with asyncio.timeout(5):
        while batch := await anext(batches):
            first += batch
        assert {entry.subject: entry.data for entry in first} == {"host.a": b"a", "host.b": None}
        await bus.publish(key + "c", b"new")
        (entry,) = await anext(batches)
    assert (entry.subject, entry.data) == ("host.c", b"new")


async def test_heartbeats_are_seen_again_after_a_crash_that_took_those_not_flushed_yet(
    nats_server: NatsServer, bus: Bus, background: Background, tmp_path: Path
) -> None:
    # Buckets with `persist_mode: async` lose their tail in a kill -9 (seen: last_seq 20 before, 0 after), so the
    # follower's position lies beyond the end of the stream then.
    key, seen = f"$KV.{subjects.WORKERS_BUCKET}.w", asyncio.Queue[bytes | None]()

    async def follow() -> None:
        async for batch in bus.follow_bucket(subjects.WORKERS_BUCKET):
            for entry in batch:
                seen.put_nowait(entry.data)

    async def beat(data: bytes) -> None:
        while True:
            await bus.surely(lambda: bus.publish(key, data))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while await seen.get() != data:
                        pass
                    return

    background(follow())
    await nats_server.stop()
    shutil.copytree(tmp_path / "nats", tmp_path / "before")
    await nats_server.start()
    async with asyncio.timeout(10):
        for number in range(20):
            await beat(b"%d" % number)
        await nats_server.stop()
        shutil.rmtree(tmp_path / "nats")
        shutil.copytree(tmp_path / "before", tmp_path / "nats")
        await nats_server.start()
        await beat(b"after")


# ----------------------------------------------------------------------------------------------- publishing


async def test_publishing_while_the_server_is_away_fails_at_once_and_works_when_it_is_back(
    nats_server: NatsServer, bus: Bus
) -> None:
    await nats_server.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await bus.publish(SUBJECT, b"x")
    assert time.monotonic() - began < PUBLISH_TIMEOUT_S + 0.5
    assert (refused.value.code, bus.connected) == (ErrorCode.BUS_UNAVAILABLE, False)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await bus.publish(SUBJECT, b"x")
    assert time.monotonic() - began < 0.1
    await nats_server.start()
    async with asyncio.timeout(10):
        assert await bus.surely(lambda: bus.publish(SUBJECT, b"x", msg_id="x")) == 1


async def until_frozen(pid: int) -> None:
    """Return once the kernel has stopped all threads of a process, which takes a moment on a busy machine."""
    async with asyncio.timeout(5):
        while any(  # noqa: ASYNC110 - the kernel tells only who asks
            task.read_text().rpartition(")")[2].split()[0] != "T" for task in Path(f"/proc/{pid}/task").glob("*/stat")
        ):
            await asyncio.sleep(0.001)


async def test_a_frozen_server_is_given_up_in_time(nats_server: NatsServer, bus: Bus) -> None:
    assert nats_server.pid is not None
    os.kill(nats_server.pid, signal.SIGSTOP)
    try:
        await until_frozen(nats_server.pid)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await bus.publish(SUBJECT, b"x")
        assert time.monotonic() - began < PUBLISH_TIMEOUT_S + 0.5
    finally:
        os.kill(nats_server.pid, signal.SIGCONT)
    async with asyncio.timeout(10):
        await bus.surely(lambda: bus.publish(SUBJECT, b"y", msg_id="y"))


async def test_the_same_id_is_stored_once_even_across_a_crash(nats_server: NatsServer, bus: Bus) -> None:
    first = await bus.publish(SUBJECT, b"x", msg_id="same")
    assert await bus.publish(SUBJECT, b"x", msg_id="same") == first
    await nats_server.stop()
    await nats_server.start()
    async with asyncio.timeout(10):
        assert await bus.surely(lambda: bus.publish(SUBJECT, b"x", msg_id="same")) == first
    assert (await bus.js.stream_info(subjects.EVENTS)).state.messages == 1


async def test_of_two_who_expect_the_same_only_one_succeeds(bus: Bus) -> None:
    expect = (subjects.instance_events(ID), 0)
    tries = [bus.publish(subjects.instance_event(ID, name), b"x", expect=expect) for name in ("created", "updated")]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "int"]
    with pytest.raises(Conflict):
        await bus.publish(SUBJECT, b"y", expect=expect)
    (seq,) = [result for result in results if isinstance(result, int)]
    assert await bus.publish(SUBJECT, b"y", expect=(subjects.instance_events(ID), seq)) == seq + 1


async def test_what_is_missing_and_what_is_removed_has_no_value_but_the_latter_a_sequence(bus: Bus) -> None:
    stream, subject = f"KV_{subjects.PORTS_BUCKET}", f"$KV.{subjects.PORTS_BUCKET}.host.1"
    assert await bus.last(stream, subject) == (None, 0)
    await bus.publish(subject, b"x")
    seq = await bus.publish(subject, b"", headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"})
    assert await bus.last(stream, subject) == (None, seq)


async def test_asking_where_nobody_answers_is_unavailable(bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.request("mim.rpc.nobody", b"", 0.2)


async def test_surely_ends_when_the_act_succeeds_or_the_connection_is_gone_for_good(bus: Bus) -> None:
    left = [Unavailable(ErrorCode.BUS_UNAVAILABLE, "away"), Unavailable(ErrorCode.BUS_UNAVAILABLE, "away")]

    async def act() -> str:
        if left:
            raise left.pop()
        return "done"

    async def never() -> None:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "away")

    async with asyncio.timeout(5):
        assert await bus.surely(act) == "done"
        trying = asyncio.create_task(bus.surely(never))
        await bus.nc.close()
        with pytest.raises(Unavailable):
            await trying
    assert bus.closed.is_set()


async def test_providing_the_streams_again_changes_nothing(bus: Bus) -> None:
    await bus.publish(SUBJECT, b"x")
    await streams.provision(bus.js)
    assert (await bus.js.stream_info(subjects.EVENTS)).state.messages == 1


async def test_streams_that_the_server_has_lost_are_made_again(
    bus: Bus, nats_server: NatsServer, background: Background, eventually: Eventually
) -> None:
    for name in ("KV_tokens", subjects.COMMANDS):
        await bus.js.delete_stream(name)
    background(streams.attend(bus, 1))
    background(attend(bus, subjects.COMMANDS, streams.COMMAND_CONSUMER))
    await nats_server.stop()
    await nats_server.start()

    async def is_whole() -> bool:
        with suppress(nats.errors.Error, NotFoundError):
            await bus.js.consumer_info(subjects.COMMANDS, subjects.LIFECYCLE_DURABLE)
            names = {info.config.name for info in await bus.js.streams_info()}
            return names == {config.name for config in streams.STREAMS}
        return False

    await eventually(is_whole)


# --------------------------------------------------------------------------------------------- dead letters


class Service:
    """In the place of lifecycle: breaks as it is told, notes what it was asked."""

    def __init__(self) -> None:
        self.done: asyncio.Queue[AnyCommand] = asyncio.Queue()
        self.errors: list[Exception] = []

    async def obey(self, command: AnyCommand) -> Outcome:
        if self.errors:
            raise self.errors.pop()
        self.done.put_nowait(command)
        return Outcome(instance_id=command.instance_id, ok=True, message="done")


@pytest.fixture
async def service(bus: Bus) -> Service:
    service = Service()
    subscribe(bus, service)  # type: ignore[arg-type]
    await bus.broker.start()
    return service


@pytest.fixture
async def dead(entries: Entries) -> Story[Entry]:
    return entries(subjects.DEAD, subjects.ALL_DEAD)


async def letter_of(dead: Story[Entry]) -> DeadLetter:
    (entry,) = await dead.until(lambda items: len(items) == 1)
    return DeadLetter.model_validate_json(entry.data or b"")


async def no_commands_left(bus: Bus) -> bool:
    return (await bus.js.stream_info(subjects.COMMANDS)).state.messages == 0


MALFORMED: dict[str, tuple[str, Any, str]] = {
    "no JSON": (subjects.CREATE_COMMAND, b"\xff{not json", "Invalid JSON"),
    "no object": (subjects.CREATE_COMMAND, b"[1,2]", "body"),
    "fields missing": (subjects.CREATE_COMMAND, {"instance_id": ID, "user_id": "u"}, "provider"),
    "unknown verb": (subjects.instance_command(ID, "explode"), {"actor": "me"}, "verb"),
    "no UUID": (subjects.instance_command("not-a-uuid", "start"), {}, "instance_id"),
    "foreign reply": (subjects.instance_command(ID, "start"), {"reply_to": "mim.evt.x"}, "reply subject"),
}


@pytest.mark.parametrize(("subject", "body", "why"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_command_is_parked_whole_with_the_reason_and_delays_nobody(
    bus: Bus, service: Service, dead: Story[Entry], eventually: Eventually, subject: str, body: Any, why: str
) -> None:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    await bus.publish(subject, raw)
    letter = await letter_of(dead)
    assert (letter.service, letter.subject) == ("test", subject)
    assert why in letter.reason
    parked = base64.b64decode(letter.payload)
    assert parked.decode() == raw.decode(errors="replace")
    await bus.publish(subjects.instance_command(ID, "start"), b"")
    async with asyncio.timeout(5):
        assert (await service.done.get()).instance_id == ID
    await eventually(lambda: no_commands_left(bus))


@pytest.mark.parametrize("broken", [False, True], ids=["JSON", "cut off"])
async def test_a_dead_letter_shows_no_secret(bus: Bus, service: Service, dead: Story[Entry], broken: bool) -> None:
    body = {"user_id": "u", "token": TOKEN, "proxy": "http://me:hunter2@proxy:1", "name": f"Bearer {TOKEN}"}
    raw = orjson.dumps(body)
    await bus.publish(subjects.CREATE_COMMAND, raw[:-1] if broken else raw)
    letter = await letter_of(dead)
    shown = letter.model_dump_json() + base64.b64decode(letter.payload).decode()
    assert TOKEN not in shown
    assert "hunter2" not in shown
    assert "user_id" in base64.b64decode(letter.payload).decode()


async def test_what_is_only_unavailable_is_tried_again(
    bus: Bus, service: Service, dead: Story[Entry], eventually: Eventually
) -> None:
    service.errors.append(Unavailable(ErrorCode.BUS_UNAVAILABLE, "the read model lags behind"))
    await bus.publish(subjects.instance_command(ID, "start"), b"{}")
    async with asyncio.timeout(10):
        await service.done.get()
    await eventually(lambda: no_commands_left(bus))
    assert dead.items == []


async def test_a_command_on_which_the_service_breaks_is_parked_and_the_next_one_works(
    bus: Bus, service: Service, dead: Story[Entry]
) -> None:
    service.errors.append(RuntimeError(f"a bug with {TOKEN}"))
    await bus.publish(subjects.instance_command(ID, "stop"), b"{}")
    letter = await letter_of(dead)
    assert (letter.code, "a bug" in letter.reason) == (ErrorCode.INTERNAL, True)
    assert TOKEN not in letter.reason
    await bus.publish(subjects.instance_command(ID, "stop"), b"{}")
    async with asyncio.timeout(5):
        await service.done.get()


async def test_a_connection_that_has_just_closed_is_told_as_the_bus_being_away(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: object) -> None:
        raise RuntimeError("the handler is closed")  # as uvloop says it

    flusher = bus.nc._flusher_task
    assert flusher is not None
    flusher.cancel()  # the client writes by itself then
    await asyncio.wait([flusher])
    with monkeypatch.context() as gone:
        gone.setattr(bus.nc._transport, "writelines", closed)
        with pytest.raises(Unavailable):
            await bus.publish(subjects.instance_event("00000000-0000-4000-8000-000000000001", "x"), b"{}")
