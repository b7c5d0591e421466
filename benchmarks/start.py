"""How long `mim up` takes to start, and what loading costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from statistics import median

from benchmarks.processes import ROOT, environment
from benchmarks.report import BrokenError, Row, ms
from benchmarks.system import running
from mim.cli.services import SERVICES

MOST_S = 3.0


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """From the start of the process to its line `ready`, with an empty data folder; plain and sandbox alternate.

    One start is thrown away first: a later run finds compiled files and a warm file cache. Then what it takes to load
    each service in an interpreter of its own, and to start the command.
    """
    took: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    if not smoke:
        async with running(sandbox=True):
            pass
    for _ in range(1 if smoke else 3):
        for sandbox, times in took.items():
            async with running(sandbox=sandbox) as system:
                times.append((system.took_s, system.cpu_s()))
    for sandbox, times in took.items():
        figure = median(took_s for took_s, _ in times)
        yield Row(
            f"start: mim up{' --sandbox' if sandbox else ''} to ready",
            f"{figure:.2f} s",
            goal=f"<= {MOST_S:g} s",
            reached=figure <= MOST_S,
            note=", ".join(f"{took_s:.2f} s" for took_s, _ in times),
            cpu=f"{median(used_s for _, used_s in times):.2f} s, all processes",
        )
    yield _loaded("mim --help", ["-m", "mim.cli", "--help"], smoke)
    for name, place in SERVICES.items():
        yield _loaded(f"import of {name}", ["-c", f"import {place.partition(':')[0]}"], smoke)


def _loaded(name: str, arguments: Sequence[str], smoke: bool) -> Row:
    took_s, used_s = (
        median(figures) for figures in zip(*(_run(arguments) for _ in range(1 if smoke else 5)), strict=True)
    )
    return Row(f"start: {name}", f"{took_s:.2f} s", cpu=ms(used_s))


def _run(arguments: Sequence[str]) -> tuple[float, float]:
    """A fresh interpreter: the time it took, and its processor time."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment({}), stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BrokenError(f"python {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - began, use.ru_utime + use.ru_stime
