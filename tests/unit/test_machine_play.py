"""Owner, workers and lifecycle play one instance in any order that hypothesis finds; some things always hold.

The bus is a list of events; lifecycle does what `lifecycle.handlers` does with the machine, one step at a time; workers
obey orders when it is their turn, report, and die at any moment, with reports of theirs still on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mim.contracts.messages import (
    Authenticated,
    ChangeInstance,
    ClientReady,
    CloudEvent,
    CreateInstance,
    Event,
    InstanceEvent,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    LoggedOut,
    QrReady,
    Reconnecting,
    Verb,
    wrap,
)
from mim.contracts.records import Allocation, InstanceRecord, OrderAction, SessionOrder
from mim.contracts.states import Desired, Provider, Status, can_move
from mim.contracts.values import Account, Ports, Reason
from mim.lifecycle import machine
from mim.lifecycle.fold import fold
from mim.lifecycle.machine import Step

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
GIVEN = {"ports": Ports(api=3001), "api_key_sha256": "hash"}
ENOUGH = 12  # steps after which nothing may be due any more without new input


@dataclass
class Worker:
    """One adapter process; `epoch` is that of its session, 0 without one."""

    name: str
    life: int = 1
    alive: bool = True
    order: SessionOrder | None = None
    obeyed: SessionOrder | None = None
    epoch: int = 0
    ran: int = 0
    late: list[InstanceEvent] = field(default_factory=list)

    @property
    def boot(self) -> str:
        return f"{self.name}-{self.life}"


class Play(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[CloudEvent[Event]] = []
        self.record: InstanceRecord | None = None
        self.workers = [Worker("a"), Worker("b")]
        self.purged = False
        self.given: Allocation | None = None

    # ------------------------------------------------------------------------------------------- the bus

    def say(self, told: Iterable[InstanceEvent]) -> int:
        count = 0
        for event in told:
            count += 1
            at = NOW + timedelta(seconds=len(self.events))
            self.events.append(wrap(event, id=str(len(self.events)), source="play", time=at))
            before, self.record = self.record, fold(self.record, self.events[-1], len(self.events))
            self.check_move(before, event)
        return count

    def check_move(self, before: InstanceRecord | None, event: InstanceEvent) -> None:
        after = self.record
        assert after is not None
        if before is None:
            return
        assert after.epoch >= before.epoch
        assert before.status is after.status or can_move(before.status, after.status)
        if 0 < event.epoch < before.epoch:
            assert after.model_copy(update={"event_seq": 0, "instance_seq": 0}) == before.model_copy(
                update={"event_seq": 0, "instance_seq": 0}
            )
        if before.api_key_sha256 is not None:
            assert (after.ports, after.api_key_sha256) == (before.ports, before.api_key_sha256)

    # ----------------------------------------------------------------------------------------- lifecycle

    def worker_of(self, record: InstanceRecord | None) -> Worker | None:
        """The living worker whose present life the record names."""
        for worker in self.workers:
            if record is not None and worker.alive and (worker.name, worker.boot) == (record.worker, record.boot):
                return worker
        return None

    def step(self) -> bool:
        """What `Lifecycle._step` does once; whether it changed anything."""
        if self.record is None:
            return False
        holder = self.worker_of(self.record)
        held = holder is not None
        due = machine.next_step(self.record, held=held, purged=self.purged)
        match due.step:
            case Step.ALLOCATE | Step.START:
                alive = [worker for worker in self.workers if worker.alive]
                chosen = next((one for one in alive if one.name == self.record.worker), alive[0] if alive else None)
                place = {"worker": chosen.name, "boot": chosen.boot} if chosen else {}
                given = Allocation(**GIVEN, **place)
                said = self.say(machine.allocated(self.record, given))
                holding = self.worker_of(self.record) is not None
                return self.say(machine.begin(self.record, given, NOW, held=holding)) + said > 0
            case Step.SETTLE:
                return self.say(machine.settled(self.record, held=held)) > 0
            case Step.RELEASE:
                return False
            case Step.NOTHING:
                changed = holder is not None and due.order is not None and holder.order != due.order
                for worker in self.workers:
                    worker.order = due.order if worker is holder else None
                return changed

    # ------------------------------------------------------------------------------------------- workers

    def obey(self, worker: Worker) -> bool:
        """What a worker does with its order; whether there was something to do."""
        order = worker.order
        if not worker.alive or order == worker.obeyed:
            return False
        worker.obeyed = order
        if order is None:
            worker.epoch = 0
            return True
        if order.boot != worker.boot:
            return True
        match order.action:
            case OrderAction.RUN if order.epoch > worker.ran:
                worker.epoch = worker.ran = order.epoch
            case OrderAction.HOLD:
                worker.epoch = 0
                if order.status is Status.STARTING:
                    self.say([InstanceStopped(**self.base(worker, order.epoch))])
            case OrderAction.LOGOUT:
                worker.epoch = 0
                self.say([LoggedOut(**self.base(worker, order.epoch))])
            case OrderAction.PURGE:
                worker.epoch = 0
                self.purged = True
            case _:
                pass
        return True

    def base(self, worker: Worker, epoch: int) -> dict[str, Any]:
        return {"instance_id": ID, "epoch": epoch, "actor": worker.name}

    def report(self, worker: Worker, kind: type[InstanceEvent]) -> InstanceEvent:
        needs: dict[type[InstanceEvent], dict[str, Any]] = {
            QrReady: {"code": "2@x", "expires_at": NOW},
            Authenticated: {"account": Account(id="1")},
            ClientReady: {"account": Account(id="1")},
            InstanceFailed: {"reason": Reason(code="X", message="x", since=NOW)},
        }
        return kind(**self.base(worker, worker.epoch), **needs.get(kind, {}))

    # --------------------------------------------------------------------------------------------- rules

    some_worker = st.integers(0, 1)

    @initialize(start=st.booleans())
    def create(self, start: bool) -> None:
        command = CreateInstance(instance_id=ID, user_id="u", provider=Provider.TELEGRAM, start=start)
        self.say(machine.create(None, command, ()))

    def is_there(self) -> bool:
        return self.record is not None and self.record.status is not Status.DELETED

    @precondition(is_there)
    @rule(verb=st.sampled_from([Verb.START, Verb.STOP, Verb.RESTART, Verb.LOGOUT]))
    def owner_asks(self, verb: Verb) -> None:
        self.say(machine.decide(self.record, ChangeInstance(instance_id=ID, verb=verb)))
        again = machine.decide(self.record, ChangeInstance(instance_id=ID, verb=verb))
        if verb is Verb.START:
            assert again == [], "a start that was taken is no second one"

    @precondition(lambda self: self.is_there() and len(self.events) > 15)
    @rule()
    def owner_deletes(self) -> None:
        self.say(machine.decide(self.record, ChangeInstance(instance_id=ID, verb=Verb.DELETE)))

    @rule()
    def lifecycle_steps(self) -> None:
        self.step()

    @rule(who=some_worker)
    def worker_obeys(self, who: int) -> None:
        self.obey(self.workers[who])

    @rule(
        who=some_worker,
        kind=st.sampled_from([QrReady, Authenticated, ClientReady, Reconnecting, LoggedOut, InstanceFailed]),
        late=st.booleans(),
    )
    def session_reports(self, who: int, kind: type[InstanceEvent], late: bool) -> None:
        worker = self.workers[who]
        if not worker.alive or worker.epoch == 0:
            return
        event = self.report(worker, kind)
        if kind in (LoggedOut, InstanceFailed):
            worker.epoch = 0
        if late:
            worker.late.append(event)
        else:
            self.say([event])

    @rule(who=some_worker)
    def a_late_report_arrives(self, who: int) -> None:
        late = self.workers[who].late
        if late:
            self.say([late.pop(0)])

    @rule(who=some_worker)
    def worker_dies(self, who: int) -> None:
        self.workers[who].alive = False
        self.workers[who].epoch = 0

    @rule(who=some_worker)
    def worker_comes_back(self, who: int) -> None:
        worker = self.workers[who]
        if not worker.alive:
            worker.alive, worker.life, worker.ran, worker.obeyed = True, worker.life + 1, 0, None

    @rule()
    def everything_comes_to_rest(self) -> None:
        """Without new input wish and fact meet, and then nothing more happens."""
        for worker in self.workers:
            self.say(worker.late)
            worker.late.clear()
        for _ in range(ENOUGH):
            moved = self.step()
            for worker in self.workers:
                moved |= self.obey(worker)
            if not moved:
                break
        else:
            raise AssertionError(f"it does not come to rest: {[told.data.name for told in self.events[-8:]]}")
        self.check_rest()

    def check_rest(self) -> None:
        record = self.record
        assert record is not None
        running = [worker for worker in self.workers if worker.epoch]
        if record.status is Status.DELETED:
            assert running == []
            assert machine.next_step(record, held=self.worker_of(record) is not None, purged=self.purged).step is (
                Step.RELEASE
            )
        elif record.desired is Desired.STOPPED:
            assert record.status is Status.STOPPED
            assert running == []
        elif record.desired is Desired.LOGGED_OUT:
            nobody = not any(worker.alive for worker in self.workers)
            assert record.status is Status.LOGGED_OUT or nobody
        elif any(worker.alive for worker in self.workers):
            assert record.status.is_live or record.status in (Status.LOGGED_OUT, Status.ERROR)
            if record.status.is_live:
                assert [worker.epoch for worker in running] == [record.epoch]

    # ---------------------------------------------------------------------------------------- invariants

    @invariant()
    def every_status_has_a_reason(self) -> None:
        if self.record is not None:
            assert self.record.reason.code
            assert self.record.reason.message
            assert (self.record.qr is not None) is (self.record.status is Status.QR_READY)
            assert self.record.worker_epoch <= self.record.epoch

    @invariant()
    def no_two_sessions_are_connected_at_once(self) -> None:
        assert len([worker for worker in self.workers if worker.epoch]) <= 1

    @invariant()
    def an_epoch_belongs_to_one_life_of_one_worker(self) -> None:
        lives: dict[int, set[str]] = {}
        for told in self.events:
            if isinstance(told.data, InstanceStarting) and told.data.boot is not None:
                lives.setdefault(told.data.epoch, set()).add(told.data.boot)
        assert all(len(boots) == 1 for boots in lives.values()), lives

    def teardown(self) -> None:
        if self.record is None:
            return
        self.everything_comes_to_rest()
        if self.record.status is not Status.DELETED:  # whatever happened before, a stop leads to stopped
            self.say(machine.decide(self.record, ChangeInstance(instance_id=ID, verb=Verb.STOP)))
            self.everything_comes_to_rest()
            assert self.record.status is Status.STOPPED
        assert self.folded(self.events, lambda seq: [seq]) == self.record
        assert self.folded(self.events, lambda seq: [seq, seq, max(1, seq - 1)]) == self.record

    def folded(self, events: list[CloudEvent[Event]], order: Callable[[int], list[int]]) -> InstanceRecord | None:
        """The record made anew from the events, some of them delivered several times."""
        record: InstanceRecord | None = None
        for number in range(1, len(events) + 1):
            for seq in order(number):
                record = fold(record, events[seq - 1], seq)
        return record


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
