"""How often one caller may call: a token bucket for each, filled evenly over a minute. Pure; the clock is passed in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

MAX_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller has left. `retry_after_s` is 0 for a call that may go on."""

    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """The fields of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/."""
        return {
            "RateLimit-Policy": f'"minute";q={self.limit};w=60',
            "RateLimit": f'"minute";r={self.remaining};t={self.reset_s}',
        }


class RateLimit:
    """`per_minute` calls for each key, 0 for any number. `clock` is monotonic seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # what is left, and when that was so; last used last

    def take(self, key: str) -> Allowance | None:
        """Count one call of a key; None if there is no limit."""
        if self._per_minute == 0:
            return None
        now = self._clock()
        left, at = self._left.pop(key, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        taken = left >= 1
        left -= taken
        self._left[key] = (left, now)
        if len(self._left) > MAX_CALLERS:
            del self._left[next(iter(self._left))]
        rate = self._per_minute / 60
        retry_after_s = 0 if taken else max(1, math.ceil((1 - left) / rate))
        return Allowance(self._per_minute, int(left), math.ceil((self._per_minute - left) / rate), retry_after_s)
