"""How many requests a server answers, how fast, and how many at once: for the metrics and for the performance route."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aiohttp import web

from mim.runtime import metrics

HEALTH = "/health"


class Traffic:
    """Figures since `since`. Streams that go on for hours count as requests, but not into the average."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.concurrent = 0
        self.peak = 0
        self.answered = 0
        self.failed = 0
        self._seconds = 0.0
        self._timed = 0

    @property
    def average_ms(self) -> float:
        """How long an answer took on average."""
        return 1000 * self._seconds / self._timed if self._timed else 0.0

    @property
    def failure_rate(self) -> float:
        """Which part of the answers were failures of ours (5xx), from 0 to 1."""
        return self.failed / self.answered if self.answered else 0.0

    def begin(self) -> float:
        """A request came; returns what `end` wants to know."""
        self.concurrent += 1
        self.peak = max(self.peak, self.concurrent)
        metrics.request_began()
        return time.perf_counter()

    def end(self, method: str, route: str, response: web.StreamResponse | None, began: float) -> None:
        """It was answered (None: it broke off). `route` is the template, not the path."""
        seconds = time.perf_counter() - began
        status = 500 if response is None else response.status
        self.concurrent -= 1
        if route != HEALTH:  # a probe that finds a system on its way up is no failure of a request
            self.answered += 1
            self.failed += status >= 500
        if isinstance(response, web.Response):
            self._seconds += seconds
            self._timed += 1
        metrics.request_done(route, method, status, seconds)
