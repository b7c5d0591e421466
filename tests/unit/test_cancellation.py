"""A cancellation that meets the end of what is waited for is not lost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from mim.runtime import cancellation
from mim.runtime.cancellation import wait_for


async def test_a_cancellation_that_meets_the_result_counts() -> None:
    for waits in (wait_for, asyncio.wait_for):  # the second is mended, as in every service
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


def test_only_older_versions_are_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(wait_for=None)
    monkeypatch.setattr("sys.version_info", (3, 12))
    cancellation.mend(module)
    assert module.wait_for is None
    monkeypatch.setattr("sys.version_info", (3, 11))
    cancellation.mend(module)
    assert module.wait_for is wait_for
