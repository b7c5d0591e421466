"""The rules of an instance, one by one: folding, commands, steps, orders. How they play together: test_machine_play."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mim.contracts.errors import ErrorCode, Rejected
from mim.contracts.messages import (
    ActionRequired,
    Authenticated,
    ChangeInstance,
    ClientReady,
    CreateInstance,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceEvent,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    LoggedOut,
    MessageFailed,
    MessageReceived,
    MessageSent,
    QrReady,
    Reconnecting,
    Verb,
    wrap,
)
from mim.contracts.reasons import REASONS
from mim.contracts.records import Allocation, InstanceRecord, OrderAction
from mim.contracts.states import Desired, Interface, Provider, Status, UserAction, can_move
from mim.contracts.values import Account, Contact, IncomingMessage, Ports, Reason
from mim.lifecycle import machine
from mim.lifecycle.fold import fold
from mim.lifecycle.machine import Step, next_step, order_of

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ME = Account(id="42", username="bot")
BASE: dict[str, Any] = {"instance_id": ID, "actor": "test"}
GIVEN = Allocation(ports=Ports(api=3001), api_key_sha256="hash", worker="w", boot="b")
NOBODY = GIVEN.model_copy(update={"worker": None, "boot": None})


def at(status: Status, desired: Desired | None = None, **more: Any) -> InstanceRecord:
    """An instance that stands somewhere; unless told otherwise it is allocated and epoch 2 is held by worker `w`."""
    wish = {Status.STOPPED: Desired.STOPPED, Status.DELETED: Desired.DELETED}.get(status, Desired.RUNNING)
    plain: dict[str, Any] = {
        "id": ID,
        "user_id": "u",
        "provider": Provider.TELEGRAM,
        "type_instance": (Interface.API,),
        "desired": desired or wish,
        "status": status,
        "reason": machine.default_reason(status, NOW),
        "epoch": 2,
        "worker": "w",
        "boot": "b",
        "worker_epoch": 2,
        "ports": Ports(api=3001),
        "api_key_sha256": "hash",
        "created_at": NOW,
        "updated_at": NOW,
        "event_seq": 10,
        "instance_seq": 10,
    }
    return InstanceRecord(**plain | more)


def event(status: Status, epoch: int = 2, **more: Any) -> InstanceEvent:
    """The event that says this status."""
    kinds: dict[Status, type[InstanceEvent]] = {
        Status.PENDING: InstanceCreated,
        Status.STARTING: InstanceStarting,
        Status.QR_READY: QrReady,
        Status.ACTION_REQUIRED: ActionRequired,
        Status.AUTHENTICATED: Authenticated,
        Status.CLIENT_READY: ClientReady,
        Status.RECONNECTING: Reconnecting,
        Status.LOGGED_OUT: LoggedOut,
        Status.STOPPED: InstanceStopped,
        Status.ERROR: InstanceFailed,
        Status.DELETED: InstanceDeleted,
    }
    needs: dict[Status, dict[str, Any]] = {
        Status.PENDING: {"user_id": "u", "provider": "telegram", "type_instance": ("api",), "desired": "running"},
        Status.QR_READY: {"code": "2@abc", "expires_at": NOW + timedelta(seconds=20)},
        Status.AUTHENTICATED: {"account": ME},
        Status.CLIENT_READY: {"account": ME},
    }
    return kinds[status](**BASE, epoch=epoch, **needs.get(status, {}) | more)


def after(record: InstanceRecord | None, *events: Event, at: datetime = NOW) -> InstanceRecord:
    for told in events:
        seq = record.event_seq + 1 if record else 1
        record = fold(record, wrap(told, id=f"e{seq}", source="test", time=at), seq)
    assert record is not None
    return record


# ----------------------------------------------------------------------------------------------------- fold


def test_an_instance_begins_with_its_created_event_and_nothing_else() -> None:
    for status in Status:
        begun = fold(None, wrap(event(status), id="1", source="t", time=NOW), 1)
        assert (begun is not None) is (status is Status.PENDING)


def test_a_second_created_event_changes_nothing() -> None:
    record = at(Status.CLIENT_READY)
    assert after(record, event(Status.PENDING)).model_copy(update={"event_seq": 10, "instance_seq": 10}) == record


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", [status for status in Status if status is not Status.PENDING])
def test_an_event_moves_the_status_exactly_if_the_move_is_possible(old: Status, new: Status) -> None:
    record = at(old)
    moved = after(record, event(new))
    if can_move(old, new):
        assert moved.status is new
        assert moved.reason.code == REASONS[new][0]
    else:
        assert moved == record.model_copy(update={"event_seq": 11, "instance_seq": 11})


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", [status for status in Status if status is not Status.PENDING])
def test_an_event_of_an_older_epoch_changes_nothing(old: Status, new: Status) -> None:
    record = at(old)
    assert after(record, event(new, epoch=1)) == record.model_copy(update={"event_seq": 11, "instance_seq": 11})


def test_folding_an_event_again_changes_nothing() -> None:
    record = after(at(Status.STARTING), event(Status.CLIENT_READY))
    told = wrap(event(Status.ERROR), id="x", source="t", time=NOW)
    assert fold(record, told, record.event_seq) is record
    assert fold(record, told, record.event_seq - 5) is record


def test_a_reason_of_the_event_wins_and_without_one_there_is_still_one() -> None:
    reason = Reason(code="TOKEN_REJECTED", message="m", user_action=UserAction.NEW_TOKEN, since=NOW)
    assert after(at(Status.STARTING), event(Status.ERROR, reason=reason)).reason == reason
    assert set(REASONS) == set(Status)
    assert all(message for _, message, _ in REASONS.values())


def test_a_qr_code_is_kept_while_it_waits_and_dropped_with_any_other_status() -> None:
    waiting = after(at(Status.STARTING), event(Status.QR_READY))
    assert waiting.qr is not None
    assert waiting.qr.code == "2@abc"
    renewed = after(waiting, event(Status.QR_READY, code="2@next"))
    assert renewed.qr is not None
    assert renewed.qr.code == "2@next"
    for status in Status:
        if status not in (Status.PENDING, Status.QR_READY) and can_move(Status.QR_READY, status):
            assert after(waiting, event(status)).qr is None


def test_the_login_is_known_from_authenticated_until_logged_out_or_a_new_qr_code() -> None:
    ready = after(at(Status.STARTING), event(Status.CLIENT_READY))
    assert (ready.logged_in, ready.account, ready.observed_at) == (True, ME, NOW)
    assert after(ready, event(Status.STOPPED)).logged_in
    assert not after(ready, event(Status.LOGGED_OUT)).logged_in
    assert not after(ready, event(Status.STARTING, 3), event(Status.QR_READY, 3)).logged_in


def test_a_start_without_a_worker_leaves_the_last_one_named_but_not_holding() -> None:
    asked = after(at(Status.CLIENT_READY), event(Status.STARTING, 3))
    assert (asked.worker, asked.worker_epoch, asked.epoch) == ("w", 2, 3)
    taken = after(asked, event(Status.STARTING, 3, worker="v", boot="c"))
    assert (taken.worker, taken.boot, taken.worker_epoch, taken.epoch) == ("v", "c", 3, 3)


def message(kind: type[MessageSent | MessageFailed | MessageReceived]) -> Event:
    base: dict[str, Any] = {"instance_id": ID, "provider": Provider.TELEGRAM, "epoch": 2}
    if kind is MessageSent:
        return MessageSent(**base, id="m", to="1", messenger_id="7")
    if kind is MessageFailed:
        return MessageFailed(**base, id="m", to="1", code="X", message="x")
    incoming = IncomingMessage(id="1", chat_id="1", body="hi", timestamp=NOW, contact=Contact(id="1"))
    return MessageReceived(**base, message=incoming)


def test_messages_are_counted_and_the_day_begins_anew_at_midnight_utc() -> None:
    late, early = NOW.replace(hour=23, minute=59), NOW.replace(hour=0, minute=1) + timedelta(days=1)
    day = after(at(Status.CLIENT_READY), message(MessageSent), message(MessageSent), message(MessageReceived), at=late)
    stats = day.message_stats
    assert (stats.sent_count, stats.daily_sent, stats.received_count, stats.daily_received) == (2, 2, 1, 1)
    assert stats.daily_reset_at == NOW.replace(hour=0)
    stats = after(day, message(MessageReceived), at=early).message_stats
    assert (stats.sent_count, stats.daily_sent, stats.received_count, stats.daily_received) == (2, 0, 2, 1)
    assert stats.daily_reset_at == early.replace(minute=0)


def test_a_failed_message_is_not_counted_and_messages_move_no_status() -> None:
    record = at(Status.CLIENT_READY)
    assert after(record, message(MessageFailed)).message_stats == record.message_stats
    told = after(record, message(MessageSent), message(MessageReceived))
    assert (told.status, told.instance_seq, told.event_seq) == (record.status, record.instance_seq, 12)


# ------------------------------------------------------------------------------------------------- commands

# Status, then what each verb leads to: the event's name, `-` for nothing. By hand.
COMMANDS = """
                start     stop      restart   logout    delete
pending         -         updated   updated   updated   deleted
starting        -         updated   starting  updated   deleted
qr_ready        -         updated   starting  updated   deleted
action_required -         updated   starting  updated   deleted
authenticated   -         updated   starting  updated   deleted
client_ready    -         updated   starting  updated   deleted
reconnecting    -         updated   starting  updated   deleted
logged_out      starting  updated   starting  updated   deleted
stopped         starting  -         starting  updated   deleted
error           starting  updated   starting  updated   deleted
"""
_HEAD, *_ROWS = [line.split() for line in COMMANDS.strip().splitlines()]
DECISIONS = [(row[0], verb, name) for row in _ROWS for verb, name in zip(_HEAD, row[1:], strict=True)]


@pytest.mark.parametrize(("status", "verb", "name"), DECISIONS)
def test_a_command_leads_to_what_the_table_says(status: str, verb: str, name: str) -> None:
    record = at(Status(status))
    events = machine.decide(record, ChangeInstance(instance_id=ID, verb=Verb(verb), actor="me"))
    assert [told.name for told in events] == ([] if name == "-" else [name])
    assert all(told.actor == "me" for told in events)
    if name in ("starting", "deleted"):
        assert events[0].epoch == record.epoch + 1


@pytest.mark.parametrize(("status", "verb", "name"), DECISIONS)
def test_what_a_command_leads_to_is_a_possible_move(status: str, verb: str, name: str) -> None:
    record = at(Status(status))
    told = machine.decide(record, ChangeInstance(instance_id=ID, verb=Verb(verb)))
    wish = {"stop": Desired.STOPPED, "logout": Desired.LOGGED_OUT, "delete": Desired.DELETED}
    assert after(record, *told).desired is wish.get(verb, Desired.RUNNING)


@pytest.mark.parametrize("verb", Verb)
def test_there_is_nothing_to_command_where_no_instance_is(verb: Verb) -> None:
    for record in (None, at(Status.DELETED)):
        with pytest.raises(Rejected) as refused:
            machine.decide(record, ChangeInstance(instance_id=ID, verb=verb))
        assert refused.value.code == ErrorCode.NOT_FOUND


@pytest.mark.parametrize(("verb", "status"), [("stop", Status.STOPPED), ("logout", Status.LOGGED_OUT)])
def test_asking_again_for_what_is_so_already_says_nothing(verb: str, status: Status) -> None:
    desired = Desired(status.value)
    assert machine.decide(at(status, desired), ChangeInstance(instance_id=ID, verb=Verb(verb))) == []


CREATE = CreateInstance(instance_id=ID, user_id="u", provider=Provider.TELEGRAM, type_instance=("api", "mcp", "api"))


def test_creating_says_so_once_and_keeps_the_wish() -> None:
    (created,) = machine.create(None, CREATE, ("token",))
    assert isinstance(created, InstanceCreated)
    assert (created.desired, created.type_instance, created.secrets) == ("running", ("api", "mcp"), ("token",))
    (stopped,) = machine.create(None, CREATE.model_copy(update={"start": False}), ())
    assert isinstance(stopped, InstanceCreated)
    assert stopped.desired is Desired.STOPPED
    assert machine.create(after(None, created), CREATE, ("token",)) == []


@pytest.mark.parametrize(
    "other", [{"user_id": "someone-else"}, {"provider": Provider.WHATSAPPWEB}], ids=["another tenant", "another kind"]
)
def test_an_id_in_use_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        machine.create(at(Status.CLIENT_READY), CREATE.model_copy(update=other), ())
    assert refused.value.code == ErrorCode.ALREADY_EXISTS
    with pytest.raises(Rejected):
        machine.create(at(Status.DELETED), CREATE, ())


# ---------------------------------------------------------------------------------------------------- steps

# Status, then the step for: desired running, stopped, logged_out -- first while the worker lives, then when it is gone.
STEPS = """
                    run/held  stop/held out/held  run/gone  stop/gone out/gone
pending             start     settle    start     start     settle    start
starting            nothing   nothing   nothing   start     settle    start
qr_ready            nothing   nothing   nothing   start     settle    start
action_required     nothing   nothing   nothing   start     settle    start
authenticated       nothing   nothing   nothing   start     settle    start
client_ready        nothing   nothing   nothing   start     settle    start
reconnecting        nothing   nothing   nothing   start     settle    start
logged_out          nothing   settle    nothing   nothing   settle    nothing
stopped             nothing   nothing   nothing   nothing   nothing   start
error               nothing   settle    nothing   nothing   settle    start
starting-unassigned start     settle    start     start     settle    start
"""
_WISHES = [(wish, held) for held in (True, False) for wish in (Desired.RUNNING, Desired.STOPPED, Desired.LOGGED_OUT)]
DUE = [
    (row[0], wish, held, step)
    for row in (line.split() for line in STEPS.strip().splitlines()[1:])
    for (wish, held), step in zip(_WISHES, row[1:], strict=True)
]


@pytest.mark.parametrize(("name", "wish", "held", "step"), DUE)
def test_the_step_that_is_due_is_the_one_of_the_table(name: str, wish: Desired, held: bool, step: str) -> None:
    status, _, unassigned = name.partition("-")
    record = at(Status(status), wish, worker_epoch=1 if unassigned else 2)
    assert next_step(record, held=held).step == step


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.DELETED])
@pytest.mark.parametrize("held", [True, False])
def test_ports_and_key_come_before_everything_else(status: Status, held: bool) -> None:
    assert next_step(at(status, api_key_sha256=None), held=held).step is Step.ALLOCATE


def test_a_deleted_instance_is_released_once_its_worker_has_cleaned_up_or_is_gone() -> None:
    gone = at(Status.DELETED)
    waiting = next_step(gone, held=True)
    assert waiting.step is Step.NOTHING
    assert waiting.order is not None
    assert waiting.order.action is OrderAction.PURGE
    assert next_step(gone, held=True, purged=True).step is Step.RELEASE
    assert next_step(gone, held=False).step is Step.RELEASE


@pytest.mark.parametrize("name", ["client_ready", "qr_ready", "stopped", "starting-unassigned"])
def test_an_instance_that_leaves_its_worker_is_handed_over_before_anything_else_is_due(name: str) -> None:
    status, _, unassigned = name.partition("-")
    record = at(Status(status), worker_epoch=1 if unassigned else 2)
    due = next_step(record, held=True, leaves=True)
    assert due.step is Step.NOTHING
    assert due.order == order_of(record).model_copy(update={"action": OrderAction.YIELD})


def test_a_worker_that_is_gone_is_not_waited_for_and_what_is_deleted_is_purged_where_it_is() -> None:
    assert next_step(at(Status.CLIENT_READY), held=False, leaves=True).step is Step.START
    purging = next_step(at(Status.DELETED), held=True, leaves=True)
    assert purging.order is not None
    assert purging.order.action is OrderAction.PURGE


# --------------------------------------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("wish", "action"),
    [(Desired.RUNNING, "run"), (Desired.STOPPED, "hold"), (Desired.LOGGED_OUT, "logout")],
)
def test_while_a_session_reports_its_order_stays_the_same(wish: Desired, action: str) -> None:
    told = at(Status.STARTING, wish)
    orders = [order_of(told)]
    for status in (Status.QR_READY, Status.AUTHENTICATED, Status.CLIENT_READY, Status.RECONNECTING):
        told = after(told, event(status), message(MessageReceived))
        assert told.status is status
        orders.append(order_of(told))
    assert {order.action for order in orders} == {OrderAction(action)}
    assert all(order == orders[0] for order in orders)


@pytest.mark.parametrize("status", [Status.LOGGED_OUT, Status.STOPPED, Status.ERROR])
def test_without_a_session_the_worker_holds_the_port_and_says_why(status: Status) -> None:
    order = order_of(at(status))
    assert (order.action, order.status, order.reason) == (OrderAction.HOLD, status, at(status).reason)
    assert order.boot == "b"


def test_the_order_of_the_next_run_says_whether_there_is_a_login_to_resume() -> None:
    first = after(at(Status.STARTING), event(Status.STARTING, 1, worker="w", boot="b"), event(Status.CLIENT_READY))
    assert not order_of(first).resumes
    again = event(Status.STARTING, 2, worker="w", boot="b")
    assert order_of(after(first, again)).resumes
    assert not order_of(after(first, event(Status.LOGGED_OUT), again)).resumes


def test_a_start_raises_the_epoch_of_the_order() -> None:
    assert order_of(after(at(Status.CLIENT_READY), event(Status.STARTING, 3, worker="w", boot="b"))).epoch == 3


# ---------------------------------------------------------------------------------- what lifecycle then says


def test_allocated_is_said_once() -> None:
    fresh = at(Status.PENDING, ports=Ports(), api_key_sha256=None)
    (told,) = machine.allocated(fresh, GIVEN)
    assert isinstance(told, InstanceAllocated)
    assert machine.allocated(after(fresh, told), GIVEN) == []
    assert machine.allocated(None, GIVEN) == machine.allocated(at(Status.DELETED), GIVEN) == []


def test_a_takeover_is_one_epoch_more_and_said_once() -> None:
    lost = at(Status.CLIENT_READY)
    (told,) = machine.begin(lost, GIVEN.model_copy(update={"worker": "v", "boot": "c"}), NOW, held=False)
    assert isinstance(told, InstanceStarting)
    assert (told.epoch, told.worker, told.boot) == (3, "v", "c")
    assert machine.begin(after(lost, told), GIVEN, NOW, held=True) == []


def test_a_start_by_command_has_raised_the_epoch_already() -> None:
    asked = after(at(Status.STOPPED), event(Status.STARTING, 3))
    (told,) = machine.begin(asked, GIVEN, NOW, held=False)
    assert told.epoch == 3


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (at(Status.PENDING), "updated"),
        (at(Status.STARTING, worker_epoch=1), "updated"),
        (at(Status.CLIENT_READY, logged_in=True), "reconnecting"),
        (at(Status.QR_READY), "starting"),
    ],
    ids=["new", "started by command", "logged in", "not logged in"],
)
def test_without_any_worker_the_instance_says_so_once_and_goes_on_when_there_is_one(
    record: InstanceRecord, name: str
) -> None:
    (told,) = machine.begin(record, NOBODY, NOW, held=False)
    assert told.name == name
    waiting = after(record, told)
    assert (waiting.reason.code, waiting.reason.user_action) == ("NO_WORKER", "wait")
    assert machine.begin(waiting, NOBODY, NOW, held=False) == []
    (start,) = machine.begin(waiting, GIVEN, NOW, held=False)
    going = after(waiting, start)
    assert (going.status, going.worker_epoch, going.reason.code) == (Status.STARTING, going.epoch, "CONNECTING")


def test_a_stop_that_nobody_can_carry_out_is_settled_once() -> None:
    record = at(Status.CLIENT_READY, Desired.STOPPED)
    (told,) = machine.settled(record, held=False)
    assert isinstance(told, InstanceStopped)
    assert machine.settled(after(record, told), held=False) == []
    assert machine.settled(record, held=True) == machine.settled(None, held=False) == []


def test_an_instance_that_got_nothing_is_not_kept_half_made() -> None:
    fresh = at(Status.PENDING, ports=Ports(), api_key_sha256=None)
    said = "PORTS_EXHAUSTED", "all ports are taken", NOW
    told = machine.refused(fresh, fresh, *said, held=False)
    assert [one.name for one in told] == ["deleted"]
    gone = after(fresh, *told)
    assert (gone.status, gone.reason.code) == (Status.DELETED, "PORTS_EXHAUSTED")
    waiting = at(Status.STARTING, worker_epoch=1)
    (kept,) = machine.refused(waiting, waiting, *said, held=True)
    assert kept.name == "error"


def test_a_refusal_that_another_lifecycle_overtook_says_nothing() -> None:
    said = "PORTS_EXHAUSTED", "all ports are taken", NOW
    fresh = at(Status.PENDING, ports=Ports(), api_key_sha256=None)
    for since in (
        None,
        at(Status.PENDING),
        at(Status.STARTING),
        at(Status.DELETED, ports=Ports(), api_key_sha256=None),
    ):
        assert machine.refused(since, fresh, *said, held=True) == []


def test_a_taken_port_is_still_known_when_the_owner_starts_it_again_and_forgotten_once_there_is_another() -> None:
    reason = Reason(code="PORT_TAKEN", message="m", user_action=UserAction.RESTART, since=NOW)
    failed = after(at(Status.STARTING), event(Status.ERROR, reason=reason))
    asked = after(failed, *machine.decide(failed, ChangeInstance(instance_id=ID, verb=Verb.START)))
    assert (asked.status, asked.reason.code, asked.reason.user_action) == (Status.STARTING, "PORT_TAKEN", "wait")
    given = GIVEN.model_copy(update={"ports": Ports(api=3002)})
    asked = after(asked, *machine.allocated(asked, given))
    going = after(asked, *machine.begin(asked, given, NOW, held=True))
    assert (going.ports.api, going.reason.code) == (3002, "CONNECTING")


def test_a_wish_alone_moves_no_status() -> None:
    told = InstanceUpdated(**BASE, desired=Desired.STOPPED)
    wished = after(at(Status.CLIENT_READY), told)
    assert (wished.status, wished.desired, wished.epoch) == (Status.CLIENT_READY, Desired.STOPPED, 2)
