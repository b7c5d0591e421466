"""What the gateway makes of records and events: scores, days, uptimes, and histories with cause and actor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts.errors import ErrorCode
from mim.contracts.messages import (
    Authenticated,
    ClientReady,
    CloudEvent,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    LoggedOut,
    MessageFailed,
    Reconnecting,
    wrap,
)
from mim.contracts.reasons import default_reason
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Interface, Provider, Status, UserAction
from mim.contracts.values import Account, Figures, MessageStats, Ports, Reason
from mim.gateway.figures import health_score, past_error, status_changes, today, uptime_hours

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ME = Account(id="42", username="bot")
BASE: dict[str, Any] = {"instance_id": ID, "actor": "worker-1"}


def record(status: Status = Status.CLIENT_READY, **more: Any) -> InstanceRecord:
    plain: dict[str, Any] = {
        "id": ID,
        "user_id": "u",
        "provider": Provider.TELEGRAM,
        "type_instance": (Interface.API,),
        "desired": Desired.RUNNING,
        "status": status,
        "reason": default_reason(status, NOW),
        "created_at": NOW,
        "updated_at": NOW,
        "event_seq": 1,
        "instance_seq": 1,
    }
    return InstanceRecord(**plain | more)


def told(*events: Event) -> list[CloudEvent[Event]]:
    """The events in their envelopes, a second apart."""
    return [
        wrap(event, id=f"e{number}", source="somebody", time=NOW + timedelta(seconds=number))
        for number, event in enumerate(events)
    ]


def reason(code: str, message: str = "because") -> Reason:
    return Reason(code=code, message=message, user_action=UserAction.NONE, since=NOW)


CREATED = InstanceCreated(
    instance_id=ID,
    actor="alice",
    user_id="u",
    provider=Provider.TELEGRAM,
    type_instance=(Interface.API,),
    desired=Desired.RUNNING,
)
ALLOCATED = InstanceAllocated(instance_id=ID, actor="allocator", ports=Ports(api=3001), api_key_sha256="hash")
READY = [
    CREATED,
    ALLOCATED,
    InstanceStarting(instance_id=ID, actor="lifecycle", epoch=1, worker="w", boot="b"),
    Authenticated(**BASE, epoch=1, account=ME),
    ClientReady(**BASE, epoch=1, account=ME),
]

# ------------------------------------------------------------------------------------------------- score


@given(st.sampled_from(Status), st.integers(min_value=0, max_value=10_000), st.integers(min_value=0, max_value=10_000))
def test_a_score_is_between_0_and_100_and_only_one_that_works_reaches_more_than_60(
    status: Status, errors: int, failures: int
) -> None:
    score = health_score(record(status, figures=Figures(error_count=errors, consecutive_failures=failures)))
    assert 0 <= score <= 100
    assert (score >= 60) == (status.is_ready or (score == 60))
    assert (score == 100) == (status.is_ready and errors == 0)
    if status in (Status.STOPPED, Status.ERROR, Status.LOGGED_OUT, Status.DELETED):
        assert score == 0


@pytest.mark.parametrize(("errors", "score"), [(0, 100), (1, 98), (5, 90), (20, 60), (21, 60), (500, 60)])
def test_one_that_works_loses_two_for_each_error_but_stays_above_those_that_do_not(errors: int, score: int) -> None:
    assert health_score(record(figures=Figures(error_count=errors))) == score


@pytest.mark.parametrize(("failures", "score"), [(0, 60), (1, 50), (5, 10), (50, 10)])
def test_one_on_its_way_loses_ten_for_each_failure_in_a_row(failures: int, score: int) -> None:
    assert health_score(record(Status.RECONNECTING, figures=Figures(consecutive_failures=failures))) == score


def test_one_that_waits_for_a_person_scores_the_same_whatever_was_before() -> None:
    for status in (Status.QR_READY, Status.ACTION_REQUIRED):
        assert health_score(record(status, figures=Figures(consecutive_failures=9, error_count=9))) == 40


# ------------------------------------------------------------------------------------------- day, uptime


def test_the_counts_of_a_day_end_with_the_day_and_the_others_stay() -> None:
    stats = MessageStats(
        sent_count=30, received_count=20, daily_sent=3, daily_received=2, daily_reset_at=NOW.replace(hour=0)
    )
    late = NOW.replace(hour=23, minute=59, second=59)
    assert today(record(message_stats=stats), late) == stats
    tomorrow = NOW + timedelta(days=1)
    seen = today(record(message_stats=stats), tomorrow)
    assert (seen.daily_sent, seen.daily_received) == (0, 0)
    assert (seen.sent_count, seen.received_count) == (30, 20)
    assert seen.daily_reset_at == tomorrow.replace(hour=0)


def test_one_without_messages_has_no_day() -> None:
    assert today(record(), NOW) == MessageStats()


def test_the_uptime_counts_from_when_it_was_ready_and_is_never_negative() -> None:
    since = Figures(uptime_start=NOW - timedelta(hours=36, minutes=30))
    assert uptime_hours(record(figures=since), NOW) == 36.5
    assert uptime_hours(record(), NOW) == 0.0
    assert uptime_hours(record(figures=Figures(uptime_start=NOW + timedelta(minutes=1))), NOW) == 0.0


# ------------------------------------------------------------------------------------------------ history


def test_the_history_has_every_change_of_status_once_in_order_with_cause_and_actor() -> None:
    changes = status_changes(told(*READY))
    assert [change.status for change in changes] == ["pending", "starting", "authenticated", "client_ready"]
    assert [change.actor for change in changes] == ["alice", "lifecycle", "worker-1", "worker-1"]
    assert all(change.message and change.code and change.source == "somebody" for change in changes)
    assert [change.timestamp for change in changes] == [NOW + timedelta(seconds=s) for s in (0, 2, 3, 4)]


def test_a_stop_and_a_logout_tell_who_asked_and_not_who_carried_it_out() -> None:
    stop = InstanceUpdated(instance_id=ID, actor="bob", desired=Desired.STOPPED)
    out = InstanceUpdated(instance_id=ID, actor="carol", desired=Desired.LOGGED_OUT)
    done = LoggedOut(**BASE, epoch=1, reason=reason(ErrorCode.REQUESTED))
    changes = status_changes(told(*READY, stop, InstanceStopped(**BASE, epoch=1), out, done))
    assert [(change.status, change.actor) for change in changes[-2:]] == [("stopped", "bob"), ("logged_out", "carol")]


def test_a_change_of_the_name_meanwhile_does_not_take_the_blame_for_a_stop() -> None:
    stop = InstanceUpdated(instance_id=ID, actor="bob", desired=Desired.STOPPED)
    rename = InstanceUpdated(instance_id=ID, actor="dora", desired=Desired.STOPPED, changed=("name",), display_name="x")
    changes = status_changes(told(*READY, stop, rename, InstanceStopped(**BASE, epoch=1)))
    assert (changes[-1].status, changes[-1].actor) == ("stopped", "bob")


def test_one_that_is_created_stopped_was_stopped_by_who_created_it() -> None:
    created = CREATED.model_copy(update={"desired": Desired.STOPPED})
    changes = status_changes(told(created, ALLOCATED, InstanceStopped(instance_id=ID, actor="lifecycle")))
    assert [(change.status, change.actor) for change in changes] == [("pending", "alice"), ("stopped", "alice")]


def test_a_delete_and_what_happens_by_itself_keep_their_own_actor() -> None:
    rename = InstanceUpdated(instance_id=ID, actor="dora", desired=Desired.RUNNING, changed=("name",), display_name="x")
    dropped = Reconnecting(**BASE, epoch=1, reason=reason("MESSENGER_UNREACHABLE", "no network"))
    gone = InstanceDeleted(instance_id=ID, actor="erin", epoch=2)
    changes = status_changes(told(*READY, rename, dropped, gone))
    assert [(change.status, change.actor) for change in changes[-2:]] == [
        ("reconnecting", "worker-1"),
        ("deleted", "erin"),
    ]
    assert (changes[-2].code, changes[-2].message) == ("MESSENGER_UNREACHABLE", "no network")


def test_what_an_older_session_still_tells_is_no_change() -> None:
    anew = InstanceStarting(instance_id=ID, actor="lifecycle", epoch=2, worker="w", boot="b")
    late = Reconnecting(**BASE, epoch=1)
    changes = status_changes(told(*READY, anew, late))
    assert changes[-1].status is Status.STARTING
    assert changes[-1].epoch == 2


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Reconnecting(**BASE, epoch=1, reason=reason("MESSENGER_UNREACHABLE")), "MESSENGER_UNREACHABLE"),
        (InstanceFailed(**BASE, epoch=1, reason=reason("TOKEN_REJECTED")), "TOKEN_REJECTED"),
        (LoggedOut(**BASE, epoch=1, reason=reason("QR_EXPIRED")), "QR_EXPIRED"),
        (LoggedOut(**BASE, epoch=1), "LOGGED_OUT"),
    ],
)
def test_a_failure_is_an_error_with_its_reason(event: Event, code: str) -> None:
    error = past_error(told(event)[0])
    assert error is not None
    assert (error.code, error.source, error.timestamp) == (code, "somebody", NOW)
    assert error.error


def test_a_message_that_was_not_sent_is_an_error() -> None:
    failed = MessageFailed(instance_id=ID, provider=Provider.TELEGRAM, id="m", to="1", code="NOT_READY", message="late")
    error = past_error(told(failed)[0])
    assert error is not None
    assert (error.code, error.error) == ("NOT_READY", "late")


@pytest.mark.parametrize(
    "event", [*READY, LoggedOut(**BASE, epoch=1, reason=reason(ErrorCode.REQUESTED)), InstanceStopped(**BASE, epoch=1)]
)
def test_what_somebody_wanted_is_no_error(event: Event) -> None:
    assert past_error(told(event)[0]) is None
