"""Who may connect now, and who waits: of a thousand instances that start together, or come back together when their
messenger was away, a worker connects so many at a time, in the order in which they came.

A place covers connecting only, and is given back after `hold_s` at the latest: an instance that never gets there, or
breaks off again and again, delays the others by no more than that.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from mim.contracts.states import Provider
from mim.runtime.settings import Settings

CONNECT_HOLD_S = 20.0
LINK_HOLD_S = 300.0
"""A person has 160 s to scan a QR code; then the account connects."""
SETTLE_S = 15.0
"""How long a place to link is held after the account is ready: then the messenger sends its history."""
TOLD_AFTER_S = 2.0
TOLD_EVERY_S = 5.0


def is_news(place: int, told: int | None) -> bool:
    """Whether an instance that is `place`-th in the queue, and last told that it is `told`-th, shall tell it again: at
    first, and when half of those before it are gone. A few events for each, however many wait."""
    return told is None or place <= told // 2


class Place:
    """Leave to connect; it ends with `leave`, or by itself after `hold_s`."""

    def __init__(self, hold_s: float, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back
        self._timer = asyncio.get_running_loop().call_later(hold_s, self.leave)

    def leave(self, after_s: float = 0.0) -> None:
        """Give the place to the next, now or in a while. More than once is harmless."""
        self._timer.cancel()
        if after_s:
            self._timer = asyncio.get_running_loop().call_later(after_s, self.leave)
            return
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    turn: asyncio.Future[Place] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission:
    """`places` at a time, each held for at most `hold_s`."""

    def __init__(self, places: int, hold_s: float) -> None:
        self._free = places
        self._hold_s = hold_s
        self._queue: list[_Waiting] = []
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    async def enter(self, tell: Callable[[int], Awaitable[None]]) -> Place:
        """Wait for a place. Whoever waits for long is told which in the queue it is, from 1, and 0 at the end."""
        if self._free > 0:
            self._free -= 1
            return Place(self._hold_s, self._next)
        waiting = _Waiting(next(self._numbers))
        self._queue.append(waiting)
        try:
            await self._wait(waiting, tell)
        except BaseException:
            if waiting.turn.done():
                waiting.turn.result().leave()
            else:
                del self._queue[self._ahead(waiting)]
            raise
        return waiting.turn.result()

    async def _wait(self, waiting: _Waiting, tell: Callable[[int], Awaitable[None]]) -> None:
        told: int | None = None
        while not (await asyncio.wait({waiting.turn}, timeout=TOLD_AFTER_S if told is None else TOLD_EVERY_S))[0]:
            place = self._ahead(waiting) + 1
            if is_news(place, told):
                await tell(place)
                told = place
        if told is not None:
            await tell(0)

    def _ahead(self, waiting: _Waiting) -> int:
        return bisect_left(self._queue, waiting.number, key=lambda each: each.number)

    def _next(self) -> None:
        if self._queue:
            self._queue.pop(0).turn.set_result(Place(self._hold_s, self._next))
        else:
            self._free += 1


@dataclass(frozen=True, slots=True)
class Doors:
    """What the instances of a worker wait at: to connect with the login that they have, or to be linked anew."""

    connecting: Admission
    linking: Admission

    @classmethod
    def of(cls, settings: Settings, provider: Provider) -> Self:
        """As the settings say."""
        is_whatsapp = provider is Provider.WHATSAPPWEB
        connecting = settings.whatsapp_connecting_most if is_whatsapp else settings.telegram_connecting_most
        return cls(Admission(connecting, CONNECT_HOLD_S), Admission(settings.whatsapp_linking_most, LINK_HOLD_S))

    @property
    def waiting(self) -> int:
        """How many instances wait at either."""
        return self.connecting.waiting + self.linking.waiting


class Turn:
    """The one place that an instance has at a time. `tell` says what it waits for, and which in the queue it is."""

    def __init__(self, doors: Doors, tell: Callable[[str, int], Awaitable[None]]) -> None:
        self._doors = doors
        self._tell = tell
        self._place: Place | None = None
        self._links = False

    async def connect(self) -> None:
        """Wait for a place to connect."""
        await self._enter(self._doors.connecting, "to connect", links=False)

    async def link(self) -> None:
        """Wait for a place to be linked, instead of the one to connect."""
        await self._enter(self._doors.linking, "to be linked", links=True)

    async def _enter(self, admission: Admission, what: str, *, links: bool) -> None:
        self.end()
        self._place = await admission.enter(lambda place: self._tell(what, place))
        self._links = links

    def asked(self) -> None:
        """A person has to do something now, which takes any time; only linking is about that."""
        if not self._links:
            self.end()

    def ready(self) -> None:
        """The account is connected."""
        self.end(SETTLE_S if self._links else 0.0)

    def end(self, after_s: float = 0.0) -> None:
        """Give the place to the next."""
        place, self._place = self._place, None
        if place is not None:
            place.leave(after_s)
