"""How port assignment does, measured: what the performance route shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NEWEST = 50


class Assignments:
    """Counts and times since the start. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._total = 0
        self._successful = 0
        self._current = 0
        self._peak = 0
        self._sum_ms = 0.0
        self._least_ms = 0.0
        self._most_ms = 0.0
        self._times_ms: deque[float] = deque(maxlen=NEWEST)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure one assignment; one that raises has failed."""
        began = self._clock()
        self._total += 1
        self._current += 1
        self._peak = max(self._peak, self._current)
        try:
            yield
        finally:
            self._current -= 1
        took_ms = 1000 * (self._clock() - began)
        self._successful += 1
        self._sum_ms += took_ms
        self._least_ms = took_ms if self._successful == 1 else min(self._least_ms, took_ms)
        self._most_ms = max(self._most_ms, took_ms)
        self._times_ms.append(round(took_ms, 3))

    def figures(self) -> dict[str, float | int | list[float]]:
        """What there is to tell, times in ms."""
        return {
            "total": self._total,
            "successful": self._successful,
            "failed": self._total - self._successful - self._current,
            "current": self._current,
            "peak": self._peak,
            "sum_ms": round(self._sum_ms, 3),
            "least_ms": round(self._least_ms, 3),
            "most_ms": round(self._most_ms, 3),
            "times_ms": list(self._times_ms),
        }
