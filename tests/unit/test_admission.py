"""Who may connect, and who waits: places are bounded, given in order, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.runtime import admission
from mim.runtime.admission import Admission, Doors, Place, Turn, is_news

LONG_S = 60.0


async def nobody(place: int) -> None:
    raise AssertionError(f"told {place}, but nobody has to wait for long here")


async def entering(admission: Admission, tell: Callable[[int], Awaitable[None]] = nobody) -> asyncio.Task[Place]:
    """Someone who asks for a place, and has asked when this returns."""
    task = asyncio.create_task(admission.enter(tell))
    await asyncio.sleep(0)
    return task


@given(st.integers(1, 100_000))
def test_however_many_wait_each_tells_its_place_a_few_times(first: int) -> None:
    told: int | None = None
    times = 0
    for place in range(first, 0, -1):
        if is_news(place, told):
            told, times = place, times + 1
    assert times <= first.bit_length()


@given(st.lists(st.sampled_from(["enter", "leave", "cancel"]), max_size=60), st.integers(1, 4))
def test_places_are_never_more_than_there_are_nor_lost(acts: list[str], places: int) -> None:
    async def play() -> None:
        admission, inside, waiting = Admission(places, LONG_S), list[Place](), list[asyncio.Task[Place]]()
        for act in acts:
            if act == "enter":
                waiting.append(await entering(admission))
            elif act == "leave" and inside:
                inside.pop(0).leave()
            elif act == "cancel" and waiting:
                waiting.pop(len(waiting) // 2).cancel()
            for _ in range(3):
                await asyncio.sleep(0)
            came = [task for task in waiting if task.done()]
            assert came == waiting[: len(came)], "somebody went before who came first"
            inside += [task.result() for task in came]
            waiting = waiting[len(came) :]
            assert len(inside) <= places
            assert len(waiting) == admission.waiting
            assert not waiting or len(inside) == places, "there is room, and somebody waits"
        for place in inside:
            place.leave()
            place.leave()  # more than once is harmless
        for task in waiting:
            (await task).leave()
        again = [await entering(admission) for _ in range(places + 1)]
        await asyncio.wait(again[:-1])
        assert not again[-1].done()
        again[-1].cancel()
        for task in again[:-1]:
            task.result().leave()

    asyncio.run(play())


async def test_who_is_given_a_place_and_goes_at_the_same_moment_leaves_it_to_the_next() -> None:
    admission = Admission(1, LONG_S)
    first = await admission.enter(nobody)
    second, third = await entering(admission), await entering(admission)
    first.leave()
    second.cancel()
    async with asyncio.timeout(5):
        (await third).leave()
    assert second.cancelled()


async def test_who_never_gets_there_gives_the_place_back_by_a_deadline() -> None:
    admission = Admission(1, 0.01)
    async with asyncio.timeout(5):
        stuck = [await admission.enter(nobody) for _ in range(5)]
    stuck[0].leave()  # much later: nobody else loses a place by it
    for place in stuck:
        place.leave()
    await admission.enter(nobody)
    blocked = await entering(admission)
    assert not blocked.done()
    blocked.cancel()


async def test_who_waits_for_long_is_told_where_and_when_its_turn_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "TOLD_AFTER_S", 0.01)
    monkeypatch.setattr(admission, "TOLD_EVERY_S", 0.01)
    line, told = Admission(1, LONG_S), asyncio.Queue[int]()
    place = await line.enter(nobody)
    before = [await entering(line, lambda _: asyncio.sleep(0)) for _ in range(5)]
    last = asyncio.create_task(line.enter(told.put))
    async with asyncio.timeout(5):
        assert await told.get() == 6
        for task in before:
            place.leave()
            place = await task
        news = [await told.get()]
        place.leave()
        await last
        while news[-1] != 0:
            news.append(await told.get())
    assert news == sorted(news, reverse=True)
    assert told.empty()


async def test_linking_has_places_of_its_own_and_keeps_one_until_the_history_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "SETTLE_S", 0.05)
    doors = Doors(Admission(1, LONG_S), Admission(1, LONG_S))

    async def tell(what: str, place: int) -> None:
        raise AssertionError((what, place))

    linked, next_to_link, connects = (Turn(doors, tell) for _ in range(3))
    await linked.connect()
    await linked.link()
    linked.asked()  # a QR code is shown
    async with asyncio.timeout(5):
        await connects.connect()  # whoever only connects does not wait for people
        connects.ready()
        await next_to_link.connect()
        waits = asyncio.create_task(next_to_link.link())
        await connects.connect()
        assert doors.waiting == 1
        linked.ready()
        linked.end()
        assert doors.waiting == 1
        await waits
        next_to_link.end()
    assert doors.waiting == 0
