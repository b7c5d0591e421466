"""Where the processes of `mim up` come from: one process imports what all of them need, and forks.

Each service alone would spend 0.7 s of processor time and 60 MB on imports. Here the process that the user started
loads them once and stays behind as the parent of all others: first of the supervisor, which runs the system, then of
every child that the supervisor asks for over a socket pair. What only some of them need is loaded when the first of
these is asked for, while the lighter ones start already; to start one again then takes no import at all. Forking from
this process is safe: it has one thread and no event loop. Whoever dies, the kernel ends the rest (`PR_SET_PDEATHSIG`).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from mim.cli.loading import loading
from mim.runtime import logs

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


class Forked:
    """A child that the nursery made; like `asyncio.subprocess.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        await self._ended.wait()
        return self.returncode if self.returncode is not None else -1

    def send_signal(self, signum: int) -> None:
        """Raises: ProcessLookupError if it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signum)

    def ended(self, code: int) -> None:
        """Told by the nursery."""
        self.returncode = code
        self._ended.set()


class Nursery:
    """The supervisor's end: asks for children and hears of their ends."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._writer: asyncio.StreamWriter | None = None
        self._born: asyncio.Queue[Forked] = asyncio.Queue()
        self._children: dict[int, Forked] = {}
        self._asking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def fork(self, module: str, arguments: list[str], env: Mapping[str, str], needs: str = "") -> Forked:
        """A new process that runs `python -m module arguments` with `env` added to the environment.

        It finds the module `needs` loaded, and so does whoever is forked after it.
        """
        async with self._asking:
            if self._writer is None:
                reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
                self._task = asyncio.create_task(self._listen(reader))
            self._writer.write(json.dumps([module, arguments, dict(env), needs]).encode() + b"\n")
            await self._writer.drain()
            return await self._born.get()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            pid, code = json.loads(line)
            if code is None:
                self._children[pid] = child = Forked(pid)
                self._born.put_nowait(child)
            elif pid in self._children:
                self._children.pop(pid).ended(code)
        # The nursery is gone, and the kernel has told its children to end: nobody will report them any more.
        for child in self._children.values():
            child.ended(-signal.SIGTERM)


def raise_children(supervisor: Callable[[Nursery], Coroutine[Any, Any, int]]) -> int:
    """Run `supervisor` in a child of this process and serve it until it ends; returns its exit code."""
    ours, theirs = socket.socketpair()
    _share()
    pid = _fork("supervisor", [ours])
    if pid == 0:
        _exit(lambda: asyncio.run(supervisor(Nursery(theirs))))
    theirs.close()
    return _serve(ours, pid)


def _serve(ours: socket.socket, supervisor: int) -> int:
    wake, waker = socket.socketpair()
    for end in (ours, wake, waker):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: _pass_on(supervisor))
    asked = b""
    code: int | None = None
    while code is None:
        select.select([ours, wake], [], [])
        with suppress(BlockingIOError):
            wake.recv(4096)
        with suppress(BlockingIOError, ConnectionResetError):  # the supervisor may end with something unread
            asked += ours.recv(65_536)
        *lines, asked = asked.split(b"\n")
        for line in lines:
            module, arguments, env, needs = json.loads(line)
            _load(needs)
            child = _bear(module, arguments, env, [ours, wake, waker])
            _tell(ours, child, None)
        for pid, ended in _reap():
            if pid == supervisor:
                code = ended
            _tell(ours, pid, ended)
    return code


def _load(module: str) -> None:
    if not module or module in sys.modules:
        return
    with suppress(Exception), loading():  # the child meets the same, and tells of it
        import_module(module)
    _share()


def _share() -> None:
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page


def _pass_on(supervisor: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGTERM)


def _tell(ours: socket.socket, pid: int, code: int | None) -> None:
    with suppress(OSError):
        ours.setblocking(True)
        ours.sendall(json.dumps([pid, code]).encode() + b"\n")
    ours.setblocking(False)


def _reap() -> list[tuple[int, int]]:
    ended = []
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
            ended.append((found[0], os.waitstatus_to_exitcode(found[1])))
    return ended


def _bear(module: str, arguments: list[str], env: dict[str, str], close: list[socket.socket]) -> int:
    pid = _fork(arguments[-1] if arguments else module, close)
    if pid != 0:
        return pid
    os.setsid()  # Ctrl-C comes to the supervisor alone, which stops things in order
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(env)
    sys.argv = [module, *arguments]

    def run() -> int:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0

    return _exit(run)


def _fork(name: str, close: list[socket.socket]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_DFL if signum != signal.SIGINT else signal.default_int_handler)
        for end in close:
            end.close()
        with suppress(OSError, AttributeError):  # prctl is Linux only
            libc = ctypes.CDLL(None)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            libc.prctl(PR_SET_NAME, f"mim {name}"[:15].encode())
    return pid


def _exit(run: Callable[[], int]) -> NoReturn:
    """End a forked process with the code of `run`, as an interpreter of its own would, but without unwinding into what
    the parent was doing."""
    code = 1
    try:
        code = run()
    except SystemExit as error:
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
        else:
            code = error.code or 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - the last frame of a process
        traceback.print_exc()
    finally:
        with suppress(Exception):
            logs.finish()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
