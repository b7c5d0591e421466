"""Logs: structlog, pretty on a terminal, JSON otherwise. Escape codes and tokens never get into a line."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import structlog
from structlog.typing import EventDict, WrappedLogger

from mim.runtime.settings import Settings

# CSI, OSC, two-character sequences and the C1 controls of ECMA-48, complete or cut off.
ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -~]?|[\x80-\x9f]")
# A Telegram bot token, also inside a URL (https://core.telegram.org/bots/api#authorizing-your-bot), our API keys,
# bearer tokens, and the user and password of a URL.
SECRET = re.compile(r"\d{5,}:[A-Za-z0-9_-]{30,}|mim_[A-Za-z0-9_-]{20,}|(?<=Bearer )\S+|(?<=://)[^\s/@\"']{1,256}(?=@)")


CORRELATION = "correlation_id"


def clean(text: str) -> str:
    """`text` without escape sequences and without anything that looks like a secret."""
    return SECRET.sub("[redacted]", ANSI.sub("", text))


def scrub(value: Any) -> Any:
    """`clean` for every text in a value of dicts, lists and tuples."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): scrub(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(item) for item in value]
    return value if isinstance(value, (int, float, bool, type(None))) else clean(str(value))


def _scrub_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {clean(str(key)): value if key.startswith("_") else scrub(value) for key, value in event.items()}


def correlation() -> str | None:
    """The id that ties together what one request or command caused, in all services; None outside of one."""
    return structlog.contextvars.get_contextvars().get(CORRELATION)


def correlated(correlation_id: str | None) -> AbstractContextManager[None]:
    """Let log lines, and what is published, carry an id. One that came from outside is cut down to what is harmless."""
    given = "".join(char for char in correlation_id or "" if char.isalnum() or char in "-_")[:64]
    return structlog.contextvars.bound_contextvars(**{CORRELATION: given or uuid4().hex})


def configure(settings: Settings, service: str) -> None:
    """Send all logs of this process, the libraries' too, to stderr in one form."""
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _l, _m, event: {"service": service, **event},
    ]
    render: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _scrub_event,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("nats", "aiohttp.access", "aiogram"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
