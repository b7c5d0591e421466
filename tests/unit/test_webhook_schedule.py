"""When deliveries are tried again, what answers mean, and when a target is left in peace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.webhooks.breaker import OPEN, THRESHOLD, Breaker
from mim.webhooks.schedule import MOST_RETRY_AFTER_S, WAITS_S, Verdict, judge, retry_after_s, wait_s

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
chances = st.floats(min_value=0, max_value=1, exclude_max=True)


# -------------------------------------------------------------------------------------------------- schedule


def test_without_luck_the_waits_are_those_of_the_specification() -> None:
    assert WAITS_S[0] == 0
    hour = 3600
    assert [wait_s(tries, 0.5) for tries in range(1, 8)] == [
        *(5, 300, 1800),
        *(2 * hour, 5 * hour, 10 * hour, 10 * hour),
    ]
    assert wait_s(8, 0.5) is None


@given(tries=st.integers(1, 100), chance=chances)
def test_waits_stay_near_the_plan_and_end(tries: int, chance: float) -> None:
    wait = wait_s(tries, chance)
    if tries >= len(WAITS_S):
        assert wait is None
    else:
        assert wait is not None
        assert 0.9 * WAITS_S[tries] <= wait <= 1.1 * WAITS_S[tries]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_one(status: int) -> None:
    assert judge(status) is Verdict.DELIVERED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422, 301, 308, 501])
def test_what_no_repetition_changes_is_not_repeated(status: int) -> None:
    assert judge(status) is Verdict.NEVER


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 302, 307])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert judge(status) is Verdict.RETRY


@given(status=st.integers(100, 999))
def test_every_answer_means_something(status: int) -> None:
    assert (judge(status) is Verdict.DELIVERED) == (200 <= status < 300)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0), ("120", 120), (" 7 ", 7), ("999999999999999", MOST_RETRY_AFTER_S)),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), MOST_RETRY_AFTER_S),
        *((None, None), ("", None), ("-5", None), ("1.5", None), ("soon", None), ("٣", None)),
    ],
)
def test_a_request_to_wait_is_read_and_bounded(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(value=st.text(max_size=60))
def test_whatever_the_header_holds_the_wait_is_bounded(value: str) -> None:
    assert 0 <= (retry_after_s(value, NOW) or 0) <= MOST_RETRY_AFTER_S


# ------------------------------------------------------------------------------- leaving a target in peace

steps = st.lists(st.tuples(st.sampled_from(["ok", "fail"]), st.floats(0, 2000), chances), max_size=60)


@given(steps=steps)
def test_a_breaker_opens_after_failures_in_a_row_and_never_for_longer_than_its_bound(
    steps: list[tuple[str, float, float]],
) -> None:
    breaker, now, row = Breaker(), NOW, 0
    for what, later_s, chance in steps:
        now += timedelta(seconds=later_s)
        row = 0 if what == "ok" else row + 1
        breaker = breaker.succeeded() if what == "ok" else breaker.failed(now, chance)
        rests = breaker.rests_until(now)
        assert (rests is not None) == (row >= THRESHOLD)
        if rests is not None:
            assert timedelta(0) < rests - now <= timedelta(seconds=OPEN.most_s * (1 + OPEN.jitter))
            assert breaker.rests_until(rests) is None, "then one try may go through"


@given(chance=chances)
def test_each_failed_probe_doubles_the_rest_and_a_good_one_closes(chance: float) -> None:
    breaker, now, rests = Breaker(failures=THRESHOLD - 1), NOW, []
    for _ in range(3):
        breaker = breaker.failed(now, chance)
        until = breaker.rests_until(now)
        assert until is not None
        rests.append((until - now).total_seconds())
        now = until
    assert rests[1] == pytest.approx(2 * rests[0])
    assert rests[2] == pytest.approx(4 * rests[0])
    assert breaker.succeeded().failed(now, chance).rests_until(now) is None


@given(first_s=st.floats(0, 4000), second_s=st.floats(0, 4000))
def test_the_later_of_two_requests_to_wait_counts(first_s: float, second_s: float) -> None:
    first, second = (NOW + timedelta(seconds=each) for each in (first_s, second_s))
    assert Breaker().asked_to_wait(first).asked_to_wait(second).until == max(first, second)
