"""Which workers live, by their heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from mim.contracts import subjects
from mim.contracts.records import InstanceRecord, WorkerHeartbeat
from mim.runtime.bus import Bus
from mim.runtime.store import Store

log = structlog.get_logger()

LAPSE_S = 10.0
"""A worker that was silent for so long is dead; it has stopped its own sessions by then (worker.FENCE_S)."""


class Living:
    """Filled by `watch`. `changed` is called with the names of workers that came, went, or begin or cease to drain;
    `clock` is monotonic seconds."""

    def __init__(self, bus: Bus, clock: Callable[[], float], changed: Callable[[set[str]], None]) -> None:
        self._bus = bus
        self._clock = clock
        self._changed = changed
        self._workers: dict[str, tuple[WorkerHeartbeat, float]] = {}
        self.ready = asyncio.Event()

    def holds(self, record: InstanceRecord) -> bool:
        """Whether the life of the worker that the record names still beats."""
        known = self._workers.get(record.worker or "")
        return known is not None and known[0].boot == record.boot

    def drains(self, record: InstanceRecord) -> bool:
        """Whether the worker that holds the instance shall give it away."""
        return self.holds(record) and self._workers[record.worker or ""][0].draining

    @property
    def any_drains(self) -> bool:
        """Whether there is such a worker."""
        return any(beat.draining for beat, _ in self._workers.values())

    async def watch(self) -> None:
        """Hear heartbeats, for ever. A first sight of an old one counts as a beat: it may be alive."""
        async for batch in Store(self._bus, subjects.WORKERS_BUCKET, WorkerHeartbeat).follow():
            changed = set()
            for name, beat in batch:
                before = self._workers.pop(name, None)
                if beat is not None:
                    self._workers[name] = (beat, self._clock())
                if beat is None or before is None or (before[0].boot, before[0].draining) != (beat.boot, beat.draining):
                    changed.add(name)
            if changed:
                self._changed(changed)
            if not batch:
                self.ready.set()

    def bury(self) -> None:
        """Notice who fell silent, unless it is the bus that is away."""
        silent = {name for name, (_, at) in self._workers.items() if self._clock() - at > LAPSE_S}
        if silent and self._bus.connected:
            for name in silent:
                del self._workers[name]
            log.warning("workers_lapsed", workers=sorted(silent))
            self._changed(silent)

    def bus_returned(self) -> None:
        """The bus was away: no worker could be heard meanwhile, so their silence proves nothing."""
        now = self._clock()
        self._workers = {name: (beat, now) for name, (beat, _) in self._workers.items()}
