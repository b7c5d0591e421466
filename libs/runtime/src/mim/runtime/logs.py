"""Logs: structlog, pretty on a terminal, JSON otherwise. Escape codes and tokens never get into a line.

A line that carries an `instance_id`, bound or by `of_instance`, also goes onto the bus, where the people of that
instance can read it: it waits in `LINES` until `ship` takes it there. A log call never fails and never waits, neither
for the bus nor for whoever reads stderr: a terminal that is held must not hold every account of a worker.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import logging
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TextIO
from uuid import uuid4

import nats.errors
import structlog
from structlog.typing import EventDict, WrappedLogger

from mim.contracts import subjects
from mim.contracts.errors import Invalid
from mim.contracts.values import LogLevel, LogLine
from mim.runtime import metrics
from mim.runtime.settings import Settings

if TYPE_CHECKING:
    from mim.runtime.bus import Bus

# CSI, OSC, two-character sequences and the C1 controls of ECMA-48, complete or cut off.
ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -~]?|[\x80-\x9f]")
# A Telegram bot token, also inside a URL (https://core.telegram.org/bots/api#authorizing-your-bot), our API keys,
# bearer tokens, and the user and password of a URL.
SECRET = re.compile(
    r"\d{5,}:[A-Za-z0-9_-]{30,}|mimt?_[A-Za-z0-9_-]{20,}|(?<=Bearer )\S+|(?<=://)[^\s/@\"']{1,256}(?=@)"
)
SECRET_FIELDS = ("token", "bot_token", "api_key", "authorization", "proxy", "password", "headers")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BARE = re.compile(r"[^\s\"=]+")

CORRELATION = "correlation_id"
INSTANCE = "instance_id"
MOST_LINES = 2_000
MOST_BYTES = 4_000_000
MESSAGE_LENGTH = 16_384
UNSENT_BYTES = 1_000_000
FLUSH_S = 1.0
SPOOL_BYTES = 4_000_000
SPOOLED_S = 2.0
_LEVELS = frozenset(LogLevel)
_ELSEWHERE = frozenset({"timestamp", "level", "service", INSTANCE})


def clean(text: str) -> str:
    """`text` without escape sequences and without anything that looks like a secret."""
    # Most texts have nothing of what the patterns look for, and a search for a word is ten times as fast.
    if "\x1b" in text or not text.isascii():
        text = ANSI.sub("", text)
    if ":" in text or "mim" in text or "Bearer " in text:
        text = SECRET.sub("[redacted]", text)
    return text


def scrub(value: Any) -> Any:
    """`clean` for every text in a value of dicts, lists and tuples; the fields of SECRET_FIELDS go altogether."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _scrub_field(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(item) for item in value]
    return value if isinstance(value, (int, float, bool, type(None))) else clean(_text(value))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a value that cannot be shown must not break what the line tells about
        return f"[{type(value).__name__}]"


def _scrub_field(key: object, value: object) -> Any:
    return "[redacted]" if key in SECRET_FIELDS and value else scrub(value)


def _scrub_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {clean(str(key)): _scrub_field(key, value) for key, value in event.items()}


def correlation() -> str | None:
    """The id that ties together what one request or command caused, in all services; None outside of one."""
    return structlog.contextvars.get_contextvars().get(CORRELATION)


def correlated(correlation_id: str | None) -> AbstractContextManager[None]:
    """Let log lines, and what is published, carry an id. One that came from outside is cut down to what is harmless."""
    given = "".join(char for char in correlation_id or "" if char.isalnum() or char in "-_")[:64]
    return structlog.contextvars.bound_contextvars(**{CORRELATION: given or uuid4().hex})


def of_instance(instance_id: str) -> AbstractContextManager[None]:
    """Let everything that is logged inside, also by libraries and in tasks that begin there, carry an instance's id."""
    return structlog.contextvars.bound_contextvars(**{INSTANCE: instance_id})


# -------------------------------------------------------------------------------------- lines for the bus


class InstanceLines:
    """Log lines of instances that wait for the bus: at most MOST_LINES and MOST_BYTES, the oldest make room.

    `wake` is called when there is something to take again, from whichever thread the line came.
    """

    def __init__(self) -> None:
        self.wake: Callable[[], object] | None = None
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def keep(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """A processor that keeps a line, scrubbed by then, if it is one of an instance. Never raises."""
        instance_id = event.get(INSTANCE)
        if isinstance(instance_id, str):
            try:
                self._add(subjects.log_line(instance_id), _line(event).model_dump_json().encode())
            except Invalid:
                pass  # not the id of an instance
            except Exception:  # noqa: BLE001 - a log call breaks nothing
                metrics.log_line_dropped()
        return event

    def _add(self, subject: str, payload: bytes) -> None:
        with self._lock:
            self._waiting.append((subject, payload))
            self._bytes += len(payload)
            while len(self._waiting) > MOST_LINES or self._bytes > MOST_BYTES:
                self._bytes -= len(self._waiting.popleft()[1])
                metrics.log_line_dropped()
            is_first = len(self._waiting) == 1
        if is_first and self.wake is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody takes any more
                self.wake()

    def take(self) -> tuple[str, bytes] | None:
        """The oldest line, subject and payload; None if none waits."""
        with self._lock:
            if not self._waiting:
                return None
            subject, payload = self._waiting.popleft()
            self._bytes -= len(payload)
            return subject, payload


LINES = InstanceLines()


def _line(event: EventDict) -> LogLine:
    return LogLine(
        timestamp=event["timestamp"],
        level=LogLevel(event["level"]) if event["level"] in _LEVELS else LogLevel.INFO,
        message=_message({key: value for key, value in event.items() if key not in _ELSEWHERE}),
        source=event["service"],
    )


def _message(fields: dict[str, Any]) -> str:
    """The event's name, the other fields as `key=value`, and the traceback; cut in the middle if it is too long."""
    first, trace = str(fields.pop("event", "")), fields.pop("exception", None)
    text = " ".join([first, *(f"{key}={_shown(value)}" for key, value in fields.items())])
    text = _CONTROL.sub("", f"{text}\n{trace}" if trace else text)
    text = text.encode(errors="replace").decode()
    half = MESSAGE_LENGTH // 2 - 3
    return text if len(text) <= MESSAGE_LENGTH else f"{text[:half]}\n…\n{text[-half:]}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) and _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


async def ship(bus: Bus) -> None:
    """Bring the lines of instances onto the bus as they come, for ever; while it is away they wait."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    came.set()
    bus.on_reconnect(came.set)
    LINES.wake = lambda: loop.call_soon_threadsafe(came.set)
    try:
        while True:
            await came.wait()
            came.clear()
            await _send_all(bus)
    finally:
        LINES.wake = None


async def flush(bus: Bus) -> None:
    """Bring what still waits onto the bus, within FLUSH_S."""
    with suppress(TimeoutError, nats.errors.Error, OSError):
        async with asyncio.timeout(FLUSH_S):
            await _send_all(bus)
            await bus.nc.flush()


async def _send_all(bus: Bus) -> None:
    while bus.connected and (line := LINES.take()) is not None:
        try:
            # Without an acknowledgement: a line is not worth a round trip, and the stream keeps only the newest.
            await bus.nc.publish(*line)
            if bus.nc.pending_data_size > UNSENT_BYTES:
                await bus.nc.flush(2)
        except (nats.errors.Error, TimeoutError, OSError):
            metrics.log_line_dropped()


# ------------------------------------------------------------------------------------------------- stderr


class Spool(io.TextIOBase):
    """A stream whose `write` never waits for its reader: a thread writes. What the reader does not take is kept up to
    SPOOL_BYTES; then the oldest makes room and is counted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def isatty(self) -> bool:
        """Whether a person reads."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Take a line."""
        with self._changed:
            self._waiting.append(text)
            self._size += len(text)
            while self._size > SPOOL_BYTES:
                self._size -= len(self._waiting.popleft())
                metrics.log_line_dropped()
            if self._thread is None or not self._thread.is_alive():  # a fork has its memory, not its threads
                self._thread = threading.Thread(target=self._run, name="log spool", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return len(text)

    def finish(self, stalled_s: float, most_s: float) -> None:
        """Return when everything is written, nothing was taken for `stalled_s`, or `most_s` are over."""
        end = time.monotonic() + most_s
        with self._changed:
            while self._size and (left := end - time.monotonic()) > 0:
                if not self._changed.wait(min(stalled_s, left)):
                    return

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                text = self._waiting.popleft()
            with suppress(OSError, ValueError):  # nobody reads any more
                self._stream.write(text)
                self._stream.flush()
            with self._changed:
                self._size -= len(text)
                self._changed.notify_all()


def finish() -> None:
    """Let what was logged reach its reader before the process ends: as long as it reads, and within SPOOLED_S."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Output) and isinstance(handler.stream, Spool):
            handler.stream.finish(FLUSH_S, SPOOLED_S)


# ------------------------------------------------------------------------------------------ configuration


def _fields(service: str) -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _l, _m, event: {"service": service, **event},
    ]


class Output(logging.StreamHandler[TextIO | Spool]):
    """Shows lines from a level on, and keeps those of instances for the bus, from `info` on at least."""

    def __init__(self, stream: TextIO | Spool, service: str, shown: int, *, pretty: bool, lines: InstanceLines) -> None:
        super().__init__(stream)
        self._shown = shown
        self.setLevel(min(shown, logging.INFO))
        renderer = (
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the others print local variables
            )
            if pretty
            else structlog.processors.JSONRenderer(ensure_ascii=False)
        )
        formatter = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_fields(service),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _scrub_event,
                lines.keep,
                renderer,
            ],
        )
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line, or only keep it."""
        if record.levelno >= self._shown:
            super().emit(record)
        elif INSTANCE in (record.msg if isinstance(record.msg, dict) else structlog.contextvars.get_contextvars()):
            with suppress(Exception):  # arguments that do not fit their message, say
                self.format(record)


def configure(settings: Settings, service: str) -> None:
    """Send all logs of this process, the libraries' too, to stderr in one form, and those of instances to `LINES`."""
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    output = Output(Spool(sys.stderr), service, level, pretty=pretty, lines=LINES)
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(output.level)
    atexit.register(finish)
    for noisy in ("nats", "aiohttp.access", "aiogram"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*_fields(service), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(output.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
