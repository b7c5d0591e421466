"""Lifecycles, allocators and workers play against owners, messengers and bad luck; some things always hold.

All three are the real ones, two of each, each a process of its own; the bus, the clock, the messenger and the machine's
ports are simulated (simulation.py). Whatever hypothesis does - who is served next, what is lost, who dies, freezes or
is cut off - in the end wish and fact meet.

    MIM_PLAYS=3000 ./mim test tests/unit/test_machine_play.py
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.simulation import LATER, Call, Clock, Process, Server

from mim.allocator.handlers import Allocator
from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Fatal, NeedsUser, NotReady, Unavailable
from mim.contracts.messages import (
    AnyCommand,
    ChangeInstance,
    CloudEvent,
    CreateInstance,
    Event,
    InstanceFailed,
    InstanceStarting,
    Outcome,
    Verb,
    unwrap,
)
from mim.contracts.records import AllocationRequest, InstanceRecord, Lease, Release
from mim.contracts.states import Desired, Expose, Interface, Provider, Status, UserAction, can_move
from mim.contracts.values import Account
from mim.lifecycle.containers import Containers
from mim.lifecycle.fold import fold
from mim.lifecycle.handlers import Lifecycle
from mim.lifecycle.model import ReadModel
from mim.runtime.flow import Entry
from mim.runtime.runner import Runner
from mim.runtime.secrets import Vault
from mim.runtime.session import SessionContext
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets
from mim.runtime.worker import FENCE_S, Worker

HOST = "host-1"
PORTS = range(3001, 3005)
CAPACITY = 3
MOST_INSTANCES = 10
MOST_ALIVE = 5
NAMES = ("lifecycle-a", "lifecycle-b", "allocator-a", "allocator-b", "worker-a", "worker-b")
ME = Account(id="1")
REST_S = 180
"""In which wish and fact have to meet once nothing goes wrong any more; a session's longest wait is a minute of it."""
ENDINGS: dict[str, Callable[[], Exception]] = {
    "away": lambda: NotReady(ErrorCode.MESSENGER_UNREACHABLE, "away"),
    "revoked": lambda: NeedsUser(
        ErrorCode.TOKEN_REJECTED, "revoked", status=Status.LOGGED_OUT, user_action=UserAction.NEW_TOKEN
    ),
    "fatal": lambda: Fatal(ErrorCode.INTERNAL, "fatal"),
    "crash": lambda: RuntimeError("crash"),
}
WORDS = ("qr", "authenticated", "ready", "reconnecting", *ENDINGS)


WISHES = {
    Verb.START: Desired.RUNNING,
    Verb.RESTART: Desired.RUNNING,
    Verb.STOP: Desired.STOPPED,
    Verb.LOGOUT: Desired.LOGGED_OUT,
}


def check_outcome(command: AnyCommand, outcome: Outcome, seen: list[InstanceRecord | None]) -> None:
    """What is said of a command is true of one of the records that there were meanwhile, not of an older one."""
    there = [record for record in seen if record is not None and record.status is not Status.DELETED]
    if outcome.code == ErrorCode.NOT_FOUND:
        assert len(there) < len(seen), f"not found, though it was there: {command}"
    if outcome.ok and isinstance(command, ChangeInstance) and command.verb in WISHES:
        assert any(record.desired is WISHES[command.verb] for record in there), f"nothing was done: {command}"


class World:
    """The system and everything around it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.settings = Settings(data_dir=folder, worker_capacity=CAPACITY, secret_key="00" * 32, host_name=HOST)
        self.server = Server(published=self.published)
        self.events: list[CloudEvent[Event]] = []
        self.truth: dict[str, InstanceRecord] = {}
        self.commands: deque[AnyCommand] = deque()
        self.obeying: dict[str, list[AnyCommand]] = {name: [] for name in NAMES}
        self.watched: list[tuple[str, list[InstanceRecord | None]]] = []
        self.asked = self.ended = 0
        self.foreign: set[int] = set()
        self.sessions: list[PlaySession] = []
        self.is_calm = False
        self.turn = 0
        self.services: dict[str, Any] = {}
        self.listening: dict[str, dict[int, str]] = {}
        self.processes: dict[str, Process] = {}
        self.buried: list[Process] = []
        for name in NAMES:
            self.start(name)
        self.run()

    # --------------------------------------------------------------------------------------------- processes

    def start(self, name: str) -> None:
        """A new life of a process."""
        process = self.processes[name] = Process(name, self.clock, self.server, self.folder)
        process.bus.ask = self.ask
        kind = name.partition("-")[0]
        getattr(self, f"_start_{kind}")(process)

    def _start_lifecycle(self, process: Process) -> None:
        bus = process.bus
        model = ReadModel(bus)
        containers = Containers(bus, self.settings, model.get)
        secrets = Secrets(bus, Vault(bytes(32)))
        service = Lifecycle(bus, model, secrets, containers, self.clock.monotonic, lambda: "key")
        model.changed = service.touch
        self.services[process.name] = service

        async def live() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(model.run())
                await model.ready.wait()
                watching = (model.save, service.living.watch, service.orders.watch)
                for work in (*watching, service.reconcile, service.moves.run, service.sweep):
                    group.create_task(work())
                service.touch_all()

        process.start(live())

    def _start_allocator(self, process: Process) -> None:
        secrets = Secrets(process.bus, Vault(bytes(32)))
        service = self.services[process.name] = Allocator(
            process.bus, secrets, HOST, PORTS, self.is_free, lambda: "key", self.clock.monotonic
        )
        process.start(service.watch_ports())
        process.start(service.watch_workers())

    def _start_worker(self, process: Process) -> None:
        listening = self.listening[process.name] = {}
        config = self.settings.model_copy(update={"worker": process.name})
        service = Worker(process.bus, config, Provider.TELEGRAM, lambda told: PlaySession(self, process, told), {})
        service._ports = PlayPorts(self.foreign, listening)
        service._outbox = NoOutbox()
        self.services[process.name] = service
        process.start(service.beat())
        process.start(service.follow_orders())

    def is_free(self, port: int) -> bool:
        """What an allocator finds when it tries a port of the machine."""
        return port not in self.foreign

    def kill(self, name: str) -> None:
        process = self.processes[name]
        process.kill()
        self.buried.append(process)
        self.sessions = [session for session in self.sessions if session.process is not process]
        self.listening.pop(name, None)
        self.commands.extend(self.obeying[name])
        self.obeying[name].clear()

    def run(self) -> None:
        for process in self.processes.values():
            process.run()

    # ----------------------------------------------------------------------------------------------- the bus

    def published(self, stream: str, entry: Entry) -> None:
        """Fold each event as it comes, twice: the second time changes nothing."""
        told = unwrap(entry.data or b"") if stream == subjects.EVENTS else None
        if told is None:
            return
        self.events.append(told)
        before = self.truth.get(told.data.instance_id)
        after = fold(before, told, entry.seq)
        if after is None:
            return
        assert fold(after, told, entry.seq) == after, "a repeat changes nothing"
        if before is not None:
            check_move(before, after, told.data)
        self.truth[after.id] = after
        for instance_id, seen in self.watched:
            if instance_id == after.id:
                seen.append(after)

    def channels(self) -> list[Callable[[], None]]:
        """Everything that the bus could do next."""
        found = [channel for process in self.processes.values() for channel in process.channels()]
        return found + ([self.serve_command] if self.commands and self.able("lifecycle") else [])

    def serve(self, number: int) -> bool:
        """Let the bus do one of the things that it could; whether there was one."""
        channels = self.channels()
        if channels:
            self.turn = number
            channels[number % len(channels)]()
            self.run()
        return bool(channels)

    def able(self, kind: str) -> list[Process]:
        return [one for one in self.processes.values() if one.name.startswith(kind) and one.alive and not one.cut]

    def serve_command(self) -> None:
        """A lifecycle takes the next command; it comes again if that does not end well."""
        takers, command = self.able("lifecycle"), self.commands.popleft()
        process = takers[self.turn % len(takers)]

        async def obey() -> None:
            watched = command.instance_id, [self.truth.get(command.instance_id)]
            self.watched.append(watched)
            try:
                outcome = await self.services[process.name].obey(command)
            except Unavailable:
                self.commands.append(command)
            else:
                self.ended += 1
                check_outcome(command, outcome, watched[1])
            self.watched = [each for each in self.watched if each is not watched]
            self.obeying[process.name].remove(command)

        self.obeying[process.name].append(command)
        process.start(obey())

    def ask(self, subject: str, payload: bytes, answer: asyncio.Future[bytes]) -> object:
        """A request reaches one of the allocators; its answer is one more thing that has to get through."""
        takers = self.able("allocator")
        if not takers:
            if not answer.done():
                answer.set_exception(Unavailable(ErrorCode.TIMEOUT, "nobody listens"))
            return LATER
        process = takers[self.turn % len(takers)]
        service: Allocator = self.services[process.name]

        async def reply() -> None:
            if subject == subjects.ALLOCATE:
                told = await service.allocate(AllocationRequest.model_validate_json(payload))
            else:
                told = await service.release(Release.model_validate_json(payload))
            data = told.model_dump_json().encode()
            process.calls.append(Call(lambda: None if answer.done() else answer.set_result(data), answer))

        process.start(reply())
        return LATER

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now_s += 1.0
            self.run()
            for process in self.processes.values():
                process.serve_urgent()
            for process in self.processes.values():
                process.serve_urgent()
            self.run()

    # -------------------------------------------------------------------------------------------------- rest

    def heal(self) -> None:
        """From here on nothing goes wrong any more."""
        self.is_calm = True
        for name, process in self.processes.items():
            process.frozen = process.cut = False
            if not process.alive:
                self.start(name)
        self.run()

    def settle(self) -> None:
        """Let everything go on until wish and fact have met."""
        for _ in range(REST_S):
            self.finish()
            if self.is_calm and (problem := self.unrest()) is None:
                break
            self.pass_time(1)
        else:
            raise AssertionError(f"it does not come to rest: {problem}")
        told = len(self.events)
        self.pass_time(3)
        self.finish()
        problem = self.unrest()
        assert problem is None, f"it was no rest: {problem}"
        later = [(one.data.instance_id[-2:], one.data.name, one.source) for one in self.events[told:]]
        assert not later, f"it was no rest: {later}"

    def finish(self) -> None:
        """Serve all that is asked."""
        for session in self.sessions:
            session.hear("ready")
        self.run()
        number = 0
        while self.serve(number):
            number += 1
            assert number < 20_000, "the bus never gets done"

    def unrest(self) -> object:
        """What is not yet as it shall be; None if all is."""
        if self.commands or self.ended != self.asked:
            return "commands are open"
        if not all(session.is_idle for session in self.sessions):
            return "a session has more to say"
        for record in self.truth.values():
            if (problem := self._unrest_of(record)) is not None:
                return problem, record.id[-1], record.status, record.desired, record.reason.code
        return None

    def _unrest_of(self, record: InstanceRecord) -> str | None:
        running = [session for session in self.sessions if session.instance_id == record.id]
        if record.status is Status.DELETED:
            left = self.left_of(record) + [f"a session of {session.process.name}" for session in running]
            return f"something is left: {left}" if left else None
        if self.server.keys(subjects.INSTANCES_BUCKET).get(record.id) is None:
            return "no record"
        stored = InstanceRecord.model_validate_json(self.server.keys(subjects.INSTANCES_BUCKET)[record.id])
        if stored.instance_seq != record.instance_seq:
            return "the record is behind"
        if record.api_key_sha256 is None:
            return "no key"
        if record.expose is Expose.GATEWAY and record.ports.numbers():
            return "a port too many"
        return self._unrest_of_living(record, [session.epoch for session in running])

    def _unrest_of_living(self, record: InstanceRecord, running: list[int]) -> str | None:
        waits = record.reason.code == ErrorCode.NO_WORKER
        if waits and any(len(self.services[name]._runners) < CAPACITY for name in NAMES if name.startswith("worker")):
            return "there is a worker with room"
        if record.desired is Desired.STOPPED and (record.status is not Status.STOPPED or running):
            return "it shall be stopped"
        if record.desired is Desired.LOGGED_OUT and not waits and (record.status is not Status.LOGGED_OUT or running):
            return "it shall be logged out"
        if record.desired is not Desired.RUNNING or waits:
            return None
        if record.status in (Status.LOGGED_OUT, Status.ERROR):
            return "a session goes on" if running else None
        return None if (record.status, running) == (Status.CLIENT_READY, [record.epoch]) else "it shall run"

    def left_of(self, record: InstanceRecord) -> list[str]:
        """What the buckets and workers still have of an instance."""
        buckets = (subjects.INSTANCES_BUCKET, subjects.ORDERS_BUCKET, subjects.SECRETS_BUCKET)
        left = [key for bucket in buckets for key in self.server.keys(bucket) if record.id in key]
        left += [key for key, lease in self.leases().items() if lease.instance_id == record.id]
        return left + [name for name, ports in self.listening.items() if record.id in ports.values()]

    def leases(self) -> dict[str, Lease]:
        keys = self.server.keys(subjects.PORTS_BUCKET)
        return {key: Lease.model_validate_json(data) for key, data in keys.items()}

    def close(self) -> None:
        for process in (*self.buried, *self.processes.values()):
            process.bury()


def check_move(before: InstanceRecord, after: InstanceRecord, event: Event) -> None:
    """What holds for every event that is folded."""
    assert after.epoch >= before.epoch
    assert after.worker_epoch <= after.epoch
    assert before.status is after.status or can_move(before.status, after.status)
    if 0 < getattr(event, "epoch", 0) < before.epoch:
        seen = {"event_seq": after.event_seq, "instance_seq": after.instance_seq}
        assert after == before.model_copy(update=seen), "an event of an older epoch changes nothing"
    if isinstance(event, InstanceFailed) and after.reason.code == ErrorCode.PORTS_EXHAUSTED:
        assert before.reason.code == ErrorCode.PORT_TAKEN, "who has ports does not fail for want of ports"
    assert after.reason.code
    assert after.reason.message
    assert (after.qr is not None) is (after.status is Status.QR_READY)


class PlaySession:
    """A live link that does what it is told; once nothing goes wrong any more it becomes ready by itself."""

    def __init__(self, world: World, process: Process, context: SessionContext) -> None:
        self._world, self._context = world, context
        self._words: asyncio.Queue[str] = asyncio.Queue()
        self.process = process
        self.instance_id = context.instance_id
        self.epoch = context.epoch
        self.is_idle = False
        self._last = ""

    def hear(self, word: str) -> None:
        if word != self._last:
            self._last, self.is_idle = word, False
            self._words.put_nowait(word)

    async def run(self) -> None:
        self._world.sessions.append(self)
        try:
            while True:
                self.is_idle = self._words.empty()
                await self._do(await self._words.get())
        finally:
            if self in self._world.sessions:
                self._world.sessions.remove(self)

    async def _do(self, word: str) -> None:
        context = self._context
        match word:
            case "qr":
                await context.qr_ready("2@x", context.now())
            case "authenticated":
                await context.authenticated(ME)
            case "ready":
                await context.authenticated(ME)
                await context.client_ready(ME)
            case "reconnecting":
                await context.reconnecting(ErrorCode.MESSENGER_UNREACHABLE, "away")
            case _:
                ended = ENDINGS[word]()
                raise ended

    async def logout(self) -> None:
        pass


class PlayRunner(Runner):
    """A runner whose logins leave nothing on the disk."""

    async def _forget_login(self, kept: object) -> None:
        pass


class PlayPorts:
    """Where the instances of one worker listen."""

    hub_port = 0

    def __init__(self, foreign: set[int], listening: dict[int, str]) -> None:
        self._foreign, self._listening = foreign, listening

    def know(self, runner: Runner) -> None:
        pass

    def forget(self, instance_id: str) -> None:
        pass

    async def open(self, port: int, runner: Runner) -> None:
        if port in self._foreign or self._listening.get(port, runner.order.instance_id) != runner.order.instance_id:
            raise OSError(errno.EADDRINUSE, "address in use")
        self._listening[port] = runner.order.instance_id

    async def close(self, port: int) -> None:
        self._listening.pop(port, None)


class NoOutbox:
    """There are no messages in this play."""

    async def open(self, *_: object) -> None:
        pass

    async def close(self, *_: object) -> None:
        pass

    async def empty(self, *_: object) -> None:
        pass


class Play(RuleBasedStateMachine):
    """What hypothesis may do to the world."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.made: list[str] = []
        self.patches = ExitStack()
        clock = Clock()

        async def last_seq(*_: object) -> int:
            return self.world.server.last_seq.get(subjects.EVENTS, 0)

        for name, replacement in {
            "mim.runtime.worker.time": clock,
            "mim.lifecycle.model.time": clock,
            "mim.lifecycle.model.last_seq": last_seq,
            "mim.runtime.worker.Runner": PlayRunner,
            "mim.runtime.worker.InstancePorts": mock.Mock(),
        }.items():
            self.patches.enter_context(mock.patch(name, replacement))
        self.world = World(self.folder, clock)

    names = st.sampled_from(NAMES)
    which = st.integers(0, 7)

    # ------------------------------------------------------------------------------------------------ owners

    @precondition(lambda self: len(self.made) < MOST_INSTANCES and self.alive() < MOST_ALIVE)
    @rule(expose=st.sampled_from(Expose), two=st.booleans(), start=st.booleans())
    def owner_creates(self, expose: Expose, two: bool, start: bool) -> None:
        instance_id = f"5f0c1d3e-0000-4000-8000-{len(self.made) + 1:012d}"
        self.made.append(instance_id)
        interfaces = (Interface.API, Interface.MCP) if two else (Interface.API,)
        self.command(
            CreateInstance(
                instance_id=instance_id,
                user_id="u",
                provider=Provider.TELEGRAM,
                type_instance=interfaces,
                expose=expose,
                start=start,
            )
        )

    def alive(self) -> int:
        return len(self.made) - sum(record.status is Status.DELETED for record in self.world.truth.values())

    def command(self, command: AnyCommand) -> None:
        self.world.commands.append(command)
        self.world.asked += 1

    @precondition(lambda self: self.made)
    @rule(which=which, verb=st.sampled_from([Verb.START, Verb.STOP, Verb.RESTART, Verb.LOGOUT, Verb.START]))
    def owner_asks(self, which: int, verb: Verb) -> None:
        self.command(ChangeInstance(instance_id=self.made[-1 - which % len(self.made)], verb=verb))

    @precondition(lambda self: self.made)
    @rule(which=which)
    def owner_deletes(self, which: int) -> None:
        self.command(ChangeInstance(instance_id=self.made[-1 - which % len(self.made)], verb=Verb.DELETE))

    # --------------------------------------------------------------------------------------------------- bus

    @rule(seed=st.integers(0, 1 << 16), count=st.integers(1, 120), trouble=st.sampled_from([0.0, 0.02, 0.1]))
    def bus_serves(self, seed: int, count: int, trouble: float) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            if chance.random() < trouble:
                self.bus_loses(chance.choice(NAMES), chance.random() < 0.5)
            self.world.serve(chance.randrange(1 << 10))

    @rule(name=names, done=st.booleans())
    def bus_loses(self, name: str, done: bool) -> None:
        process = self.world.processes[name]
        if process.calls:
            process.lose_call(done=done)
            self.world.run()

    @rule()
    def bus_forgets_ids(self) -> None:
        """What is told again is stored again from here on."""
        self.world.server.seen_ids.clear()

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    # --------------------------------------------------------------------------------------------- processes

    @rule(name=names, in_flight=st.booleans())
    def process_dies(self, name: str, in_flight: bool) -> None:
        process = self.world.processes[name]
        if process.alive:
            if in_flight and process.calls:
                process.lose_call(done=True)
            self.world.kill(name)
            self.world.run()

    @rule(name=names)
    def process_comes_back(self, name: str) -> None:
        process = self.world.processes[name]
        if not process.alive:
            self.world.start(name)
        process.frozen = process.cut = False
        self.world.run()

    @rule(name=names, cut=st.booleans())
    def process_freezes_or_is_cut_off(self, name: str, cut: bool) -> None:
        process = self.world.processes[name]
        process.cut, process.frozen = cut, not cut
        self.world.run()  # one that was frozen looks at the clock before anything else

    @rule(
        who=st.sampled_from(("-a", "-b", *NAMES)),
        cut=st.booleans(),
        seconds=st.integers(1, 20),
        busy=st.integers(10, 60),
        seed=st.integers(0, 1 << 16),
    )
    def one_or_a_host_is_away_for_a_while(self, who: str, cut: bool, seconds: int, busy: int, seed: int) -> None:
        """The others go on, so that what it holds is taken over, and then it is back with what it knew."""
        chance = random.Random(seed)
        away = [process for name, process in self.world.processes.items() if name.endswith(who)]
        for second in range(seconds + 3):
            for process in away:
                process.cut, process.frozen = cut and second < seconds, not cut and second < seconds
            self.world.pass_time(1)
            for _ in range(busy):
                self.world.serve(chance.randrange(1 << 10))
                self.no_account_is_connected_twice()

    # ------------------------------------------------------------------------------------- sessions and ports

    @precondition(lambda self: self.world.sessions)
    @rule(which=which, word=st.sampled_from(WORDS))
    def session_reports(self, which: int, word: str) -> None:
        self.world.sessions[which % len(self.world.sessions)].hear(word)
        self.world.run()

    @rule(port=st.sampled_from(list(PORTS)))
    def another_program_takes_or_leaves_a_port(self, port: int) -> None:
        if not any(port in ports for ports in self.world.listening.values()):
            self.world.foreign ^= {port}

    # ------------------------------------------------------------------------------------------- what holds

    @invariant()
    def every_port_is_leased_by_the_instance_that_has_it(self) -> None:
        leases = self.world.leases()
        for record in self.world.truth.values():
            if record.status is not Status.DELETED and record.reason.code != ErrorCode.PORT_TAKEN:
                for port in record.ports.numbers():
                    holder = leases.get(subjects.port_key(HOST, port))
                    assert holder is not None, (port, record.id)
                    assert holder.instance_id == record.id

    @invariant()
    def no_account_is_connected_twice(self) -> None:
        able = [session.instance_id for session in self.world.sessions if not session.process.frozen]
        assert len(able) == len(set(able)), able

    @invariant()
    def an_epoch_belongs_to_one_life_of_one_worker(self) -> None:
        lives: dict[tuple[str, int], set[str]] = {}
        for told in self.world.events:
            if isinstance(told.data, InstanceStarting) and told.data.boot is not None:
                lives.setdefault((told.data.instance_id, told.data.epoch), set()).add(told.data.boot)
        assert all(len(boots) == 1 for boots in lives.values()), lives

    @rule()
    def everything_comes_to_rest(self) -> None:
        """Nothing goes wrong for a while: wish and fact meet, and then nothing more happens."""
        self.world.heal()
        self.world.pass_time(int(FENCE_S) + 1)  # who was away may yet have to close its sessions
        self.world.settle()
        self.world.is_calm = False

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.world.close()
            self.patches.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def end(self) -> None:
        """Whatever happened before: what is stopped stops, what is deleted is gone."""
        self.everything_comes_to_rest()
        for instance_id in self.made[::2]:
            self.command(ChangeInstance(instance_id=instance_id, verb=Verb.STOP))
        for instance_id in self.made[1::2]:
            self.command(ChangeInstance(instance_id=instance_id, verb=Verb.DELETE))
        self.everything_comes_to_rest()
        anew: dict[str, InstanceRecord] = {}
        for seq, told in enumerate(self.world.events, 1):
            record = fold(anew.get(told.data.instance_id), told, seq)
            if record is not None:
                anew[record.id] = record
        assert anew == self.world.truth


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """What goes wrong here is no news."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


USUAL = 120
PLAYS = int(os.environ.get("MIM_PLAYS", USUAL))
"""How many plays to search: up to as many as usual they are always the same, more are others each time."""

TestPlay = pytest.mark.timeout(0)(Play.TestCase)  # hypothesis has an end by itself, and says then what it found
TestPlay.settings = settings(max_examples=PLAYS, derandomize=PLAYS <= USUAL, stateful_step_count=60, deadline=None)
