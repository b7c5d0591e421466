"""Waits between tries: they double, are jittered, are bounded and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.runtime.backoff import BUS_RETRY, RECONNECT, Backoff

chances = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_without_luck_in_either_direction_waits_double_up_to_the_bound() -> None:
    waits = [Backoff(first_s=1, most_s=60).wait_s(attempt, 0, 0.5) for attempt in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@given(attempt=st.integers(1, 10**9), chance=chances)
def test_a_wait_stays_within_bound_and_jitter(attempt: int, chance: float) -> None:
    wait = RECONNECT.wait_s(attempt, 0, chance)
    assert wait is not None
    plain = min(60.0, 2.0 ** min(attempt - 1, 40))
    assert plain * 0.8 <= wait <= plain * 1.2


@given(attempt=st.integers(1, 100), one=chances, other=chances)
def test_more_chance_never_means_a_shorter_wait(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (RECONNECT.wait_s(attempt, 0, low) or 0) <= (RECONNECT.wait_s(attempt, 0, high) or 0)


def test_after_the_end_there_is_no_more_try() -> None:
    assert RECONNECT.wait_s(50, 86_399.9, 0.5) is not None
    assert RECONNECT.wait_s(50, 86_400, 0.5) is None


@given(attempt=st.integers(1, 10**6), failing_s=st.floats(0, 1e12))
def test_the_bus_is_never_given_up(attempt: int, failing_s: float) -> None:
    wait = BUS_RETRY.wait_s(attempt, failing_s, 0.5)
    assert wait is not None
    assert 0.1 <= wait <= 2.0


@pytest.mark.parametrize(
    "knobs",
    [{"first_s": 0}, {"first_s": -1}, {"first_s": 61}, {"jitter": 1}, {"jitter": -0.1}, {"give_up_s": 0}],
)
def test_senseless_knobs_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="first_s"):
        Backoff(**knobs)
