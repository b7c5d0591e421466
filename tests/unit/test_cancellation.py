"""A cancellation that meets the end of what is waited for is not lost."""

from __future__ import annotations

import asyncio

import nats.aio.client
import pytest

from mim.runtime import cancellation
from mim.runtime.cancellation import wait_for


async def test_a_cancellation_that_meets_the_result_counts() -> None:
    for waits in (wait_for, nats.aio.client.asyncio.wait_for):  # the second is mended, as in every service
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
    for version, is_mended in (((3, 12), False), ((3, 11), True)):
        monkeypatch.setattr(nats.aio.client, "asyncio", asyncio)
        monkeypatch.setattr("sys.version_info", version)
        cancellation.mend()
        assert (nats.aio.client.asyncio.wait_for is wait_for) == is_mended
        assert nats.aio.client.asyncio.sleep is asyncio.sleep
    assert asyncio.wait_for is not wait_for
