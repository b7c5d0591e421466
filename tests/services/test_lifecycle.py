"""Lifecycle, its read model and the allocator together on a real bus, with scripted workers that obey orders."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import nats.errors
import pytest
from nats.js.client import JetStreamContext
from tests.conftest import known

from mim.allocator import app as allocator_app
from mim.allocator.handlers import Allocator
from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.messages import (
    ClientReady,
    CloudEvent,
    CreateInstance,
    Event,
    InstanceCreated,
    InstanceEvent,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    LoggedOut,
    MessageFailed,
    Outcome,
    QrReady,
    SendMessage,
    unwrap,
)
from mim.contracts.records import FoldPosition, InstanceRecord, OrderAction, SessionOrder, WorkerHeartbeat
from mim.contracts.states import Desired, Provider, Status, UserAction
from mim.contracts.values import Account, Reason
from mim.gateway.model import ReadModel as Copy
from mim.lifecycle import app as lifecycle_app
from mim.lifecycle import handlers
from mim.lifecycle.containers import Containers
from mim.lifecycle.fold import fold
from mim.lifecycle.handlers import Lifecycle
from mim.lifecycle.living import LAPSE_S, Living
from mim.lifecycle.model import ReadModel
from mim.lifecycle.moves import AT_ONCE
from mim.lifecycle.orphans import Orphans
from mim.runtime.bus import Bus
from mim.runtime.flow import Entry
from mim.runtime.history import count
from mim.runtime.secrets import Vault
from mim.runtime.service import subscribe
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Eventually, Story


PORTS = range(3001, 3101)
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


def instance(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


ID = instance(1)


class Clock:
    """Monotonic seconds that tests may move on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeWorker:
    """Obeys its orders on the bus and says what a worker would say, as long as it lives."""

    def __init__(self, bus: Bus, name: str) -> None:
        self.name, self.boot, self.load = name, f"boot-{name}", 0
        self.orders: list[SessionOrder] = []
        self.epochs: dict[str, int] = {}
        self.ports_taken: set[int] = set()
        self.draining = False
        self.clings = False
        """It does not obey when it shall hand an instance over."""
        self.leaving: set[str] = set()
        self.most_leaving = 0
        self._heard = asyncio.Event()
        self._bus = bus
        self._store = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)

    async def beat(self) -> None:
        base: dict[str, Any] = {"provider": Provider.TELEGRAM, "host": "host-1", "capacity": 100}
        beat = WorkerHeartbeat(worker=self.name, boot=self.boot, load=self.load, draining=self.draining, **base)
        await Store(self._bus, subjects.WORKERS_BUCKET, WorkerHeartbeat).save(self.name, beat)

    async def live(self) -> None:
        async for batch in self._store.follow(subjects.orders_of("telegram", self.name)):
            for _, order in batch:
                if order is not None and order.boot == self.boot:
                    self.orders.append(order)
                    await self._obey(order)
                    self._heard.set()

    async def _obey(self, order: SessionOrder) -> None:
        match order.action:
            case OrderAction.RUN if order.ports.api in self.ports_taken:
                reason = Reason(code="PORT_TAKEN", message="taken", user_action="restart", since=self._bus.now())
                await self._say(InstanceFailed, order, reason=reason)
            case OrderAction.RUN if order.epoch > self.epochs.get(order.instance_id, 0):
                self.epochs[order.instance_id] = order.epoch
                await self._say(ClientReady, order, account=Account(id="42"))
            case OrderAction.HOLD if order.status is Status.STARTING:
                await self._say(InstanceStopped, order)
            case OrderAction.LOGOUT:
                await self._say(LoggedOut, order)
            case OrderAction.YIELD:
                self.leaving.add(order.instance_id)
                self.most_leaving = max(self.most_leaving, len(self.leaving))
                if not self.clings:
                    await self.let_go(order.instance_id)
            case OrderAction.PURGE:
                await self._store.remove(subjects.order_key("telegram", self.name, order.instance_id))
            case _:
                pass

    async def drain(self, draining: bool = True) -> None:
        self.draining = draining
        await self.beat()

    async def let_go(self, instance_id: str) -> None:
        """Hand an instance over."""
        self.epochs.pop(instance_id, None)
        self.leaving.discard(instance_id)
        await self._store.remove(subjects.order_key("telegram", self.name, instance_id))

    async def until(self, done: Callable[[], bool]) -> None:
        """Return once it has heard so much."""
        async with asyncio.timeout(10):
            while not done():
                self._heard.clear()
                await self._heard.wait()

    async def until_told(self, action: OrderAction) -> None:
        """Return once this is the newest order."""
        await self.until(lambda: bool(self.orders) and self.orders[-1].action is action)

    async def _say(self, kind: type[InstanceEvent], order: SessionOrder, **more: Any) -> None:
        await self._bus.emit_surely(kind(instance_id=order.instance_id, epoch=order.epoch, actor=self.name, **more))


class System:
    """One allocator, any number of lifecycles and workers, and the callers' side."""

    def __init__(self, bus: Bus, connect: ConnectBus, background: Background, story: Story[CloudEvent[Event]]) -> None:
        self.bus, self.connect, self.background, self.story = bus, connect, background, story
        self.clock = Clock()
        self.foreign: set[int] = set()
        """Ports that other programs hold."""
        self.copy = Copy(bus)

    async def start(self) -> None:
        self.background(self.copy.run())
        bus = await self.connect("allocator")
        secrets = Secrets(bus, Vault(bytes(32)))
        allocator = self.allocator = Allocator(
            bus, secrets, host="host-1", ports=PORTS, probe=lambda port: port not in self.foreign, clock=self.clock
        )
        allocator_app.subscribe(bus, allocator)
        self.background(allocator.watch_ports())
        self.background(allocator.watch_workers())
        await bus.broker.start()
        await known(bus.nc)

    async def lifecycle(self, name: str = "lifecycle") -> Callable[[], Awaitable[None]]:
        """As `mim.lifecycle.app`, with the test's clock; returns how to kill it."""
        bus = await self.connect(name)
        model = ReadModel(bus)
        containers = Containers(bus, Settings(), model.get)  # without an engine
        service = Lifecycle(bus, model, Secrets(bus, Vault(bytes(32))), containers, self.clock)
        model.changed = service.touch
        bus.on_reconnect(service.bus_returned)
        lifecycle_app.subscribe(bus, service)
        tasks = [self.background(model.run())]
        async with asyncio.timeout(5):
            await model.ready.wait()
        tasks.append(self.background(model.save()))
        tasks += [self.background(service.living.watch()), self.background(service.orders.watch())]
        tasks += [self.background(service.reconcile()), self.background(service.sweep())]
        tasks.append(self.background(service.moves.run()))
        service.touch_all()
        await bus.surely(lambda: subscribe(bus))

        async def kill() -> None:
            await bus.nc.close()
            for task in tasks:
                task.cancel()
            # Until the server has seen it too, what is said next may be given to the dead, and after 10 s to another.
            async with asyncio.timeout(10):
                while (await self.bus.js.consumer_info(subjects.COMMANDS, subjects.LIFECYCLE_DURABLE)).push_bound:
                    pass

        return kill

    async def worker(self, name: str) -> tuple[FakeWorker, asyncio.Task[None]]:
        worker = FakeWorker(await self.connect(name), name)
        await worker.beat()
        return worker, self.background(worker.live())

    async def ask(self, subject: str, body: bytes = b"{}") -> Outcome:
        """Give a command as a service on the bus does, and wait for its outcome."""
        inbox = self.bus.nc.new_inbox()
        answers = await self.bus.nc.subscribe(inbox, max_msgs=1)
        await self.bus.publish(subject, body, headers={"Mim-Reply-To": inbox})
        return Outcome.model_validate_json((await answers.next_msg(timeout=5)).data)

    async def create(self, number: int = 1, **more: Any) -> Outcome:
        body: dict[str, Any] = {"user_id": "u", "provider": "telegram"}
        command = CreateInstance(instance_id=instance(number), **body | more)
        return await self.ask(subjects.CREATE_COMMAND, command.model_dump_json().encode())

    async def command(self, verb: str, number: int = 1) -> Outcome:
        return await self.ask(subjects.instance_command(instance(number), verb))

    async def until(
        self, status: Status | None, number: int = 1, also: Callable[[InstanceRecord], bool] = lambda _: True
    ) -> InstanceRecord:
        """The record as callers see it once it stands at `status` (None: it is gone)."""

        def there(record: InstanceRecord | None) -> bool:
            return (
                record is None if status is None else (record is not None and record.status is status and also(record))
            )

        try:
            record = await self.copy.wait(instance(number), there, 10)
        except TimeoutError:
            pytest.fail(f"not {status} but {self.copy.get(instance(number))}; {self.names(number)}")
        return record  # type: ignore[return-value]

    def names(self, number: int = 1) -> list[str]:
        """The names of all status events of one instance so far."""
        told = [told.data for told in self.story.items if told.subject == instance(number)]
        return [event.name for event in told if isinstance(event, InstanceEvent)]


@pytest.fixture
async def system(bus: Bus, connect_bus: ConnectBus, background: Background, events: Any) -> System:
    system = System(bus, connect_bus, background, events)
    await system.start()
    return system


async def test_a_created_instance_is_allocated_started_and_ready(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    outcome = await system.create()
    assert outcome.ok
    ready = await system.until(Status.CLIENT_READY)
    assert (ready.worker, ready.epoch, ready.ports.api, ready.logged_in) == ("one", 1, 3001, True)
    assert system.names() == ["created", "allocated", "starting", "client_ready"]
    assert [order.action for order in worker.orders] == [OrderAction.RUN]


async def test_the_same_create_twice_happens_once_and_another_one_with_its_id_is_refused(system: System) -> None:
    await system.lifecycle()
    await system.worker("one")
    first, again = await asyncio.gather(system.create(), system.create())
    assert (first.ok, again.ok) == (True, True)
    await system.until(Status.CLIENT_READY)
    assert Counter(system.names())["created"] == 1
    refused = await system.create(user_id="somebody else")
    assert (refused.ok, refused.code) == (False, ErrorCode.ALREADY_EXISTS)
    assert (await system.until(Status.CLIENT_READY)).user_id == "u"


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """While it is cleared nothing is folded, until somebody asks whether a record is the newest."""
    fold, is_newest, may = ReadModel._fold, ReadModel.is_newest, asyncio.Event()
    may.set()

    async def late(self: ReadModel, batch: list[Entry]) -> None:
        await may.wait()
        await fold(self, batch)

    async def just_then(self: ReadModel, *asked: Any) -> bool:
        may.set()
        return await is_newest(self, *asked)

    monkeypatch.setattr(ReadModel, "_fold", late)
    monkeypatch.setattr(ReadModel, "is_newest", just_then)
    return may


def created(number: int = 1, **more: Any) -> InstanceCreated:
    """What another lifecycle, or an earlier try, makes of a command to create."""
    kept = {"user_id": "u", "provider": Provider.TELEGRAM, "type_instance": ("api",), "desired": Desired.RUNNING}
    return InstanceCreated(instance_id=instance(number), actor="another", **kept | more)


async def test_what_an_earlier_try_of_a_create_left_and_is_folded_late_is_no_other_instance(
    system: System, folds: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secrets, which both tries have stored, were removed with the refusal."""
    monkeypatch.setattr(handlers, "CATCH_UP_S", 0.5)
    await system.lifecycle()
    secrets = Secrets(system.bus, Vault(bytes(32)))
    sealed = {"token": secrets.seal("u", ID, "token", TOKEN)}
    await secrets.put_new("telegram", ID, "token", sealed["token"])
    folds.clear()
    await system.bus.emit(created(secrets=("token",)))
    assert (await system.create(sealed=sealed)).ok
    assert Counter(system.names())["created"] == 1
    assert await secrets.open("u", "telegram", ID, "token") == TOKEN


async def test_a_command_that_finds_nothing_to_do_has_looked_at_what_is_newest(
    system: System, folds: asyncio.Event
) -> None:
    await system.lifecycle()
    await system.create(start=False)
    await system.until(Status.STOPPED)
    folds.clear()
    seq = await system.bus.emit(InstanceUpdated(instance_id=ID, actor="another", desired=Desired.RUNNING))
    assert (await system.command("stop")).ok
    await system.until(Status.STOPPED, also=lambda record: record.instance_seq > seq)
    folds.clear()
    await system.bus.emit(created(2, desired=Desired.STOPPED))
    assert (await system.command("start", 2)).ok


async def test_an_id_of_an_instance_that_is_gone_is_refused(system: System) -> None:
    await system.lifecycle()
    await system.create()
    await system.until(Status.PENDING)
    await system.command("delete")
    await system.until(None)
    refused = await system.create()
    assert (refused.ok, refused.code) == (False, ErrorCode.ALREADY_EXISTS)


async def test_secrets_in_a_command_are_sealed_before_anything_is_said(system: System) -> None:
    await system.lifecycle()
    await system.create(token=TOKEN)
    record = await system.until(Status.PENDING, also=lambda seen: seen.reason.code == "NO_WORKER")
    assert record.secrets == ("token",)
    assert await Secrets(system.bus, Vault(bytes(32))).open("u", "telegram", ID, "token")
    assert not any(TOKEN in told.model_dump_json() for told in system.story.items)


async def test_without_a_worker_it_waits_and_says_why_and_goes_on_when_there_is_one(system: System) -> None:
    await system.lifecycle()
    await system.create()
    waiting = await system.until(Status.PENDING, also=lambda record: record.reason.code == "NO_WORKER")
    assert waiting.reason.user_action is UserAction.WAIT
    await system.worker("one")
    await system.until(Status.CLIENT_READY)
    assert Counter(system.names())["updated"] == 1  # said once, however often it tried


async def test_created_not_to_start_it_is_stopped_and_starts_on_command(system: System) -> None:
    await system.lifecycle()
    await system.worker("one")
    await system.create(start=False)
    stopped = await system.until(Status.STOPPED)
    assert stopped.ports.api == 3001
    await system.command("start")
    assert (await system.until(Status.CLIENT_READY)).epoch == 1


async def test_the_whole_life_stop_start_restart_logout_start_delete(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    await system.create()
    first = await system.until(Status.CLIENT_READY)
    for _ in range(2):  # a repeat is no error and changes nothing
        assert (await system.command("stop")).ok
        assert (await system.until(Status.STOPPED)).logged_in
    for _ in range(2):
        assert (await system.command("start")).ok
        assert (await system.until(Status.CLIENT_READY)).epoch == 2
    await system.command("restart")
    await system.until(Status.CLIENT_READY, also=lambda record: record.epoch == 3)
    for _ in range(2):
        assert (await system.command("logout")).ok
        assert not (await system.until(Status.LOGGED_OUT)).logged_in
    await system.command("start")
    ready = await system.until(Status.CLIENT_READY)
    assert (ready.ports, ready.api_key_sha256) == (first.ports, first.api_key_sha256)
    assert Counter(system.names()) == Counter(
        {"created": 1, "allocated": 1, "starting": 7, "client_ready": 4, "stopped": 1, "logged_out": 1, "updated": 2}
    )
    assert (await system.command("delete")).ok
    await system.until(None)
    assert (await system.command("start")).code == ErrorCode.NOT_FOUND
    assert worker.orders[-1].action is OrderAction.PURGE


@pytest.mark.parametrize("first", [None, ErrorCode.STORAGE_FULL, ErrorCode.BUS_UNAVAILABLE])
async def test_of_a_deleted_instance_nothing_is_left_but_its_events(
    system: System, eventually: Any, monkeypatch: pytest.MonkeyPatch, first: ErrorCode | None
) -> None:
    leases, refusals = system.allocator._leases, [] if first is None else [Unavailable(first, "not now")]
    remove = leases.remove

    async def refusing(key: str, **more: Any) -> None:
        if refusals:
            raise refusals.pop()
        await remove(key, **more)

    monkeypatch.setattr(leases, "remove", refusing)
    await system.lifecycle()
    await system.worker("one")
    await system.create(token=TOKEN)
    await system.until(Status.CLIENT_READY)
    await system.command("delete")

    async def left() -> list[str]:
        found = []
        for bucket in ("instances", "ports", "secrets", "orders"):
            async for batch in system.bus.follow_bucket(bucket):
                if not batch:
                    break
                found += [entry.subject for entry in batch if entry.data is not None and entry.subject != "_fold"]
        return found

    async def nothing() -> bool:
        return await left() == []

    await eventually(nothing)
    assert not refusals
    await system.create(2)
    assert (await system.until(Status.CLIENT_READY, 2)).ports.api == 3001


@pytest.mark.parametrize("ending", [LoggedOut, InstanceFailed])
async def test_an_instance_whose_session_ended_by_itself_can_be_stopped(
    system: System, ending: type[InstanceEvent]
) -> None:
    await system.lifecycle()
    await system.worker("one")
    await system.create()
    record = await system.until(Status.CLIENT_READY)
    await system.bus.emit(ending(instance_id=ID, epoch=record.epoch, actor="one"))
    await system.until(ending.status)  # type: ignore[arg-type]
    await system.command("stop")
    assert (await system.until(Status.STOPPED)).desired is Desired.STOPPED


async def test_after_port_taken_a_start_gets_another_port(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    worker.ports_taken = system.foreign
    await system.create(start=False)
    assert (await system.until(Status.STOPPED)).ports.api == 3001
    system.foreign.add(3001)
    await system.command("start")
    failed = await system.until(Status.ERROR)
    assert (failed.reason.code, failed.reason.user_action) == ("PORT_TAKEN", "restart")
    await system.command("start")
    ready = await system.until(Status.CLIENT_READY)
    assert (ready.ports.api, ready.api_key_sha256) == (3002, failed.api_key_sha256)


async def test_when_all_ports_are_taken_a_new_instance_is_not_kept_half_made(system: System) -> None:
    await system.lifecycle()
    for port in PORTS:
        await system.bus.publish(f"$KV.ports.host-1.{port}", b'{"instance_id": "x"}')
    await system.create()
    await system.story.until(lambda told: told[-1].data.name == "deleted")
    assert system.names() == ["created", "deleted"]
    await system.until(None)


# --------------------------------------------------------------------------------------------- many at once


async def test_a_bus_that_does_not_answer_at_the_start_is_asked_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, asked = JetStreamContext.subscribe, []

    async def silent_at_first(self: JetStreamContext, subject: str, **more: Any) -> Any:
        asked.append(subject)
        if len(asked) == 1:
            raise nats.errors.TimeoutError
        return await really(self, subject, **more)

    monkeypatch.setattr(JetStreamContext, "subscribe", silent_at_first)
    await system.lifecycle()
    await system.worker("worker-1")
    outcome = await system.create()
    assert (len(asked), outcome.ok) == (2, True)


async def test_two_lifecycles_at_once_do_no_harm(system: System) -> None:
    await system.lifecycle("first")
    await system.lifecycle("second")
    worker, _ = await system.worker("one")
    numbers = range(1, 21)
    assert all(outcome.ok for outcome in await asyncio.gather(*(system.create(number) for number in numbers)))
    for number in numbers:
        ready = await system.until(Status.CLIENT_READY, number)
        assert ready.epoch == 1
    for number in numbers:
        assert system.names(number) == ["created", "allocated", "starting", "client_ready"]
    runs = {(order.instance_id, order.epoch) for order in worker.orders}
    assert len(runs) == 20
    assert {order.action for order in worker.orders} == {OrderAction.RUN}


async def test_a_lifecycle_that_dies_is_replaced_by_one_that_goes_on(system: System) -> None:
    kill = await system.lifecycle("first")
    await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    await kill()
    await system.bus.publish(subjects.instance_command(ID, "stop"), b"")
    await system.lifecycle("second")
    await system.until(Status.STOPPED)
    assert system.names().count("starting") == 1


async def test_what_happens_while_no_lifecycle_is_there_is_counted_by_the_next_one(system: System) -> None:
    kill = await system.lifecycle("first")
    await system.worker("one")
    await system.create()
    record = await system.until(Status.CLIENT_READY)
    await kill()
    failed = {"instance_id": ID, "provider": record.provider, "actor": "one", "id": "m", "to": "42"}
    await system.bus.emit(MessageFailed(**failed, code=ErrorCode.RECIPIENT_UNKNOWN, message="chat not found"))
    await system.lifecycle("second")
    await system.until(Status.CLIENT_READY, also=lambda seen: seen.figures.error_count == 1)


async def test_commands_to_one_instance_from_all_sides_end_in_one_clear_state(system: System) -> None:
    await system.lifecycle("first")
    await system.lifecycle("second")
    await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    verbs = ["stop", "start", "restart", "logout", "start", "restart", "stop", "restart"]
    assert all(outcome.ok for outcome in await asyncio.gather(*(system.command(verb) for verb in verbs)))
    await system.command("stop")
    await system.until(Status.STOPPED)
    epochs = [told.data.epoch for told in system.story.items if isinstance(told.data, InstanceStarting)]
    assert epochs == sorted(epochs)


async def test_the_read_model_is_a_fold_of_the_events_and_nothing_else(system: System) -> None:
    await system.lifecycle("first")
    await system.lifecycle("second")
    await system.worker("one")
    await asyncio.gather(*(system.create(number) for number in range(1, 6)))
    for number, verb in zip(range(1, 5), ["stop", "restart", "logout", "start"], strict=True):
        await system.until(Status.CLIENT_READY, number)
        await system.command(verb, number)
    await system.until(Status.STOPPED, 1)
    await system.until(Status.CLIENT_READY, 2, lambda record: record.epoch == 2)
    await system.until(Status.LOGGED_OUT, 3)
    await system.until(Status.CLIENT_READY, 5)
    fresh: dict[str, InstanceRecord | None] = {}
    async for batch in system.bus.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=0):
        if not batch:
            break
        for entry in batch:
            envelope = unwrap(entry.data or b"")
            assert envelope is not None
            fresh[envelope.subject] = fold(fresh.get(envelope.subject), envelope, entry.seq)
    stored = Store(system.bus, subjects.INSTANCES_BUCKET, InstanceRecord)
    for instance_id, record in fresh.items():
        assert (await stored.load(instance_id))[0] == InstanceRecord.model_validate_json(
            record.model_dump_json() if record else b""
        )
    assert len(fresh) == 5


# -------------------------------------------------------------------------------------------------- workers


async def test_when_a_worker_falls_silent_its_instances_get_a_new_epoch_at_another(system: System) -> None:
    await system.lifecycle()
    _, life = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    other, _ = await system.worker("two")
    life.cancel()
    system.clock.now += LAPSE_S + 1
    await other.beat()
    moved = await system.until(Status.CLIENT_READY, also=lambda record: record.worker == "two")
    assert (moved.epoch, moved.worker_epoch, moved.ports.api) == (2, 2, 3001)
    late = ClientReady(instance_id=ID, epoch=1, actor="one", account=Account(id="late"))
    seq = await system.bus.emit(late)
    seen = await system.until(Status.CLIENT_READY, also=lambda record: record.event_seq >= seq)
    assert (seen.epoch, seen.account) == (2, Account(id="42"))


async def test_a_worker_that_says_goodbye_is_replaced_without_waiting(system: System) -> None:
    await system.lifecycle()
    one, life = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    await system.worker("two")
    life.cancel()
    await Store(system.bus, subjects.WORKERS_BUCKET, WorkerHeartbeat).remove(one.name)
    await system.until(Status.CLIENT_READY, also=lambda record: record.worker == "two")


# -------------------------------------------------------------------------------------------------- draining


async def populated(system: System, count: int) -> tuple[FakeWorker, FakeWorker]:
    """A worker with so many instances, that does not obey when it shall hand them over, and one without any."""
    one, _ = await system.worker("one")
    for number in range(1, count + 1):
        await system.create(number)
        await system.until(Status.CLIENT_READY, number)
    two, _ = await system.worker("two")
    one.clings = True
    return one, two


async def at_two(system: System, number: int = 1) -> InstanceRecord:
    return await system.until(Status.CLIENT_READY, number, lambda record: record.worker == "two")


async def test_all_instances_of_a_draining_worker_end_there_before_they_start_elsewhere(
    system: System, eventually: Eventually
) -> None:
    await system.lifecycle()
    one, two = await populated(system, 4)
    await system.command("stop", 4)
    await system.until(Status.STOPPED, 4)
    await one.drain()
    await one.until(lambda: len(one.leaving) == 4)
    assert two.orders == []
    for number in range(1, 5):
        await one.let_go(instance(number))
    for number in range(1, 4):
        moved = await at_two(system, number)
        assert (moved.epoch, moved.worker_epoch) == (2, 2)
        assert system.names(number)[3:] == ["client_ready", "starting", "client_ready"]
    orders = Store(system.bus, subjects.ORDERS_BUCKET, SessionOrder)

    async def has_nothing_left() -> bool:
        keys = [subjects.order_key("telegram", "one", instance(number)) for number in range(1, 5)]
        return all([(await orders.load(key))[0] is None for key in keys])

    await eventually(has_nothing_left)
    assert (await system.until(Status.STOPPED, 4)).epoch == 1  # it has no session that could move
    await system.create(20)
    await system.command("start", 4)
    for number in (4, 20):
        await at_two(system, number)


async def test_few_instances_are_on_the_move_at_a_time(system: System) -> None:
    await system.lifecycle()
    one, _ = await populated(system, AT_ONCE + 4)
    await one.drain()
    for left in range(AT_ONCE + 4, 0, -1):
        await one.until(lambda left=left: len(one.leaving) == min(left, AT_ONCE))  # type: ignore[misc]
        instance_id = min(one.leaving)
        await one.let_go(instance_id)
        await at_two(system, int(instance_id[-4:]))
    assert one.most_leaving == AT_ONCE


async def test_a_drain_goes_on_when_lifecycle_dies_in_the_middle(system: System) -> None:
    kill = await system.lifecycle()
    one, _ = await populated(system, 1)
    await one.drain()
    await one.until_told(OrderAction.YIELD)
    await kill()
    await one.let_go(ID)
    await system.lifecycle("lifecycle-2")
    one.clings = False
    assert (await at_two(system)).epoch == 2
    assert [order.action for order in one.orders].count(OrderAction.RUN) == 1


async def test_a_drain_that_is_called_off_leaves_its_instances_where_they_are(system: System) -> None:
    await system.lifecycle()
    one, two = await populated(system, 1)
    await one.drain()
    await one.until_told(OrderAction.YIELD)
    await one.drain(False)
    await one.until_told(OrderAction.RUN)
    await system.command("restart")
    again = await system.until(Status.CLIENT_READY, also=lambda record: record.epoch == 2)
    assert (again.worker, two.orders) == ("one", [])


async def test_an_instance_that_is_started_anew_leaves_a_draining_worker_in_order(system: System) -> None:
    await system.lifecycle()
    one, two = await populated(system, 1)
    await one.drain()
    await system.command("restart")
    await one.until(lambda: any(order.epoch == 2 for order in one.orders))
    assert (one.orders[-1].action, two.orders) == (OrderAction.YIELD, [])
    await one.let_go(ID)
    assert (await at_two(system)).epoch >= 2


async def test_without_another_worker_an_instance_stays_where_it_is(system: System) -> None:
    await system.lifecycle()
    one, _ = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    asked = await system.bus.nc.subscribe(subjects.ALLOCATE)
    await one.drain()
    for _ in range(2):  # when it asks for the second time, the first answer was obeyed
        await asked.next_msg(timeout=10)
    assert [order.action for order in one.orders] == [OrderAction.RUN]
    assert system.names()[-1] == "client_ready"
    await system.worker("two")
    await at_two(system)


async def test_a_worker_that_was_restarted_gets_its_instances_back_under_a_new_epoch(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    worker.boot, worker.epochs = "second-boot", {}
    await worker.beat()
    again = await system.until(Status.CLIENT_READY, also=lambda record: record.boot == "second-boot")
    assert (again.epoch, again.worker) == (2, "one")


async def test_when_the_last_worker_falls_silent_the_instance_says_so(system: System) -> None:
    await system.lifecycle()
    _, life = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    life.cancel()
    system.clock.now += LAPSE_S + 1
    lost = await system.until(Status.RECONNECTING)
    assert (lost.reason.code, lost.logged_in) == ("NO_WORKER", True)
    await system.worker("two")
    await system.until(Status.CLIENT_READY, also=lambda record: record.worker == "two")


async def test_silence_while_the_bus_was_away_proves_nothing(system: System, nats_server: NatsServer) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    await nats_server.stop()
    system.clock.now += 10 * LAPSE_S
    await nats_server.start()
    await worker._bus.surely(worker.beat)
    await system.bus.surely(lambda: system.bus.publish(subjects.instance_command(ID, "stop"), b"{}", msg_id="s"))
    stopped = await system.until(Status.STOPPED)
    assert (stopped.epoch, stopped.worker) == (1, "one")
    assert "starting" not in system.names()[4:]


async def test_reports_of_a_session_do_not_rewrite_its_order(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    await system.create()
    record = await system.until(Status.CLIENT_READY)
    for name, epoch in itertools.product(("a", "b", "c"), [record.epoch]):
        account = Account(id="42", username=name)
        await system.bus.emit(ClientReady(instance_id=ID, epoch=epoch, actor="one", account=account))
    await system.until(Status.CLIENT_READY, also=lambda seen: seen.account == Account(id="42", username="c"))
    await system.command("stop")
    await system.until(Status.STOPPED)
    assert [order.action for order in worker.orders[:2]] == [OrderAction.RUN, OrderAction.HOLD]


async def test_a_qr_code_reaches_the_read_model_and_goes_when_it_was_scanned(system: System) -> None:
    await system.lifecycle()
    worker, _ = await system.worker("one")
    worker.epochs[ID] = 1  # as if it were at it already: the test speaks for it
    await system.create()
    await system.until(Status.STARTING)
    base: dict[str, Any] = {"instance_id": ID, "epoch": 1, "actor": "one"}
    await system.bus.emit(QrReady(**base, code="2@one", expires_at=system.bus.now()))
    waiting = await system.until(Status.QR_READY)
    assert waiting.qr is not None
    assert waiting.qr.code == "2@one"
    await system.bus.emit(LoggedOut(**base))
    assert (await system.until(Status.LOGGED_OUT)).qr is None


# --------------------------------------------------------------------------------------- messages to nobody


async def test_a_message_to_nobody_fails_at_the_second_look_and_what_is_no_message_is_a_dead_letter(
    bus: Bus, events: Story[CloudEvent[Event]]
) -> None:
    orphans, subject = Orphans(bus, ReadModel(bus), lambda _: False), subjects.message_command("telegram", ID)
    message = SendMessage(id="m", instance_id=ID, provider=Provider.TELEGRAM, to="1", text="hi", expires_at=bus.now())
    for body in (message.model_dump_json().encode(), b"no message"):
        await bus.publish(subject, body)
    await orphans.look()
    assert await count(bus, subjects.OUTBOX, subject) == 2  # its instance may just be being made
    await orphans.look()
    (told,) = await events.until(lambda items: len(items) >= 1)
    assert isinstance(told.data, MessageFailed)
    assert (told.data.id, told.data.code) == ("m", ErrorCode.NOT_FOUND)
    assert await count(bus, subjects.OUTBOX, subject) == 0
    assert await count(bus, subjects.DEAD, subjects.dead_letter(bus.source)) == 1


async def test_a_message_that_expires_while_nobody_holds_its_instance_fails_with_the_reason(
    system: System, events: Story[CloudEvent[Event]]
) -> None:
    await system.lifecycle()
    assert (await system.create(1)).ok  # and there is no worker
    bus, subject = system.bus, subjects.message_command("telegram", ID)
    record = await system.until(Status.PENDING, 1)
    model = ReadModel(bus)
    model.changed = lambda _: None
    system.background(model.run())
    await model.ready.wait()
    orphans = Orphans(bus, model, lambda _: False)
    for name, left_s in (("late", -60), ("early", 60)):
        expires_at = bus.now() + timedelta(seconds=left_s)
        message = SendMessage(
            id=name, instance_id=record.id, provider=record.provider, to="1", text="hi", expires_at=expires_at
        )
        subject = subjects.message_command(record.provider, record.id)
        await bus.publish(subject, message.model_dump_json().encode())
    await orphans.look()
    told = await events.until(lambda items: any(isinstance(item.data, MessageFailed) for item in items))
    (failed,) = [item.data for item in told if isinstance(item.data, MessageFailed)]
    assert (failed.id, failed.code) == ("late", ErrorCode.NOT_READY)
    assert "pending" in failed.message
    assert await count(bus, subjects.OUTBOX, subject) == 1


async def test_a_read_model_that_is_loaded_from_a_server_that_lags_behind_folds_what_is_not_there_yet(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system.lifecycle()
    await system.worker("one")
    await system.create()
    await system.until(Status.CLIENT_READY)
    bus = await system.connect("late")
    behind: list[Entry] = []
    async for entries in bus.follow_bucket(subjects.INSTANCES_BUCKET):
        if not entries:
            break
        behind += entries
    await system.command("stop")
    stopped = await system.until(Status.STOPPED)
    positions = Store(system.bus, subjects.INSTANCES_BUCKET, FoldPosition)
    async with asyncio.timeout(10):
        async for batch in positions.follow(subjects.FOLD_POSITION_KEY):
            if any(position is not None and position.seq >= stopped.event_seq for _, position in batch):
                break

    async def as_the_late_one_tells(bucket: str, keys: str = ">") -> AsyncIterator[list[Entry]]:
        yield behind
        yield []

    monkeypatch.setattr(bus, "follow_bucket", as_the_late_one_tells)  # another server answers all other questions
    model = ReadModel(bus)
    system.background(model.run())
    async with asyncio.timeout(10):
        await model.ready.wait()
    seen = model.get(ID)
    assert seen is not None
    assert (seen.status, seen.instance_seq) == (Status.STOPPED, stopped.instance_seq)


async def test_a_lifecycle_that_starts_finds_sessions_and_orders_as_they_are_and_writes_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = await system.lifecycle()
    await system.worker("one")
    for number in range(1, 6):
        assert (await system.create(number)).ok
    for number in range(1, 6):
        await system.until(Status.CLIENT_READY, number)
    await kill()

    async def written() -> list[int]:
        streams = (subjects.EVENTS, f"KV_{subjects.ORDERS_BUCKET}")
        return [(await system.bus.js.stream_info(stream)).state.last_seq for stream in streams]

    before = await written()
    sweeps: asyncio.Queue[None] = asyncio.Queue()
    bury = Living.bury

    def told(living: Living) -> None:
        bury(living)
        sweeps.put_nowait(None)

    monkeypatch.setattr(Living, "bury", told)
    await system.lifecycle("lifecycle-2")
    for _ in range(2):  # it has looked at everything by then
        await asyncio.wait_for(sweeps.get(), 10)
    assert await written() == before
    outcome = await system.create(6)
    assert outcome.ok
    assert (await system.until(Status.CLIENT_READY, 6)).worker == "one"
