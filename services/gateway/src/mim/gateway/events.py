"""The live stream of events: Server-Sent Events, resumable (https://html.spec.whatwg.org/#server-sent-events).

One follower of the event stream fills a bounded ring, each event as soon as it shows in the read model, so that who
hears of a change and asks sees it. Every subscriber reads from the ring at its own pace. Who asks
for older events than the ring holds gets them from the stream first; who reads too slowly is let go and resumes with
`Last-Event-ID`. The id of an event is its sequence in the stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import nats.errors
from aiohttp import web
from nats.js import api
from nats.js.errors import APIError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime.bus import Bus
from mim.runtime.http import invalid_fields

RING = 10_000
BATCH = 500
PING_S = 15.0
WRITE_S = 20.0
MAX_SUBSCRIBERS = 2000
FOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One event, ready to be written."""

    seq: int
    name: str
    instance_id: str
    data: bytes

    def frame(self) -> bytes:
        """The event as SSE text."""
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (self.seq, self.name.encode(), self.data)


Wanted = Callable[[Item], bool]
Shows = Callable[[str, int, float], Awaitable[None]]


class EventStream:
    """Filled by `run`."""

    def __init__(self, bus: Bus, shows: Shows) -> None:
        self._bus = bus
        self._shows = shows
        self._ring: deque[Item] = deque(maxlen=RING)
        self._last = 0
        self._moved = asyncio.Event()
        self._subscribers = 0
        self.ready = asyncio.Event()

    async def run(self, on_item: Callable[[Item], None]) -> None:
        """Follow the stream from now on, for ever."""
        info = await self._bus.surely(self._state)
        self._last = info
        self.ready.set()
        async for batch in self._bus.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=info):
            if not batch:
                continue
            items = [_item(entry.seq, entry.subject, entry.data or b"{}") for entry in batch]
            for item in items:
                on_item(item)
            for item in items:
                if not item.name.startswith("message."):
                    await self._shows(item.instance_id, item.seq, FOLD_S)
                self._ring.append(item)
                self._last = item.seq
            self._moved.set()
            self._moved = asyncio.Event()

    async def _state(self) -> int:
        try:
            return (await self._bus.js.stream_info(subjects.EVENTS)).state.last_seq
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the message bus does not answer") from error

    async def serve(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        """Answer with the stream until the client goes. Raises: HttpError, Unavailable before it begins."""
        after = _resume_after(request)
        if self._subscribers >= MAX_SUBSCRIBERS:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"there are {MAX_SUBSCRIBERS} subscribers already", 10)
        self._subscribers += 1
        try:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            await response.write(b"retry: 1000\n: connected\n\n")
            async for items in self._items(self._last if after is None else after):
                frames = b"".join(item.frame() for item in items if wanted(item)) if items else b": ping\n\n"
                if frames:
                    async with asyncio.timeout(WRITE_S):
                        await response.write(frames)
            return response
        except (TimeoutError, ConnectionError):
            return response
        finally:
            self._subscribers -= 1

    async def _items(self, after: int) -> AsyncIterator[list[Item]]:
        """Batches of events after a sequence; an empty one every PING_S seconds of silence."""
        at = after
        while True:
            if at < self._last and (not self._ring or at + 1 < self._ring[0].seq):
                older = await self._older(at)
                if older:
                    at = older[-1].seq
                    yield older
                    continue
                at = self._ring[0].seq - 1 if self._ring else self._last
            moved = self._moved
            items = self._newer(at)
            if items:
                at = items[-1].seq
                yield items
                continue
            try:
                async with asyncio.timeout(PING_S):
                    await moved.wait()
            except TimeoutError:
                yield []

    def _newer(self, after: int) -> list[Item]:
        if not self._ring or self._ring[-1].seq <= after:
            return []
        found: deque[Item] = deque()
        for item in reversed(self._ring):
            if item.seq <= after:
                break
            found.appendleft(item)
        return list(found)[:BATCH]

    async def _older(self, after: int) -> list[Item]:
        """Up to BATCH events from the stream itself, before what the ring holds."""
        until = self._ring[0].seq if self._ring else self._last + 1
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=30.0,
        )
        found: list[Item] = []
        try:
            pull = await self._bus.js.pull_subscribe(subjects.ALL_EVENTS, stream=subjects.EVENTS, config=config)
            try:
                while len(found) < BATCH:
                    for msg in await pull.fetch(100, timeout=1.0):
                        seq = msg.metadata.sequence.stream
                        if seq >= until:
                            return found
                        found.append(_item(seq, msg.subject, msg.data))
            finally:
                await pull.unsubscribe()
        except nats.errors.TimeoutError:
            return found  # there are no more
        except (nats.errors.Error, APIError, OSError) as error:
            # Going on would leave a gap that the subscriber cannot see; it resumes with the id it has.
            raise ConnectionError("the stream cannot be read now") from error
        return found


def _item(seq: int, subject: str, data: bytes) -> Item:
    kind = subject.split(".")[2]
    name = subjects.last_token(subject)
    return Item(seq, name if kind == "instance" else f"message.{name}", subjects.instance_of(subject), data)


def _resume_after(request: web.Request) -> int | None:
    given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id")
    if given is None:
        return None
    if not given.isdigit() or len(given) > 18:
        raise invalid_fields([("Last-Event-ID", "must be the id of an event, a whole number")])
    return int(given)


def types_wanted(given: str) -> frozenset[str]:
    """The `types=` filter: names such as `qr_ready` or `message.sent`, comma-separated."""
    return frozenset(part.strip() for part in given.split(",") if part.strip())
