"""The skeleton of every service: connect, serve, say when it is ready, drain, end.

A service is a function `build(bus) -> async context manager`; inside it is running, on leaving it has drained.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import nats.errors
import orjson
import structlog
import uvloop
from faststream import BaseMiddleware
from faststream.exceptions import HandlerException
from nats.aio.msg import Msg
from nats.js.errors import APIError
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import problems
from mim.contracts.records import DeadLetter
from mim.runtime import bus as buses
from mim.runtime import logs, streams
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings

log = structlog.get_logger()
MAX_DELIVERIES = 20
RETRY_S = 1.0
CANCELS = 3
GC_THRESHOLD = 20_000  # new containers between collections; a request makes a few hundred
SECRET_FIELDS = ("token", "bot_token", "proxy", "password", "headers")
# The same in text that is no JSON: the value up to its closing quote or brace, or to its end where it has neither.
_SECRET_FIELD = re.compile(
    r"""["'](""" + "|".join(SECRET_FIELDS) + r""")["']\s*:\s*("[^"]*"?|'[^']*'?|\{[^}]*\}?|[^,}\s]+)"""
)

Build = Callable[[Bus, Settings], AbstractAsyncContextManager[None]]


def run(name: str, build: Build, settings: Settings) -> int:
    """Run a service until SIGTERM or SIGINT; returns the exit code.

    1 means that the bus connection is closed for good: the supervisor starts the service anew.
    """
    logs.configure(settings, name)
    return uvloop.run(_serve(name, build, settings))


async def _serve(name: str, build: Build, settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with buses.connect(settings, name, [dead_letters(name)]) as bus:
        bus.broker.context.set_global("bus", bus)
        await bus.surely(lambda: _provision(bus))
        async with build(bus, settings):
            await answer_health(bus, name)
            await bus.broker.start()
            # Without the flush the first request can meet "no responders".
            await bus.nc.flush(5)
            _settle_down()
            log.info("service_ready")
            await _first(stop, bus.closed)
        log.info("service_stopped")
        return 1 if bus.closed.is_set() else 0


def _settle_down() -> None:
    """What is loaded by now stays: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


async def _provision(bus: Bus) -> None:
    try:
        await streams.provision(bus.js)
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot provision the streams: {error}") from error


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def answer_health(bus: Bus, name: str) -> None:
    """Say 'up' to whoever asks on the health subject."""

    async def answer(msg: Msg) -> None:
        await msg.respond(orjson.dumps({"service": name, "up": True}))

    await bus.nc.subscribe(subjects.HEALTH, cb=answer)


def dead_letters(service: str) -> type[BaseMiddleware[Any, Any]]:
    """A middleware that parks what a handler cannot do, with the reason, and retries what is only unavailable.

    FastStream drops what does not decode without a line (measured: 4,663 of 5,000 malformed messages vanished).
    """

    class DeadLetters(BaseMiddleware[Any, Any]):
        async def on_receive(self) -> None:
            headers = getattr(self.msg, "headers", None) or {}
            self._correlated = logs.correlated(headers.get(logs.CORRELATION))
            self._correlated.__enter__()

        async def after_processed(
            self,
            exc_type: type[BaseException] | None = None,  # noqa: ARG002
            exc_val: BaseException | None = None,
            exc_tb: TracebackType | None = None,  # noqa: ARG002
        ) -> bool | None:
            self._correlated.__exit__(None, None, None)
            if exc_val is None or isinstance(exc_val, HandlerException) or not isinstance(exc_val, Exception):
                return False
            msg: Msg = self.msg
            is_stream = (msg.reply or "").startswith("$JS.ACK")
            if is_stream and isinstance(exc_val, Unavailable) and msg.metadata.num_delivered < MAX_DELIVERIES:
                await msg.nak(delay=RETRY_S)
                return True
            await park(self.context.get("bus"), service, msg, exc_val)
            return True

    return DeadLetters


async def park(bus: Bus, service: str, msg: Msg, error: Exception) -> None:
    """Publish a message that cannot be handled as a dead letter. Raises: Unavailable if the bus is away."""
    letter = _letter(service, msg, error)
    log.error("dead_letter", subject=msg.subject, code=letter.code, reason=letter.reason, exc_info=_unexpected(error))
    await bus.publish(subjects.dead_letter(service), letter.model_dump_json().encode())


def _letter(service: str, msg: Msg, error: Exception) -> DeadLetter:
    reason = problems(error) if isinstance(error, ValidationError) else getattr(error, "message", repr(error))
    return DeadLetter(
        service=service,
        subject=msg.subject,
        reason=logs.clean(str(reason)),
        code=getattr(
            error, "code", ErrorCode.INVALID_MESSAGE if isinstance(error, ValidationError) else ErrorCode.INTERNAL
        ),
        time=datetime.now(UTC),
        payload=base64.b64encode(redacted(msg.data)).decode(),
        headers={logs.clean(name): logs.clean(value) for name, value in (msg.headers or {}).items()},
    )


def redacted(payload: bytes) -> bytes:
    """A message as it came, but with the values of secret fields taken out, at any depth."""
    try:
        return orjson.dumps(logs.scrub(_without_secrets(orjson.loads(payload))))
    except orjson.JSONDecodeError:
        return logs.clean(_SECRET_FIELD.sub(r'"\1": "[redacted]"', payload.decode(errors="replace"))).encode()


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: "[redacted]" if key in SECRET_FIELDS and item else _without_secrets(item)
            for key, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, (MimError, ValidationError)) else error


class Tasks:
    """Background tasks of a service: a crash of one is logged and ends the process, leaving cancels all."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # More than once: `asyncio.wait_for` of Python 3.11 can swallow a cancellation that meets its result.
        for _attempt in range(CANCELS):
            for task in self._tasks:
                task.cancel()
            if not self._tasks or not (await asyncio.wait(self._tasks, timeout=1.0))[1]:
                return
        log.error("tasks_do_not_end", tasks=[task.get_name() for task in self._tasks])

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` in the background."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("task_crashed", task=task.get_name(), exc_info=error)
            # Half a service is worse than none: the supervisor starts a whole one.
            self._bus.closed.set()
