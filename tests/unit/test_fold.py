"""The figures that events come to: restarts, failures, errors, keys, calls, uptimes. What folds into the status is
tested with the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts.errors import ErrorCode
from mim.contracts.messages import (
    ActivityReported,
    Audited,
    Authenticated,
    ClientReady,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    LoggedOut,
    MessageFailed,
    MessageReceived,
    MessageSent,
    Reconnecting,
    wrap,
)
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Interface, Provider, Status, UserAction
from mim.contracts.values import Account, Contact, IncomingMessage, Ports, Reason
from mim.lifecycle.fold import MAX_ERRORS, MAX_KEYS, fold

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ME = Account(id="42", username="bot")
BASE: dict[str, Any] = {"instance_id": ID, "actor": "w"}
OF: dict[str, Any] = {"instance_id": ID, "provider": Provider.TELEGRAM}


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def after(record: InstanceRecord | None, *events: Event, at: datetime = NOW) -> InstanceRecord:
    for event in events:
        seq = record.event_seq + 1 if record else 1
        record = fold(record, wrap(event, id=f"e{seq}", source="w", time=at), seq)
    assert record is not None
    return record


def starting(epoch: int, worker: str | None = "w") -> InstanceStarting:
    return InstanceStarting(instance_id=ID, actor="lifecycle", epoch=epoch, worker=worker, boot="b")


def ready(epoch: int = 1) -> tuple[Event, Event]:
    return Authenticated(**BASE, epoch=epoch, account=ME), ClientReady(**BASE, epoch=epoch, account=ME)


def dropped(epoch: int = 1, code: str = "MESSENGER_UNREACHABLE") -> Reconnecting:
    reason = Reason(code=code, message="no network", user_action=UserAction.WAIT, since=NOW)
    return Reconnecting(**BASE, epoch=epoch, reason=reason)


CREATED = InstanceCreated(
    instance_id=ID,
    actor="alice",
    user_id="u",
    provider=Provider.TELEGRAM,
    type_instance=(Interface.API,),
    desired=Desired.RUNNING,
)
ALLOCATED = InstanceAllocated(instance_id=ID, actor="allocator", ports=Ports(api=3001), api_key_sha256="key-1")
FRESH = after(None, CREATED, ALLOCATED)
RUNNING = after(FRESH, starting(1), *ready())

# ---------------------------------------------------------------------------------------- restarts, uptime


def test_the_first_start_is_no_restart_and_every_further_one_is() -> None:
    assert FRESH.figures.restart_count == RUNNING.figures.restart_count == 0
    again = after(RUNNING, starting(2), *ready(2))
    assert again.figures.restart_count == 1
    assert after(again, starting(3), starting(4)).figures.restart_count == 3


def test_a_start_that_waits_for_a_worker_counts_once_when_it_has_one() -> None:
    waiting = after(RUNNING, starting(2, worker=None))
    assert waiting.figures.restart_count == 0
    assert after(waiting, starting(2)).figures.restart_count == 1


def test_the_uptime_begins_when_it_is_ready_and_a_repeat_does_not_begin_it_anew() -> None:
    assert after(FRESH, starting(1)).figures.uptime_start is None
    record = after(after(FRESH, starting(1)), *ready(), at=later(1))
    assert record.figures.uptime_start == later(1)
    assert after(record, ready()[1], at=later(2)).figures.uptime_start == later(1)
    assert record.figures.authenticated_at == later(1)


@pytest.mark.parametrize(
    "event",
    [dropped(), InstanceStopped(**BASE, epoch=1), LoggedOut(**BASE, epoch=1), starting(2), InstanceFailed(**BASE)],
)
def test_whatever_ends_the_readiness_ends_the_uptime(event: Event) -> None:
    assert after(RUNNING, event).figures.uptime_start is None


def test_a_change_of_the_name_ends_no_uptime() -> None:
    rename = InstanceUpdated(instance_id=ID, actor="a", desired=Desired.RUNNING, changed=("name",), display_name="x")
    assert after(RUNNING, rename, at=later(1)).figures.uptime_start == NOW


# ------------------------------------------------------------------------------------------------- errors


def test_failures_in_a_row_count_until_it_is_ready_and_errors_until_they_are_cleared() -> None:
    record = after(RUNNING, dropped(), dropped(code="RATE_LIMITED"), InstanceFailed(**BASE, epoch=1))
    assert (record.figures.consecutive_failures, record.figures.error_count) == (3, 3)
    record = after(record, starting(2), *ready(2))
    assert (record.figures.consecutive_failures, record.figures.error_count) == (0, 3)
    assert [entry.error_type for entry in record.figures.errors] == ["MESSENGER_UNREACHABLE", "RATE_LIMITED", "ERROR"]
    assert len({entry.error_id for entry in record.figures.errors}) == 3
    clear = InstanceUpdated(instance_id=ID, actor="a", desired=Desired.RUNNING, changed=("errors",))
    cleared = after(record, clear, at=later(1))
    assert (cleared.figures.error_count, cleared.figures.errors) == (0, ())
    assert cleared.figures.errors_cleared_at == later(1)
    assert after(cleared, dropped(2)).figures.error_count == 1


def test_what_was_asked_for_is_no_error() -> None:
    reason = Reason(code=ErrorCode.REQUESTED, message="on request", since=NOW)
    for event in (LoggedOut(**BASE, epoch=1, reason=reason), InstanceStopped(**BASE, epoch=1)):
        figures = after(RUNNING, event).figures
        assert (figures.error_count, figures.consecutive_failures, figures.errors) == (0, 0, ())


def test_a_message_that_was_not_sent_is_an_error_but_no_failure_of_the_session() -> None:
    failed = MessageFailed(**OF, id="m", to="1", code="RECIPIENT_BLOCKED", message="blocked")
    record = after(RUNNING, failed)
    assert (record.figures.error_count, record.figures.consecutive_failures) == (1, 0)
    assert record.figures.errors[0].error_type == "RECIPIENT_BLOCKED"
    assert record.status is Status.CLIENT_READY
    assert record.message_stats.sent_count == 0


def test_only_the_newest_errors_are_kept_and_all_are_counted() -> None:
    many = [
        MessageFailed(**OF, id=f"m{number}", to="1", code="NOT_READY", message=str(number))
        for number in range(MAX_ERRORS + 7)
    ]
    figures = after(RUNNING, *many).figures
    assert figures.error_count == len(many)
    assert [entry.error_message for entry in figures.errors] == [str(number) for number in range(7, MAX_ERRORS + 7)]


def test_what_an_older_session_tells_is_no_error_of_this_one() -> None:
    record = after(RUNNING, starting(2), dropped(1))
    assert (record.figures.error_count, record.status) == (0, Status.STARTING)


# --------------------------------------------------------------------------------------------------- keys


def rotated(sha256: str) -> InstanceUpdated:
    return InstanceUpdated(
        instance_id=ID, actor="a", desired=Desired.RUNNING, changed=("api_key",), api_key_sha256=sha256
    )


def calls(sha256: str, number: int, first: datetime, last: datetime) -> ActivityReported:
    return ActivityReported(
        instance_id=ID, api_key_sha256=sha256, api_calls=number, first_call_at=first, last_call_at=last
    )


def test_calls_are_counted_for_the_key_that_was_used_also_after_it_was_replaced() -> None:
    record = after(RUNNING, calls("key-1", 3, NOW, later(1)))
    record = after(record, rotated("key-2"), at=later(2))
    record = after(record, calls("key-1", 2, later(1), later(2)), calls("key-2", 5, later(3), later(4)))
    old, new = record.api_keys
    assert (old.sha256, old.usage_count, old.first_used_at, old.last_used_at) == ("key-1", 5, NOW, later(2))
    assert (new.sha256, new.usage_count, new.first_used_at, new.last_used_at) == ("key-2", 5, later(3), later(4))
    assert (old.created_at, new.created_at) == (NOW, later(2))
    assert record.api_key_sha256 == "key-2"


def test_calls_with_a_key_that_nobody_knows_are_nobodys() -> None:
    assert after(RUNNING, calls("other", 9, NOW, NOW)).api_keys == RUNNING.api_keys


def test_the_same_key_told_twice_is_one_and_the_oldest_keys_are_forgotten() -> None:
    assert len(after(RUNNING, ALLOCATED).api_keys) == 1
    many = after(RUNNING, *(rotated(f"key-{number}") for number in range(2, MAX_KEYS + 5)))
    assert [key.sha256 for key in many.api_keys] == [f"key-{number}" for number in range(5, MAX_KEYS + 5)]


# ------------------------------------------------------------------------------------------------ activity


def test_round_trips_are_counted_and_show_when_it_was_last_seen_alive() -> None:
    seen = ActivityReported(instance_id=ID, epoch=1, health_checks=4, observed_at=later(1))
    record = after(RUNNING, seen)
    assert record.figures.health_check_count == 4
    assert record.observed_at == record.last_seen == later(1)
    late = ActivityReported(instance_id=ID, epoch=1, health_checks=1, observed_at=later(0.5))
    record = after(record, late)
    assert record.figures.health_check_count == 5
    assert record.observed_at == later(1)


def test_activity_changes_neither_status_nor_the_time_of_the_last_change() -> None:
    record = after(RUNNING, calls("key-1", 1, NOW, NOW), at=later(5))
    assert (record.status, record.updated_at, record.instance_seq) == (
        RUNNING.status,
        RUNNING.updated_at,
        RUNNING.instance_seq,
    )
    assert record.event_seq == RUNNING.event_seq + 1


def test_the_audit_changes_nothing() -> None:
    audited = Audited(instance_id=ID, actor="a", action="stop", origin="rest", ok=True)
    assert after(RUNNING, audited) is RUNNING


incoming = MessageReceived(
    **OF, message=IncomingMessage(id="i", chat_id="1", body="hi", timestamp=NOW, contact=Contact(id="1"))
)
sent = MessageSent(**OF, id="m", to="1", messenger_id="9")


@given(st.lists(st.tuples(st.sampled_from([sent, incoming]), st.integers(min_value=0, max_value=30)), max_size=30))
def test_messages_are_counted_in_all_and_for_the_day_they_came_on(told: list[tuple[Event, int]]) -> None:
    record, hours = RUNNING, 0
    days: list[tuple[Event, datetime]] = []
    for event, pause in told:
        hours += pause
        record = after(record, event, at=later(hours))
        days.append((event, later(hours)))
    stats = record.message_stats
    assert stats.sent_count == sum(event is sent for event, _ in days)
    assert stats.received_count == len(days) - stats.sent_count
    last_day = [event for event, at in days if at.date() == days[-1][1].date()]
    assert stats.daily_sent == sum(event is sent for event in last_day)
    assert stats.daily_received == len(last_day) - stats.daily_sent


@given(st.lists(st.sampled_from([sent, incoming, dropped(), calls("key-1", 2, NOW, NOW), *ready()]), max_size=12))
def test_an_event_that_comes_twice_counts_once(told: list[Event]) -> None:
    record = after(RUNNING, *told)
    for seq, event in enumerate(told, RUNNING.event_seq + 1):
        again = fold(record, wrap(event, id=f"e{seq}", source="w", time=NOW), seq)
        assert again is record
