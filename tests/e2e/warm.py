"""Processes of `mim` that find everything imported: each is a fork of one that has done nothing else.

Two thirds of the processor time of a start is imports, and the tests start some two hundred processes. What runs is the
same from the first line of the program on. The system that most tests share is started as a user starts it.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection

from tests.e2e import witness

from mim.cli.main import app

for name in ("COLUMNS", "LINES"):
    os.unsetenv(name)  # readline has set them past os.environ, and the console of `mim` would keep them
_NETWORK = 0x40000000  # CLONE_NEWNET of linux/sched.h
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "tests.e2e.frozen"])


class Process:
    """Like `asyncio.subprocess.Process`, with what it prints in `stdout`."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        env: Mapping[str, str],
        *,
        witnessed: bool = False,
        namespace: str | None = None,
        main: Callable[[], None],
    ) -> None:
        self.stdout = asyncio.StreamReader()
        self._output, self._theirs = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(
            target=_become, args=(arguments, dict(env), witnessed, namespace, main, self._theirs)
        )
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """To be called once."""
        await asyncio.to_thread(self._process.start)
        self._theirs.close()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, self._end)
        pipe = os.fdopen(os.dup(self._output.fileno()), "rb", buffering=0)
        self._output.close()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.stdout), pipe)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._ended.set()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.exitcode

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, signum: signal.Signals) -> None:
        """Raises: ProcessLookupError if it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def program() -> None:
    """The program itself."""
    app(prog_name="mim")


async def start(
    *arguments: str,
    env: Mapping[str, str],
    witnessed: bool = False,
    namespace: str | None = None,
    main: Callable[[], None] = program,
) -> Process:
    """`mim` with these arguments and nothing but this environment; in a network namespace if one is named."""
    process = Process(arguments, env, witnessed=witnessed, namespace=namespace, main=main)
    await process.start()
    return process


def die_with_parent() -> None:
    """End with the tests, whatever ends them."""
    with suppress(OSError, AttributeError):  # prctl is Linux only
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _become(
    arguments: tuple[str, ...],
    env: dict[str, str],
    witnessed: bool,
    namespace: str | None,
    main: Callable[[], None],
    output: Connection,
) -> None:
    die_with_parent()
    if namespace is not None:
        _enter(namespace)
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    os.environ.clear()
    os.environ.update(env)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["mim", *arguments]
    if witnessed:
        witness.patch()
    main()


def _enter(namespace: str) -> None:
    # As `ip netns exec` does, see ip-netns(8); os.setns comes with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:  # noqa: PTH123 - nothing else runs here yet
        if libc.setns(file.fileno(), _NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
