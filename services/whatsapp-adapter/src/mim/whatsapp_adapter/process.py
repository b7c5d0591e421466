"""A child process as its parent sees it: started with a small environment, talked to in lines, always stopped."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

Fields = dict[str, Any]

_MODULE = "mim.whatsapp_adapter.child"
# Nothing else of ours goes into a process that runs foreign code: no keys, no addresses of the bus.
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_LONGEST_LINE = 1 << 22  # a text of 65,536 characters may take twelve times as many bytes in JSON
_WAITING_EVENTS = 10_000  # beyond that the child is made to wait
_ABORTS = ("fatal error:", "panic:", "SIG")
_LAST_WORDS_S = 0.5
_ASK_S, _TERMINATE_S = 1.5, 0.75  # then SIGKILL: within 3 s in all


class ChildEndedError(Exception):
    """The process is gone; the message says how it ended."""


class ChildProcess:
    """One child. Not for use by two tasks at once but for `ask`."""

    def __init__(self, process: asyncio.subprocess.Process, log: FilteringBoundLogger) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a child is talked to through pipes: start it with all three")
        self._process, self._log = process, log
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._events: asyncio.Queue[Fields | None] = asyncio.Queue(_WAITING_EVENTS)
        self._asked: dict[str, asyncio.Future[Fields]] = {}
        self._ids = map(str, itertools.count(1))
        self._last_words = ""
        self._errors = asyncio.create_task(self._read_errors())
        self._readers = [asyncio.create_task(self._read_events()), self._errors]

    @classmethod
    async def spawn(cls, settings: Mapping[str, str], log: FilteringBoundLogger) -> ChildProcess:
        """Start a child that waits for commands."""
        wrapper = shlex.split(settings.get("whatsapp_child_wrapper", "")) or ["-m"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *wrapper,
            _MODULE,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=_environment(settings),
            start_new_session=True,  # a Ctrl-C in the terminal is for the worker, which stops its children in order
        )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def tell(self, command: str, **fields: object) -> None:
        """Send a command. Raises: ChildEndedError."""
        line = json.dumps({"command": command, **fields}).encode() + b"\n"
        try:
            self._stdin.write(line)
            await self._stdin.drain()
        except (ConnectionError, RuntimeError):
            raise ChildEndedError(self._epitaph()) from None

    async def ask(self, command: str, within_s: float, **fields: object) -> Fields:
        """Send a command and return the event that answers it. Raises: TimeoutError, ChildEndedError."""
        identity = next(self._ids)
        answer = self._asked[identity] = asyncio.get_running_loop().create_future()
        try:
            await self.tell(command, id=identity, **fields)
            async with asyncio.timeout(within_s):
                event: Fields = await answer
                return event
        finally:
            self._asked.pop(identity, None)

    async def next_event(self) -> Fields:
        """The next event that answers nothing. Raises: ChildEndedError when there will be no more."""
        event = await self._events.get()
        if event is None:
            await asyncio.wait([self._errors], timeout=_LAST_WORDS_S)
            raise ChildEndedError(self._epitaph())
        return event

    def left(self) -> list[Fields]:
        """The events that nobody has taken."""
        found = []
        while not self._events.empty():
            if (event := self._events.get_nowait()) is not None:
                found.append(event)
        return found

    async def stop(self) -> None:
        """End the process: by closing its stdin, then by SIGTERM, then by SIGKILL, within 3 s."""
        self._stdin.close()
        for within_s, harder in ((_ASK_S, self._process.terminate), (_TERMINATE_S, self._process.kill)):
            try:
                async with asyncio.timeout(within_s):
                    await self._process.wait()
                break
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    harder()
        await self._process.wait()
        await asyncio.wait(self._readers, timeout=_LAST_WORDS_S)  # the last answers are still in the pipe
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._fail_asked()

    async def _read_events(self) -> None:
        async for line in self._stdout:
            event: Fields = json.loads(line)
            answered = self._asked.get(event.get("answers", ""))
            if answered is None:
                await self._events.put(event)
            elif not answered.done():
                answered.set_result(event)
        await self._process.wait()
        self._fail_asked()
        await self._events.put(None)

    def _fail_asked(self) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChildEndedError(self._epitaph()))

    async def _read_errors(self) -> None:
        async for raw in self._stderr:
            line = raw.decode(errors="replace").rstrip()
            if line.startswith(_ABORTS) and not self._last_words:
                self._last_words = line[:200]
            self._log.debug("whatsapp_library", line=line[:500])

    def _epitaph(self) -> str:
        code = self._process.returncode
        if code is None:
            how = "does not read any more"
        else:
            how = f"ended with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return f"the session's process {how}" + (f" ({self._last_words})" if self._last_words else "")


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["NEONIZE_BOT_TAG"] = "off"  # else one-to-one messages are marked as a bot's
    if ca_file := settings.get("whatsapp_ca_file"):
        environment["SSL_CERT_FILE"] = ca_file  # Go reads it when the process starts, not later
    return environment
