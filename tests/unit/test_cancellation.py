"""A cancellation that meets the end of what is waited for is not lost."""

from __future__ import annotations

import asyncio
import asyncio.timeouts
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import nats.aio.client
import pytest

from mim.runtime import cancellation
from mim.runtime.cancellation import wait_for


async def test_a_cancellation_that_meets_the_result_counts() -> None:
    for waits in (wait_for, nats.aio.client.asyncio.wait_for):  # the second is mended, as in every program
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(waits(answer, 5))
        await asyncio.sleep(0)
        answer.set_result("here")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_it_waits_until_the_result_or_the_time() -> None:
    assert await wait_for(asyncio.sleep(0, "here"), 5) == "here"
    assert await wait_for(asyncio.sleep(0, "here"), None) == "here"
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await wait_for(never, 0.01)
    assert never.cancelled()


async def test_without_time_only_what_is_there_counts() -> None:
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    done.set_result("here")
    assert await wait_for(done, 0) == "here"
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await wait_for(never, 0)


async def test_a_timeout_ends_also_what_a_cancelled_task_has_left_to_do() -> None:
    for limit in (cancellation.timeout, asyncio.timeout):  # the second is mended, where it has to be
        said: list[str] = []
        task = asyncio.create_task(_slow_to_end(limit, said))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert said == ["too slow"]


async def _slow_to_end(limit: Callable[[float], AbstractAsyncContextManager[object]], said: list[str]) -> None:
    never = asyncio.Event()
    try:
        await never.wait()
    finally:
        try:
            async with limit(0.01):
                await never.wait()
        except TimeoutError:
            said.append("too slow")


@pytest.mark.parametrize("again", [False, True])
async def test_a_cancellation_during_a_timeout_is_one(again: bool) -> None:
    async def work() -> None:
        try:
            async with cancellation.timeout(60):
                await asyncio.Event().wait()
        finally:
            if again:
                async with cancellation.timeout_at(None):
                    await asyncio.Event().wait()

    task = asyncio.create_task(work())
    for _ in range(1 + again):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_within_another_is_the_inner_ones() -> None:
    never = asyncio.Event()
    async with cancellation.timeout(60) as outer:
        with pytest.raises(TimeoutError):
            async with cancellation.timeout(0) as inner:
                await never.wait()
    assert (inner.expired(), outer.expired()) == (True, False)


def test_only_older_versions_are_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "timeout", asyncio.timeout)
    monkeypatch.setattr(asyncio, "timeout_at", asyncio.timeout_at)
    for version, is_mended, has_timeout in (
        ((3, 12), False, False),
        ((3, 11, 4), True, False),
        ((3, 11, 2), True, True),
    ):
        monkeypatch.setattr(nats.aio.client, "asyncio", asyncio)
        asyncio.timeout, asyncio.timeout_at = asyncio.timeouts.timeout, asyncio.timeouts.timeout_at
        monkeypatch.setattr("sys.version_info", version)
        cancellation.mend()
        assert (nats.aio.client.asyncio.wait_for is wait_for) == is_mended
        assert nats.aio.client.asyncio.sleep is asyncio.sleep
        assert (asyncio.timeout is cancellation.timeout) == has_timeout
        assert (asyncio.timeout_at is cancellation.timeout_at) == has_timeout
    assert asyncio.wait_for is not wait_for
