"""A bus, a clock and processes in one thread, so that a test decides what happens when, and anything can go wrong.

Every process has an event loop of its own that runs only when it is let: it can be frozen or killed between any two of
its awaits. What it asks of the bus waits until it is served, in its order, and may be lost before or after it was done.
What it follows it hears when it is served. Time passes only when the test says so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime.bus import PUBLISH_TIMEOUT_S, SILENT, Bus, Conflict
from mim.runtime.flow import Entry

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
MOST_TURNS = 10_000
"""How often a loop may turn without a wait: more would be for ever."""
URGENT = ("KV_workers",)
LATER = object()
"""What a call comes to whose answer is one more call, of another process."""
LOST = Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT)


class Clock:
    """Seconds since the begin; monotonic."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def utc(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now_s)


class _Loop(asyncio.BaseEventLoop):
    """A loop without I/O, whose time is the clock's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._selector = SimpleNamespace(select=lambda _timeout: ())
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]
        self.set_exception_handler(lambda _loop, _context: None)  # what is killed ends in the middle of something

    def time(self) -> float:
        return self._clock.now_s

    def run_in_executor(self, _executor: object, act: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """At once: a real thread would take real time, and a busy machine would play another play."""
        done = self.create_future()
        try:
            done.set_result(act(*args))
        except Exception as error:  # noqa: BLE001 - for whoever waits
            done.set_exception(error)
        return done

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, events: object) -> None:
        pass

    def run_ready(self) -> None:
        """Run until everything waits."""
        for _ in range(MOST_TURNS):
            if not self._ready and not self._is_due():
                return
            self.call_soon(self.stop)
            self.run_forever()
        raise AssertionError("a process never waits")

    def _is_due(self) -> bool:
        return bool(self._scheduled) and self._scheduled[0].when() <= self.time()


@dataclass
class Call:
    """Something asked of the bus; `answer` is where its outcome goes."""

    act: Callable[[], object]
    answer: asyncio.Future[Any]
    urgent: bool = False


@dataclass
class Feed:
    """What one reader has heard of a stream."""

    stream: str
    pattern: str
    heard: int
    waiting: asyncio.Future[list[Entry]] | None = None
    is_told: bool = False


@dataclass
class Server:
    """The streams and buckets. A bucket keeps the newest message of each subject only."""

    streams: dict[str, dict[int, Entry]] = field(default_factory=dict)
    last_seq: dict[str, int] = field(default_factory=dict)
    seen_ids: dict[str, int] = field(default_factory=dict)
    published: Callable[[str, Entry], None] = lambda _stream, _entry: None

    def publish(self, subject: str, data: bytes | None, msg_id: str | None, expect: tuple[str, int] | None) -> int:
        if msg_id is not None and msg_id in self.seen_ids:
            return self.seen_ids[msg_id]
        stream = f"KV_{subject.split('.')[1]}" if subject.startswith("$KV.") else "EVENTS"
        entries = self.streams.setdefault(stream, {})
        if expect is not None and expect[1] != max(self.find(stream, expect[0]), default=0):
            raise Conflict
        if stream != "EVENTS":
            for former in self.find(stream, subject):
                del entries[former]
        seq = self.last_seq[stream] = self.last_seq.get(stream, 0) + 1
        entries[seq] = Entry(seq, subject, data)
        if msg_id is not None:
            self.seen_ids[msg_id] = seq
        self.published(stream, entries[seq])
        return seq

    def find(self, stream: str, pattern: str, after: int = 0) -> list[int]:
        """Sequences of the messages after one of a subject; `*` stands for one token, `>` for the rest."""
        entries = self.streams.get(stream, {})
        return [seq for seq in entries if seq > after and _fits(entries[seq].subject, pattern)]

    def last(self, stream: str, subject: str) -> tuple[bytes | None, int]:
        found = self.find(stream, subject)
        return (self.streams[stream][found[-1]].data, found[-1]) if found else (None, 0)

    def keys(self, bucket: str) -> dict[str, bytes]:
        """What a bucket holds."""
        prefix = f"$KV.{bucket}."
        entries = self.streams.get(f"KV_{bucket}", {}).values()
        return {entry.subject.removeprefix(prefix): entry.data for entry in entries if entry.data is not None}

    def news(self, feed: Feed) -> list[Entry]:
        if self.last_seq.get(feed.stream, 0) == feed.heard:
            return []
        return [self.streams[feed.stream][seq] for seq in self.find(feed.stream, feed.pattern, feed.heard)]


@lru_cache(maxsize=10_000)
def _fits(subject: str, pattern: str) -> bool:
    if subject == pattern:
        return True
    tokens, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        tokens, wanted = tokens[: len(wanted) - 1], wanted[:-1]
    return len(tokens) == len(wanted) and all(want in ("*", token) for token, want in zip(tokens, wanted, strict=True))


class Process:
    """One process of the system. `cut` means: cut off from the bus."""

    def __init__(self, name: str, clock: Clock, server: Server, folder: Path) -> None:
        self.name = name
        self.loop = _Loop(clock)
        self.calls: deque[Call] = deque()
        self.feeds: list[Feed] = []
        self.alive = True
        self.frozen = self.cut = False
        self.bus = SimulatedBus(self, clock, server, folder)
        self._server = server
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have something done in this process."""
        task = self.loop.create_task(work)
        self._tasks.append(task)
        return task

    def run(self) -> None:
        """Let it run until everything in it waits. Raises: what ended one of its tasks."""
        if self.alive and not self.frozen:
            self.loop.run_ready()
            for task in [task for task in self._tasks if task.done()]:
                self._tasks.remove(task)
                if not task.cancelled() and not isinstance(task.exception(), (Unavailable, type(None))):
                    task.result()

    def kill(self) -> None:
        """`kill -9`: nothing of it runs any more, not even what tidies up."""
        self.alive = False
        self.calls.clear()
        self.feeds.clear()

    def bury(self) -> None:
        """At the very end: let go of everything without a word."""
        self.alive = False
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_ready()
        self.loop.close()

    def channels(self) -> list[Callable[[], None]]:
        """What could be served next: its oldest call, and each of its feeds that has news."""
        if not self.alive or self.cut:
            return []
        found: list[Callable[[], None]] = [self.serve_call] if self.calls else []
        if not self.frozen:
            found += [lambda feed=feed: self.serve_feed(feed) for feed in self.feeds if self.has_news(feed)]  # type: ignore[misc]
        return found

    def has_news(self, feed: Feed) -> bool:
        return feed.waiting is not None and (not feed.is_told or bool(self._server.news(feed)))

    def serve_call(self) -> None:
        """Do the oldest call and answer it."""
        _serve(self.calls.popleft())

    def lose_call(self, *, done: bool) -> None:
        """The oldest call gets no answer; it may have been done."""
        call = self.calls.popleft()
        if done:
            with suppress(Conflict):
                call.act()
        _fail(call.answer, LOST)

    def serve_feed(self, feed: Feed) -> None:
        news, waiting, feed.waiting = self._server.news(feed), feed.waiting, None
        assert waiting is not None
        feed.is_told = True
        feed.heard = news[-1].seq if news else feed.heard
        if not waiting.done():
            waiting.set_result(news)

    def serve_urgent(self) -> None:
        """Heartbeats and proofs of life, which take no detours: of them everybody knows how old they are."""
        if not self.alive or self.cut:
            return
        for call in [call for call in self.calls if call.urgent]:
            self.calls.remove(call)
            _serve(call)
        for feed in self.feeds:
            if feed.stream in URGENT and not self.frozen and self.has_news(feed):
                self.serve_feed(feed)


def _serve(call: Call) -> None:
    try:
        result = call.act()
    except Conflict as error:
        _fail(call.answer, error)
    else:
        if result is not LATER and not call.answer.done():
            call.answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class SimulatedBus(Bus):
    """A process's connection to the server."""

    def __init__(self, process: Process, clock: Clock, server: Server, folder: Path) -> None:
        super().__init__(SimpleNamespace(), process.name, folder)  # type: ignore[arg-type]
        self._process, self._clock, self._server = process, clock, server
        self.ask: Callable[[str, bytes, asyncio.Future[bytes]], object]
        self.process.memory_bytes = 1

    @property
    def connected(self) -> bool:
        return True  # a connection that was cut shows by silence first

    def now(self) -> datetime:
        return self._clock.utc()

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        msg_id: str | None = None,
        expect: tuple[str, int] | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        data = None if headers and "KV-Operation" in headers else payload
        urgent = subject.startswith("$KV.workers.") or subject.endswith("._fold")
        return int(await self._call(lambda: self._server.publish(subject, data, msg_id, expect), urgent=urgent))

    async def last(self, stream: str, subject: str, *, of_leader: bool = False) -> tuple[bytes | None, int]:
        del of_leader  # here are no others
        found: tuple[bytes | None, int] = await self._call(lambda: self._server.last(stream, subject))
        return found

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._process.calls.append(Call(lambda: self.ask(subject, payload, answer), answer))
        return bytes(await _within(answer, timeout_s))

    async def _call(self, act: Callable[[], object], *, urgent: bool = False) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self._process.calls.append(Call(act, answer, urgent))
        return await _within(answer, PUBLISH_TIMEOUT_S)

    async def follow(self, stream: str, subject: str, *, after: int | None) -> AsyncIterator[list[Entry]]:
        feed = Feed(stream, subject, after or 0)
        self._process.feeds.append(feed)
        while True:
            feed.waiting = asyncio.get_running_loop().create_future()
            news = await feed.waiting
            if news:
                yield news
            yield []


async def _within(answer: asyncio.Future[Any], timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from None
