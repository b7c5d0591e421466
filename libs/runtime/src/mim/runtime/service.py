"""The skeleton of every service: connect, serve, let it be seen, say when it is ready, drain, end.

A service is a function `build(bus) -> async context manager`; inside it is running, on leaving it has drained.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

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
from mim.contracts.messages import Verb, problems
from mim.contracts.permissions import Client
from mim.contracts.records import DeadLetter
from mim.contracts.reports import Figure, ServiceReport
from mim.runtime import bus as buses
from mim.runtime import cancellation, logs, metrics, metrics_port, streams, tracing
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings

log = structlog.get_logger()
MAX_DELIVERIES = 20
RETRY_S = 1.0
END_S = 3.0
PROVISIONED_S = 0.05
START_S = 2.0  # a start under way is finished before the service ends, if it can be
GC_THRESHOLDS = 5_000, 4, 10
"""New containers between collections, and how many collections make an older generation due. nats-py leaves a ring of
10 of each subscription, 3 KB; what of them survives a first collection lies until the next older one."""
MOST_FILES = 1 << 20
VERBS = frozenset({"create", "update", *Verb})
# A secret in text that is no JSON: the value up to its closing quote or brace, or to its end where it has neither.
_SECRET_FIELD = re.compile(
    r"""["'](""" + "|".join(logs.SECRET_FIELDS) + r""")["']\s*:\s*("[^"]*"?|'[^']*'?|\{[^}]*\}?|[^,}\s]+)"""
)

Build = Callable[[Bus, Settings], AbstractAsyncContextManager[None]]


def run(name: str, build: Build, settings: Settings) -> int:
    """Run a service until SIGTERM or SIGINT; returns the exit code.

    1 means that the bus connection is closed for good: the supervisor starts the service anew.
    """
    logs.configure(settings, name)
    cancellation.mend()
    metrics_port.check(name, settings)
    _raise_file_limit()
    return uvloop.run(_serve(name, build, settings))


def _raise_file_limit() -> None:
    """Each subscriber, caller and port of an instance is an open file: have as many as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # some systems have another limit besides
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(name: str, build: Build, settings: Settings) -> int:
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(_serve_until(stop, ready, name, build, settings))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not ready.is_set():
        await asyncio.wait({serving}, timeout=START_S)
    if not ready.is_set():
        serving.cancel()  # it waits for a bus that is away
    try:
        return await serving
    except asyncio.CancelledError:
        return 0


async def _serve_until(stop: asyncio.Event, ready: asyncio.Event, name: str, build: Build, settings: Settings) -> int:
    async with buses.connect(settings, name, [dead_letters(name)]) as bus:
        bus.broker.context.set_global("bus", bus)
        await bus.surely(lambda: _provision(bus, name, settings))
        async with _observed(bus, name, settings), build(bus, settings):
            await answer_health(bus, name, settings.host_name)
            await answer_metrics(bus, name)
            await bus.surely(lambda: subscribe(bus))
            # Without the flush the first request can meet "no responders"; twice, because the library's ping goes past
            # what it has buffered itself.
            await bus.nc.flush(5)
            await bus.nc.flush(5)
            _settle_down()
            ready.set()
            log.info("service_ready")
            await _first(stop, bus.closed)
            await _take_nothing_more(bus)
        log.info("service_stopped")
        return 1 if bus.closed.is_set() else 0


@asynccontextmanager
async def _observed(bus: Bus, name: str, settings: Settings) -> AsyncIterator[None]:
    """What is there to be seen of a service while it runs: figures, metrics, traces, the log lines of instances."""
    metrics.service(name)
    tracing.start(settings, name)
    try:
        async with metrics_port.serve(bus, name, settings), Tasks(bus) as tasks:
            tasks.start(bus.process.run(), "process figures")
            tasks.start(logs.ship(bus), "log lines")
            yield
    finally:
        await asyncio.gather(logs.flush(bus), tracing.stop())


def _settle_down() -> None:
    """What is loaded by now stays: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _provision(bus: Bus, name: str, settings: Settings) -> None:
    try:
        if name == Client.LIFECYCLE:
            await streams.provision(bus.js, settings.replicas)
        while not await streams.provisioned(bus.js):  # noqa: ASYNC110 - lifecycle is about to make them
            await asyncio.sleep(PROVISIONED_S)
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot provision the streams: {error}") from error


async def subscribe(bus: Bus) -> None:
    """Let the broker's subscribers hear. Raises: Unavailable if the bus does not answer; none of them hears then."""
    try:
        await bus.broker.start()
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        for subscriber in bus.broker.subscribers:  # those that did begin would begin twice
            await subscriber.stop()
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot subscribe: {error}") from error


async def _take_nothing_more(bus: Bus) -> None:
    """End what was taken in while all that it needs still runs, and leave the rest to other processes.

    FastStream itself ignores what still comes while it stops: a command would come again after its `ack_wait` only.
    """
    if not bus.connected:
        return
    with suppress(nats.errors.Error, TimeoutError, OSError):
        async with asyncio.timeout(END_S):
            subscribers: Sequence[Any] = bus.broker.subscribers
            for subscriber in subscribers:
                subscription, subscriber.subscription = subscriber.subscription, None
                await subscription.drain()
            await asyncio.gather(*(subscriber.stop() for subscriber in subscribers))


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def answer_health(bus: Bus, name: str, host: str) -> None:
    """Answer whoever asks on the health subject with a `ServiceReport`."""
    boot, began = uuid4().hex, time.monotonic()

    async def answer(msg: Msg) -> None:
        report = ServiceReport(
            service=name,
            boot=boot,
            host=host,
            memory_bytes=bus.process.memory_bytes,
            cpu_percent=bus.process.cpu_percent,
            uptime_s=round(time.monotonic() - began, 3),
            figures=_dropped(bus) | dict(_figures(bus)),
        )
        await msg.respond(report.model_dump_json().encode())

    await bus.nc.subscribe(subjects.HEALTH, cb=answer)


def _dropped(bus: Bus) -> dict[str, Figure]:
    return {"dropped": bus.dropped, "dropped_ago_s": round(time.monotonic() - bus.dropped_at)} if bus.dropped else {}


def _figures(bus: Bus) -> Mapping[str, Figure]:
    try:
        return bus.figures()
    except Exception:
        # A service that cannot count is up nevertheless.
        log.exception("figures_failed")
        return {}


async def answer_metrics(bus: Bus, name: str) -> None:
    """Answer whoever asks for this service's metrics with their text exposition."""

    async def answer(msg: Msg) -> None:
        await msg.respond(metrics.render())

    await bus.nc.subscribe(subjects.metrics_of(name), cb=answer)


def dead_letters(service: str) -> type[BaseMiddleware[Any, Any]]:
    """A middleware that parks what a handler cannot do, with the reason, and retries what is only unavailable.

    FastStream drops what does not decode without a line (measured: 4,663 of 5,000 malformed messages vanished).
    """

    class DeadLetters(BaseMiddleware[Any, Any]):
        async def on_receive(self) -> None:
            headers = getattr(self.msg, "headers", None) or {}
            self._around = ExitStack()
            self._around.enter_context(logs.correlated(headers.get(logs.CORRELATION)))
            self._around.enter_context(tracing.consuming(self.msg.subject, headers))

        async def after_processed(
            self,
            exc_type: type[BaseException] | None = None,
            exc_val: BaseException | None = None,
            exc_tb: TracebackType | None = None,
        ) -> bool | None:
            try:
                if exc_val is None or isinstance(exc_val, HandlerException) or not isinstance(exc_val, Exception):
                    return False
                await _put_aside(self.context.get("bus"), service, self.msg, exc_val)
                return True
            finally:
                self._around.__exit__(exc_type, exc_val, exc_tb)

    return DeadLetters


async def _put_aside(bus: Bus, service: str, msg: Msg, error: Exception) -> None:
    """Let a message come again if only something was away, or park it."""
    verb = _verb(msg.subject)
    is_stream = (msg.reply or "").startswith("$JS.ACK")
    if is_stream and isinstance(error, Unavailable) and msg.metadata.num_delivered < MAX_DELIVERIES:
        await msg.nak(delay=RETRY_S)
        outcome = "retried"
    else:
        outcome = await park(bus, service, msg, error)
    if verb is not None:
        metrics.command_done(verb, outcome)


def _verb(subject: str) -> str | None:
    """The verb of a command to instances, None for anything else; words that nobody knows count as one."""
    if not subject.startswith(subjects.INSTANCE_COMMANDS.removesuffix(">")):
        return None
    verb = subjects.last_token(subject)
    return verb if verb in VERBS else metrics.OTHER


async def park(bus: Bus, service: str, msg: Msg, error: Exception) -> str:
    """Publish a message that cannot be handled as a dead letter; returns its code.

    Raises: Unavailable if the bus is away.
    """
    letter = _letter(service, msg, error)
    log.error("dead_letter", subject=msg.subject, code=letter.code, reason=letter.reason, exc_info=_unexpected(error))
    await bus.publish(subjects.dead_letter(service), letter.model_dump_json().encode())
    metrics.dead_letter(letter.code)
    return letter.code


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
        return orjson.dumps(logs.scrub(orjson.loads(payload)))
    except orjson.JSONDecodeError:
        return logs.clean(_SECRET_FIELD.sub(r'"\1": "[redacted]"', payload.decode(errors="replace"))).encode()


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
        for task in self._tasks:
            task.cancel()
        if self._tasks and (left := (await asyncio.wait(self._tasks, timeout=END_S))[1]):
            log.error("tasks_do_not_end", tasks=[task.get_name() for task in left])

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
