"""How long `mim up` takes to start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from statistics import median

from benchmarks.report import Row
from benchmarks.system import running

MOST_S = 3.0


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """From the start of the process to its line `ready`, with an empty data folder; plain and sandbox alternate.

    One start is thrown away first: a later run finds compiled files and a warm file cache.
    """
    took: dict[bool, list[float]] = {False: [], True: []}
    if not smoke:
        async with running(sandbox=True):
            pass
    for _ in range(1 if smoke else 3):
        for sandbox, times in took.items():
            async with running(sandbox=sandbox) as system:
                times.append(system.took_s)
    for sandbox, times in took.items():
        figure = median(times)
        yield Row(
            f"start: mim up{' --sandbox' if sandbox else ''} to ready",
            f"{figure:.2f} s",
            goal=f"<= {MOST_S:g} s",
            reached=figure <= MOST_S,
            note=", ".join(f"{time:.2f} s" for time in times),
        )
