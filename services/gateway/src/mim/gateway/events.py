"""The live stream of status and message events, as Server-Sent Events and over WebSockets, resumable.

One follower of the event stream fills a bounded ring, each event as soon as it shows in the read model, so that who
hears of a change and asks sees it. Every subscriber reads from the ring at its own pace. Who asks
for older events than the ring holds gets them from the stream first; who reads too slowly is let go and resumes with
`Last-Event-ID`. The id of an event is its sequence in the stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakValueDictionary

import aiohttp
import nats.errors
from aiohttp import web
from nats.js import api
from nats.js.errors import APIError

from mim.contracts import subjects
from mim.contracts.api import EventsQuery
from mim.contracts.errors import ErrorCode, MimError
from mim.gateway.access import Access
from mim.gateway.model import ReadModel
from mim.gateway.sse import PING, PING_S, WRITE_S, Streams, bound, gathered, last_event_id, let_go
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.history import last_seq
from mim.runtime.routing import Call, Caller, Handler

RING = 10_000
BATCH = 500
READERS = 16
"""Who may read older events from the stream at a time: after a restart all subscribers come back and ask for some."""
FOLD_S = 1.0
WEBSOCKET_PROTOCOL = "mim.v1"
FAMILIES = ("instance", "message")
"""What subscribers hear of; reports of activity and records of the audit are for the system."""


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

    def text(self) -> str:
        """The event as a WebSocket message: the same three things in one JSON object."""
        return f'{{"id":{self.seq},"event":"{self.name}","data":{self.data.decode()}}}'


Wanted = Callable[[Item], bool]
ALL = ""
"""Of which instance a subscriber hears: any."""


class _Moved(asyncio.Event):
    """Set when there is something new; all that is new comes after `before`."""

    before = 0


class EventStream:
    """Filled by `run`."""

    def __init__(self, bus: Bus, model: ReadModel) -> None:
        self._bus = bus
        self._model = model
        self._ring: deque[Item] = deque(maxlen=RING)
        self._last = self._announced = 0
        self._fresh: set[str] = set()
        # By instance: of thousands of subscribers only those wake up whom an event may concern.
        self._moved: WeakValueDictionary[str, _Moved] = WeakValueDictionary()
        self._reading = asyncio.Semaphore(READERS)
        self.ready = asyncio.Event()

    @property
    def last(self) -> int:
        """The sequence of the last event that was seen: who subscribes hears of those after it."""
        return self._last

    async def run(self, on_item: Callable[[Item], None]) -> None:
        """Follow the stream from now on, for ever."""
        info = await self._bus.surely(lambda: last_seq(self._bus, subjects.EVENTS))
        self._last = self._announced = info
        self.ready.set()
        async for batch in self._bus.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=info):
            if not batch:
                continue
            found = (_item(entry.seq, entry.subject, entry.data or b"{}") for entry in batch)
            items = [item for item in found if item is not None]
            for item in items:
                on_item(item)
            for item in items:
                if not (item.name.startswith("message.") or self._model.is_shown(item.instance_id, item.seq)):
                    self._announce()  # what is in the ring need not wait as well
                    await self._model.shows(item.instance_id, item.seq, FOLD_S)
                self._ring.append(item)
                self._fresh.add(item.instance_id)
                self._last = item.seq
            self._last = batch[-1].seq
            self._announce()

    def _announce(self) -> None:
        for key in (ALL, *self._fresh):
            if (moved := self._moved.pop(key, None)) is not None:
                moved.before = self._announced
                moved.set()
        self._announced = self._last
        self._fresh.clear()

    async def frames(self, after: int, only: str, wanted: Wanted) -> AsyncGenerator[bytes]:
        """What a subscriber is sent as SSE text, for ever."""
        async for items in self.items(after, only):
            if not items:
                yield PING
            for frames in gathered(item.frame() for item in items if wanted(item)):
                yield frames

    async def items(self, after: int, only: str) -> AsyncGenerator[list[Item]]:
        """Batches of events after a sequence, all of the instance `only` among them; an empty one after each PING_S
        seconds of silence."""
        at = after
        while True:
            if at < self._last and (not self._ring or at + 1 < self._ring[0].seq):
                async with self._reading:
                    older = await self._older(at)
                if older:
                    at = older[-1].seq
                    yield older
                    continue
                at = self._ring[0].seq - 1 if self._ring else self._last
            moved = self._moved.setdefault(only, _Moved())
            items = self._newer(at)
            if items:
                at = items[-1].seq
                yield items
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await moved.wait()
            at = max(at, moved.before if moved.is_set() else self._last)
            if not moved.is_set():
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
                        if (item := _item(seq, msg.subject, msg.data)) is not None:
                            found.append(item)
            finally:
                await pull.unsubscribe()
        except nats.errors.TimeoutError:
            return found  # there are no more
        except (nats.errors.Error, APIError, OSError) as error:
            # Going on would leave a gap that the subscriber cannot see; it resumes with the id it has.
            raise ConnectionError("the stream cannot be read now") from error
        return found


def _item(seq: int, subject: str, data: bytes) -> Item | None:
    kind = subject.split(".")[2]
    if kind not in FAMILIES:
        return None
    name = subjects.last_token(subject)
    return Item(seq, name if kind == "instance" else f"message.{name}", subjects.instance_of(subject), data)


class Subscriptions:
    """Handlers for those who watch. Everybody is shown the events of the instances they may see."""

    def __init__(self, events: EventStream, model: ReadModel, access: Access, most: int) -> None:
        self._events = events
        self._model = model
        self._access = access
        self._streams = Streams(most)

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {"events": self.sse, "websocket": self.websocket}

    async def sse(self, call: Call) -> web.StreamResponse:
        """The events as Server-Sent Events."""
        query = http.read_query(call.request, EventsQuery)
        after, wanted = self._after(call.request, query), self._wanted(call.caller, query)
        frames = self._events.frames(after, query.instance_id or ALL, wanted)
        return await self._streams.serve(call.request, frames, lambda: self._access.still_admits(call.caller))

    async def websocket(self, call: Call) -> web.StreamResponse:
        """The events as messages of a WebSocket; what the client says is not looked at."""
        query = http.read_query(call.request, EventsQuery)
        items = self._events.items(self._after(call.request, query), query.instance_id or ALL)
        wanted = self._wanted(call.caller, query)
        socket = web.WebSocketResponse(
            heartbeat=PING_S, protocols=(WEBSOCKET_PROTOCOL,), max_msg_size=4096, compress=False
        )
        if not socket.can_prepare(call.request).ok:
            raise MimError(ErrorCode.BAD_JSON, "this is a WebSocket: connect with 'Upgrade: websocket'")
        self._streams.enter()
        try:
            await socket.prepare(call.request)
            bound(call.request)
            sending = asyncio.create_task(self._send(call, socket, items, wanted))
            async for _ in socket:
                pass
            sending.cancel()
            await asyncio.wait({sending})
        finally:
            self._streams.leave()
        return socket

    async def _send(
        self, call: Call, socket: web.WebSocketResponse, source: AsyncGenerator[list[Item]], wanted: Wanted
    ) -> None:
        try:
            async for items in source:
                if not self._access.still_admits(call.caller):
                    await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, message=b"the credential has ended")
                    return
                for item in items:
                    if wanted(item):
                        async with asyncio.timeout(WRITE_S):
                            await socket.send_str(item.text())
        except TimeoutError:
            let_go(call.request)
        except ConnectionError:
            await socket.close()

    def _after(self, request: web.Request, query: EventsQuery) -> int:
        """After which event to begin. Known before the answer begins, so that nothing is missed from then on."""
        given = last_event_id(request)
        after = query.last_event_id if given is None else given
        return self._events.last if after is None else after

    def _wanted(self, caller: Caller, query: EventsQuery) -> Wanted:
        names = types_wanted(query.types)
        only = query.instance_id
        owners = {owner for owner in (query.user_id, caller.user_id) if owner is not None}

        def wanted(item: Item) -> bool:
            if only is not None and item.instance_id != only:
                return False
            if names and item.name not in names:
                return False
            return not owners or owners == {self._model.owner_of(item.instance_id)}

        return wanted


def types_wanted(given: str) -> frozenset[str]:
    """The `types=` filter: names such as `qr_ready` or `message.sent`, comma-separated."""
    return frozenset(part.strip() for part in given.split(",") if part.strip())
