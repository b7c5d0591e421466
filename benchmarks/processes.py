"""Processes: helpers that are talked to in JSON lines, what lives below a process, and how much memory it has."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.report import BrokenError
from mim.runtime import cancellation

ROOT = Path(__file__).resolve().parents[1]
ANSWER_S = 180.0
LINE_BYTES = 1 << 26
Json = dict[str, Any]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without settings of the system's own; a later run finds compiled files."""
    given = os.environ  # noqa: TID251 - the environment of children
    return {
        name: value
        for name, value in given.items()
        if not name.startswith("MIM_") and name != "PYTHONDONTWRITEBYTECODE"
    } | dict(more)


async def python(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """Start `python ARGUMENTS` in the repository's folder."""
    env = environment(options.pop("env", {}))
    stdin = options.pop("stdin", asyncio.subprocess.DEVNULL)
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=env, stdin=stdin, stdout=asyncio.subprocess.PIPE, **options
    )


async def end(process: asyncio.subprocess.Process, within_s: float = 10.0) -> None:
    """Ask a process to end, then make it."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), within_s)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Helper:
    """A process that answers one JSON line with one JSON line; see `serve_lines` for its side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a helper is talked to through pipes")
        self.pid = process.pid
        self._in, self._out = process.stdin, process.stdout

    async def ask(self, **job: Any) -> Json:
        """Give it a job and wait for what came of it."""
        self._in.write(json.dumps(job).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            line = await self._out.readline()
        if not line:
            raise BrokenError("a helper process ended; its error stands above")
        answer: Json = json.loads(line)
        return answer


@asynccontextmanager
async def helper(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Helper]:
    """Run `python -m MODULE ARGUMENTS` as a helper until the end of the block."""
    process = await python("-m", module, *arguments, stdin=asyncio.subprocess.PIPE, limit=LINE_BYTES, env=env or {})
    try:
        yield Helper(process)
    finally:
        await end(process)


async def _lines() -> AsyncIterator[Json]:
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while text := await reader.readline():
        yield json.loads(text)


def serve_lines(act: Any) -> None:
    """The helper's side: answer each line with what `await act(**line)` returns, until stdin closes."""

    async def serve() -> None:
        async for job in _lines():
            sys.stdout.write(json.dumps(await act(**job)) + "\n")
            sys.stdout.flush()

    cancellation.mend()
    uvloop.run(serve())


def tree(root: int) -> list[int]:
    """A process and everything below it."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(folder.name)] = int(fields[1])
    found, fresh = [root], {root}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found += sorted(fresh)
    return found


def name_of(pid: int) -> str:
    """What a process calls itself; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def command_of(pid: int) -> str:
    """The command line of a process; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def pss(pid: int) -> int:
    """Proportional memory of a process in bytes: what it shares counts by share. 0 if it is gone."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if entry.startswith("Pss:"):
                return int(entry.split()[1]) * 1024
    return 0


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds. 0 if it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
