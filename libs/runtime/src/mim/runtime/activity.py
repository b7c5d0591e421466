"""What instances do, counted here and told now and then: calls with their API keys, round trips to their messenger.

An event for each call would cost more than the call. So counts are gathered and reported together: soon where a key was
used, every few minutes where only the messenger answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from mim.contracts.messages import ActivityReported
from mim.runtime.bus import Bus

CALLS_EVERY_S = 2.0
AT_ONCE = 16
CLOSE_S = 2.0


@dataclass(slots=True)
class _Count:
    calls: int = 0
    first: datetime | None = None
    last: datetime | None = None
    checks: int = 0
    observed: datetime | None = None


class Activity:
    """Counts between reports. `called` and `proved` cost a dictionary look-up; `run` reports."""

    def __init__(
        self, bus: Bus, epoch_of: Callable[[str], int] = lambda _instance_id: 0, checks_every_s: float = 300.0
    ) -> None:
        self._bus = bus
        self._checks_every = max(1, round(checks_every_s / CALLS_EVERY_S))
        self._epoch_of = epoch_of
        self._calls: dict[tuple[str, str], _Count] = {}
        self._checks: dict[str, _Count] = {}
        self._untold: dict[str, ActivityReported] = {}  # by the ids of their events, so that telling twice counts once

    def called(self, instance_id: str, api_key_sha256: str) -> None:
        """The instance's API key opened something."""
        key = (instance_id, api_key_sha256)
        count = self._calls.get(key)
        if count is None:
            count = self._calls[key] = _Count(first=self._bus.now())
        count.calls += 1
        count.last = self._bus.now()

    def proved(self, instance_id: str) -> None:
        """The messenger answered a real round trip."""
        count = self._checks.setdefault(instance_id, _Count())
        count.checks += 1
        count.observed = self._bus.now()

    async def run(self) -> None:
        """Report for ever."""
        rounds = 0
        while True:
            await asyncio.sleep(CALLS_EVERY_S)
            rounds += 1
            await self._report(with_checks=rounds % self._checks_every == 0)

    async def close(self) -> None:
        """Report what is left, as far as the bus takes it in time."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._report(with_checks=True)
        except TimeoutError:
            return

    async def _report(self, *, with_checks: bool) -> None:
        self._collect(with_checks=with_checks)
        waiting = iter(tuple(self._untold.items()))

        async def tell() -> None:
            for event_id, report in waiting:
                await self._bus.emit_surely(report, id=event_id)
                self._untold.pop(event_id, None)

        await asyncio.gather(*(tell() for _ in range(AT_ONCE)))

    def _collect(self, *, with_checks: bool) -> None:
        """Turn what was counted into reports, which stay until the bus has them: a cancelled `run` loses none."""
        calls, self._calls = self._calls, {}
        checks: dict[str, _Count] = {}
        if with_checks:
            checks, self._checks = self._checks, {}
        for (instance_id, sha256), count in calls.items():
            self._untold[str(uuid4())] = ActivityReported(
                instance_id=instance_id,
                epoch=self._epoch_of(instance_id),
                api_key_sha256=sha256,
                api_calls=count.calls,
                first_call_at=count.first,
                last_call_at=count.last,
            )
        for instance_id, count in checks.items():
            self._untold[str(uuid4())] = ActivityReported(
                instance_id=instance_id,
                epoch=self._epoch_of(instance_id),
                health_checks=count.checks,
                observed_at=count.observed,
            )
