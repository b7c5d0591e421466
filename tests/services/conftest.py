"""What the tests of bus-facing parts share: tasks that end with the test, and ways to wait for what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import pytest

from mim.contracts import subjects
from mim.contracts.messages import CloudEvent, Event, unwrap
from mim.runtime.bus import Bus
from mim.runtime.flow import Entry

Item = TypeVar("Item")
Background = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
DEADLINE_S = 15.0


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    """`background(coroutine)` runs it until the test ends."""
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(work))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Story(Generic[Item]):
    """All that has happened so far, in order; `until` waits for more."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._moved = asyncio.Event()

    def add(self, item: Item) -> None:
        self.items.append(item)
        self._moved.set()

    async def until(self, done: Callable[[list[Item]], bool], timeout_s: float = DEADLINE_S) -> list[Item]:
        """Wait until `done(items)`; fails with what there is after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not done(self.items):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            pytest.fail(f"it did not happen within {timeout_s:g} s; what did: {self.items[-20:]}")
        return self.items


@pytest.fixture
async def entries(bus: Bus, background: Background) -> Callable[[str, str], Story[Entry]]:
    """`entries(stream, subject)` is the story of what is stored there, from the beginning."""

    def of(stream: str, subject: str) -> Story[Entry]:
        story: Story[Entry] = Story()

        async def follow() -> None:
            async for batch in bus.follow(stream, subject, after=0):
                for entry in batch:
                    story.add(entry)

        background(follow())
        return story

    return of


@pytest.fixture
async def events(bus: Bus, background: Background) -> Story[CloudEvent[Event]]:
    """The story of all events, status and message."""
    story: Story[CloudEvent[Event]] = Story()

    async def follow() -> None:
        async for batch in bus.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=0):
            for entry in batch:
                envelope = unwrap(entry.data or b"")
                assert envelope is not None
                story.add(envelope)

    background(follow())
    return story


Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def eventually() -> Eventually:
    """Ask the server until it says yes: for the few things that it does not announce."""

    async def ask(question: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not await question():
                pass  # the question itself waits for the server's answer

    return ask
