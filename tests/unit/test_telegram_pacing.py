"""The pacer keeps to Telegram's limits whatever is sent when, and never waits longer than it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.telegram_adapter.pacing import Limit, Pacer

CHATS = ["1", "2", "-3", "@channel"]
# What a caller does: pause so many seconds, then send to that chat.
STEPS = st.lists(st.tuples(st.floats(0, 5), st.sampled_from(CHATS)), max_size=120)


def send_all(pacer: Pacer, steps: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """When each message went out; a caller asks again after exactly the wait it was told."""
    now, sent = 0.0, []
    for pause_s, chat in steps:
        now += pause_s
        for _ in range(10):
            wait_s = pacer.take(chat, now)
            if wait_s == 0:
                break
            now += wait_s
        else:
            pytest.fail("told to wait again and again")
        sent.append((now, chat))
    return sent


def most_within(times: list[float], window_s: float) -> int:
    return max((sum(start <= time <= start + window_s for time in times) for start in times), default=0)


@given(STEPS)
def test_no_window_holds_more_than_telegram_allows(steps: list[tuple[float, str]]) -> None:
    sent = send_all(Pacer(), steps)
    assert most_within([time for time, _ in sent], 1 - 1e-3) <= 30
    for chat in CHATS:
        times = [time for time, to in sent if to == chat]
        assert most_within(times, 10 - 1e-3) <= 3 + 10
        if chat.startswith(("-", "@")):
            assert most_within(times, 60 - 1e-3) <= 20


@given(STEPS)
def test_a_wait_is_never_longer_than_one_token_takes(steps: list[tuple[float, str]]) -> None:
    pacer, now = Pacer(), 0.0
    for pause_s, chat in steps:
        now += pause_s
        assert 0 <= pacer.take(chat, now) <= 60 / 15 + 1e-6


@given(st.sampled_from(CHATS), st.floats(0, 1e9))
def test_a_single_message_never_waits(chat: str, now: float) -> None:
    assert Pacer().take(chat, now) == 0


def test_a_chat_gets_a_short_burst_and_then_one_a_second() -> None:
    pacer = Pacer(bot=Limit(rate=1000, burst=1000))
    assert [pacer.take("1", 0) for _ in range(3)] == [0, 0, 0]
    assert pacer.take("1", 0) == pytest.approx(1)
    assert pacer.take("2", 0) == 0
    assert pacer.take("1", 1) == 0


def test_a_group_gets_fifteen_a_minute_in_the_long_run() -> None:
    sent = send_all(Pacer(), [(0.0, "-3")] * 65)
    assert sent[-1][0] == pytest.approx(60 * 4, abs=1)


def test_a_message_that_must_wait_takes_no_token_elsewhere() -> None:
    pacer = Pacer(bot=Limit(rate=1, burst=4))
    for _ in range(20):
        pacer.take("1", 0)
    assert pacer.take("2", 0) == 0


def test_a_held_chat_is_held_alone_until_its_time() -> None:
    pacer = Pacer()
    pacer.hold("1", until=30)
    pacer.hold("1", until=20)
    assert pacer.held("1", now=10) == 20
    assert pacer.held("2", now=10) == 0
    assert pacer.held("1", now=30) == 0


def test_idle_chats_are_forgotten() -> None:
    pacer = Pacer(bot=Limit(rate=1e6, burst=1))
    for number in range(5_000):
        pacer.take(str(number), now=number * 10.0)
    assert len(pacer._full_at) < 1_100


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_limit_that_would_never_let_anything_through_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="needs a rate"):
        Limit(rate, burst)
