"""The token bucket: no caller gets more than its share, none waits longer than it is told, none pays for another."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.runtime.ratelimit import MAX_CALLERS, RateLimit

Acts = list[tuple[float, str]]
limits = st.integers(min_value=1, max_value=600)
acts = st.lists(st.tuples(st.floats(min_value=0, max_value=90, allow_nan=False), st.sampled_from("abc")), max_size=60)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(limits, acts)
def test_no_window_admits_more_than_a_full_bucket_and_what_flows_in_meanwhile(per_minute: int, played: Acts) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock)
    admitted: defaultdict[str, list[float]] = defaultdict(list)
    for pause, key in played:
        clock.now += pause
        allowance = limit.take(key)
        assert allowance is not None
        if allowance.retry_after_s == 0:
            admitted[key].append(clock.now)
    for times in admitted.values():
        for first, begin in enumerate(times):
            for last in range(first, len(times)):
                assert last - first + 1 <= per_minute + (times[last] - begin) * per_minute / 60 + 1e-6


@given(limits, acts)
def test_who_waits_as_long_as_told_is_admitted(per_minute: int, played: Acts) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock)
    for pause, key in played:
        clock.now += pause
        allowance = limit.take(key)
        assert allowance is not None
        assert 0 <= allowance.remaining <= per_minute
        assert 0 <= allowance.reset_s <= 60
        if allowance.retry_after_s:
            clock.now += allowance.retry_after_s
            again = limit.take(key)
            assert again is not None
            assert again.retry_after_s == 0


@given(limits, acts)
def test_callers_do_not_pay_for_each_other(per_minute: int, played: Acts) -> None:
    clock = Clock()
    together, alone = RateLimit(per_minute, clock), RateLimit(per_minute, clock)
    for pause, key in played:
        clock.now += pause
        allowance = together.take(key)
        if key == "a":
            assert allowance == alone.take("a")


def test_a_burst_is_the_whole_minute_and_then_one_call_comes_in_at_a_time() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    burst = [limit.take("a") for _ in range(61)]
    assert [allowance.retry_after_s for allowance in burst if allowance] == [0] * 60 + [1]
    clock.now += 1
    one, next_one = limit.take("a"), limit.take("a")
    assert one is not None
    assert next_one is not None
    assert (one.retry_after_s, next_one.retry_after_s) == (0, 1)


def test_refused_calls_cost_nothing() -> None:
    clock = Clock()
    limit = RateLimit(1, clock)
    limit.take("a")
    for _ in range(100):
        assert (refused := limit.take("a")) is not None
        assert refused.retry_after_s == 60
    clock.now += 60
    assert (admitted := limit.take("a")) is not None
    assert admitted.retry_after_s == 0


def test_no_limit_tells_nothing() -> None:
    assert [RateLimit(0, Clock()).take("a") for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("calls", [1, 5, 10, 11])
def test_the_fields_say_the_limit_what_is_left_and_when_it_is_full_again(calls: int) -> None:
    limit = RateLimit(10, Clock())
    allowance = [limit.take("a") for _ in range(calls)][-1]
    assert allowance is not None
    headers = allowance.headers()
    assert headers["RateLimit-Policy"] == '"minute";q=10;w=60'
    assert (found := re.fullmatch(r'"minute";r=(\d+);t=(\d+)', headers["RateLimit"])) is not None
    left = max(0, 10 - calls)
    assert (int(found[1]), int(found[2])) == (left, (10 - left) * 6)


def test_the_callers_that_are_remembered_are_limited_and_the_longest_silent_one_goes_first() -> None:
    limit = RateLimit(1, Clock())
    limit.take("old")
    limit.take("busy")
    for number in range(MAX_CALLERS - 1):
        limit.take(f"caller {number}")
    assert (busy := limit.take("busy")) is not None
    assert busy.retry_after_s > 0
    assert (old := limit.take("old")) is not None
    assert old.retry_after_s == 0
