"""What this process and its children use of memory and processor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable

import psutil

from mim.runtime import metrics

EVERY_S = 10.0
MOST_SHARE = 0.02
"""Of a worker's time at most; reading the memory map of one process takes about a millisecond."""


class ProcessFigures:
    """The figures of the last measurement; `run` measures in a thread, so asking for them costs nothing.

    `memory_bytes` counts pages that forked processes share only once among them (PSS on Linux). `cpu_percent` is since
    the measurement before, 100 for one core.
    """

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.memory_bytes = 0
        self.cpu_percent = 0.0
        self._every_s = every_s
        self._clock = clock
        self._spent_s: dict[psutil.Process, float] = {}
        self._at: float | None = None

    async def run(self) -> None:
        """Measure now and every `every_s`, for ever; more seldom where measuring itself takes long."""
        while True:
            began = time.monotonic()
            await asyncio.to_thread(self.measure)
            await asyncio.sleep(max(self._every_s, (time.monotonic() - began) / MOST_SHARE))

    def measure(self) -> None:
        """Measure once; blocks for some milliseconds."""
        processes = _tree()
        self.memory_bytes = sum(map(_memory_bytes, processes))
        now, spent_s = self._clock(), dict(_spent(processes))
        if self._at is not None and now > self._at:
            used_s = sum(max(0.0, spent - self._spent_s.get(process, 0.0)) for process, spent in spent_s.items())
            self.cpu_percent = round(100 * used_s / (now - self._at), 2)
        self._spent_s, self._at = spent_s, now
        metrics.process_tree(self.memory_bytes, self.cpu_percent / 100)


def _tree() -> list[psutil.Process]:
    # Made anew each time: this object may have been made before a fork.
    own = psutil.Process()
    try:
        return [own, *own.children(recursive=True)] if _has_children() else [own]
    except psutil.Error:
        return [own]


def _has_children() -> bool:
    # Most services have none, and to look for them is to read the state of every process of the machine.
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except AttributeError:  # macOS has it from Python 3.13 on
        return True
    return True


def _memory_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or getattr(full, "uss", 0) or full.rss)
    except psutil.AccessDenied:
        return _resident_bytes(process)
    except psutil.Error:  # it has ended meanwhile
        return 0


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _spent(processes: Iterable[psutil.Process]) -> Iterable[tuple[psutil.Process, float]]:
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        yield process, times.user + times.system
