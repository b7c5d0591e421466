"""Traces: one request or command followed through all services, off unless MIM_OTEL_ENDPOINT is set.

    with tracing.request_span("POST", "/api/v1/instances", request.headers) as span:   a request came in
        ...
        span.answered(201)
    with tracing.publishing(subject, headers):       a message goes out; `headers` get the trace (W3C `traceparent`)
    with tracing.consuming(subject, headers):        a message came in; goes on with its trace
    with tracing.resumed("obey order", instance_id): what a message about this instance has caused, in another task

While it is off every one of them is the same object that does nothing, and OpenTelemetry is not even imported. Spans
never hold texts, tokens or ids of users.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from mim.runtime.settings import Settings

if TYPE_CHECKING:
    from mim.runtime.otel import Traces

STOP_S = 1.0
QUIET = frozenset({"/health", "/metrics", "/metrics/{service}"})
"""Routes that machines call again and again."""


class NoSpan:
    """A step that nobody records."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def answered(self, status: int) -> None:
        """Say with which HTTP status a request was answered."""


OFF = NoSpan()


class _State:
    traces: ClassVar[Traces | None] = None


def start(settings: Settings, service: str) -> None:
    """Begin to record, if the settings say where to; OpenTelemetry is imported only then."""
    if settings.otel_endpoint and _State.traces is None:
        module = import_module("mim.runtime.otel")
        _State.traces = module.Traces(settings.otel_endpoint, service, settings.host_name)


async def stop(deadline_s: float = STOP_S) -> None:
    """Send what is left, but wait no longer than that, and record nothing more."""
    traces, _State.traces = _State.traces, None
    if traces is not None:
        await traces.close(deadline_s)


def request_span(method: str, route: str, headers: Mapping[str, str]) -> NoSpan:
    """An HTTP request that is being answered; goes on with the caller's trace. `route` is the template."""
    traces = _State.traces
    return OFF if traces is None or route in QUIET else traces.request(method, route, headers)


def publishing(subject: str, headers: MutableMapping[str, str], *, asks: bool = False) -> NoSpan:
    """A message that is being published, or with `asks` a request over the bus; puts the trace into `headers`."""
    traces = _State.traces
    return OFF if traces is None else traces.publish(subject, headers, asks=asks)


def consuming(subject: str, headers: Mapping[str, str] | None) -> NoSpan:
    """A message that is being handled; goes on with the trace of its headers."""
    traces = _State.traces
    return OFF if traces is None else traces.consume(subject, headers or {})


def noted(subject: str, headers: Mapping[str, str] | None, at: datetime) -> None:
    """Remember the trace of a message that concerns an instance and was stored at `at`, for `resumed`."""
    traces = _State.traces
    if traces is not None and headers:
        traces.note(subject, headers, at)


def resumed(step: str, instance_id: str) -> NoSpan:
    """What a service does for an instance because of a message that it has just followed; in no task of that."""
    traces = _State.traces
    return OFF if traces is None else traces.resume(step, instance_id)
