"""How events are gathered into batches on their way into a database."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from nats.js import api

from mim.runtime import intake
from mim.runtime.intake import BATCH, Batch, Intake


def arriving(seq: int) -> Any:
    async def ack() -> None:
        """Nobody listens."""

    return SimpleNamespace(metadata=SimpleNamespace(sequence=SimpleNamespace(stream=seq)), ack=ack)


@pytest.mark.parametrize(("first", "pauses"), [(1, 1), (BATCH, 0)])
async def test_what_comes_while_others_are_awaited_shares_a_batch_and_a_full_one_awaits_nobody(
    monkeypatch: pytest.MonkeyPatch, first: int, pauses: int
) -> None:
    taken: asyncio.Queue[list[int]] = asyncio.Queue()
    asked: list[float] = []
    paused, go_on = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        paused.set()
        await go_on.wait()

    async def take(batch: Batch) -> None:
        taken.put_nowait([seq for seq, _ in batch])

    monkeypatch.setattr(intake.asyncio, "sleep", sleep)
    given = Intake(SimpleNamespace(), api.ConsumerConfig(), take, lambda _lag: None, gather_s=7.0)  # type: ignore[arg-type]
    running = asyncio.create_task(given.run())
    try:
        async with asyncio.timeout(30):
            for seq in range(first):
                await given._arrive(arriving(seq))
            assert await taken.get() == list(range(first))
            if pauses:
                await paused.wait()
            for seq in (first, first + 1):
                await given._arrive(arriving(seq))
            assert (asked, taken.empty()) == ([7.0] * pauses, True)
            go_on.set()
            assert await taken.get() == [first, first + 1]
    finally:
        running.cancel()
