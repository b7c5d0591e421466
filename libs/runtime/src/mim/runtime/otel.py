"""Recording of traces with OpenTelemetry, sent as OTLP over HTTP. Only `tracing` imports this, and only when it is on.

Nothing is set globally, and nothing but the endpoint is taken from a setting. Names of spans are templates: an id in a
subject becomes `{id}` there, and the instance's stands in the attribute `mim.instance_id`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from contextvars import Token
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Self

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mim.contracts import subjects
from mim.contracts.errors import MimError
from mim.contracts.messages import ActivityReported
from mim.runtime.tracing import OFF, NoSpan

FRESH_S = 60.0
"""What happens later than this after a step has ended begins a trace of its own: sessions live for months."""
MOST_NOTED = 10_000
EXPORT_S = 5.0
PATH = "/v1/traces"  # https://opentelemetry.io/docs/specs/otlp/#otlphttp-request

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_W3C = TraceContextTextMapPropagator()


class LiveSpan(NoSpan):
    """A step that is recorded from entering to leaving; an error is told by its code or kind, never by its text."""

    __slots__ = ("_span", "_token", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None
        self.context = trace.set_span_in_context(span)

    def __enter__(self) -> Self:
        self._token = context.attach(self.context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        if isinstance(error, Exception):
            name = str(error.code) if isinstance(error, MimError) else type(error).__name__
            self._span.set_attribute("error.type", name)
            self._span.set_status(Status(StatusCode.ERROR, name))
        self._span.end()

    def answered(self, status: int) -> None:
        """Say with which HTTP status a request was answered."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))


class Traces:
    """What `tracing` calls while it is on. Recording costs some 20 µs a span; a thread of its own sends them."""

    def __init__(self, endpoint: str, service: str, host: str) -> None:
        base = endpoint.rstrip("/").removesuffix(PATH)
        exporter = OTLPSpanExporter(endpoint=base + PATH, timeout=EXPORT_S)
        # A collector that is away is told of once for each batch that is lost, not for each try.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        about = {"service.name": service, "service.version": version("mim-runtime"), "host.name": host}
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON), resource=Resource(about), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mim")
        self._noted: OrderedDict[str, tuple[Context, datetime]] = OrderedDict()

    async def close(self, deadline_s: float) -> None:
        """Send what is left, within the deadline."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            with suppress(Exception):
                self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        # A daemon, not the loop's executor: the interpreter would wait for that one at its end.
        threading.Thread(target=end, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await done.wait()

    def request(self, method: str, route: str, headers: Mapping[str, str]) -> NoSpan:
        """See `tracing.request_span`."""
        attributes = {"http.request.method": method, "http.route": route}
        return self._begin(f"{method} {route}", SpanKind.SERVER, _W3C.extract(headers, Context()), attributes)

    def publish(self, subject: str, headers: MutableMapping[str, str], *, asks: bool) -> NoSpan:
        """See `tracing.publishing`. What comes by itself all the time is recorded only inside of a trace."""
        if _is_routine(subject) and not trace.get_current_span().get_span_context().is_valid:
            return OFF
        kind, verb = (SpanKind.CLIENT, "request") if asks else (SpanKind.PRODUCER, "publish")
        name, attributes = _destination(subject)
        span = self._begin(f"{verb} {name}", kind, context.get_current(), attributes)
        _W3C.inject(headers, span.context)
        return span

    def consume(self, subject: str, headers: Mapping[str, str]) -> NoSpan:
        """See `tracing.consuming`."""
        name, attributes = _destination(subject)
        return self._begin(f"process {name}", SpanKind.CONSUMER, _W3C.extract(headers, Context()), attributes)

    def note(self, subject: str, headers: Mapping[str, str], at: datetime) -> None:
        """See `tracing.noted`."""
        found = _ID.search(subject)
        if found is None or "traceparent" not in headers or not _is_fresh(at):
            return
        self._noted[found[0]] = (_W3C.extract(headers, Context()), at)
        self._noted.move_to_end(found[0])
        while len(self._noted) > MOST_NOTED:
            self._noted.popitem(last=False)

    def resume(self, step: str, instance_id: str) -> NoSpan:
        """See `tracing.resumed`."""
        found = self._noted.get(instance_id)
        if found is None:
            return OFF
        parent, at = found
        if not _is_fresh(at):
            del self._noted[instance_id]
            return OFF
        return self._begin(step, SpanKind.INTERNAL, parent, {"mim.instance_id": instance_id})

    def _begin(self, name: str, kind: SpanKind, parent: Context, attributes: Mapping[str, str]) -> LiveSpan:
        links = []
        before = trace.get_current_span(parent)
        if isinstance(before, ReadableSpan) and before.end_time is not None:
            ended = datetime.fromtimestamp(before.end_time / 1e9, UTC)
            if not _is_fresh(ended):
                parent, links = Context(), [Link(before.get_span_context())]
        return LiveSpan(self._tracer.start_span(name, parent, kind, dict(attributes), links))


def _is_routine(subject: str) -> bool:
    """Whether it is a key of a bucket, such as a heartbeat, or a report of activity."""
    return subject.startswith("$") or subjects.last_token(subject) == ActivityReported.name


def _is_fresh(at: datetime) -> bool:
    return (datetime.now(UTC) - at).total_seconds() < FRESH_S


def _destination(subject: str) -> tuple[str, dict[str, str]]:
    """A subject as the name of a span and as attributes; of a bucket's key only the bucket is told."""
    found = _ID.search(subject)
    name = ".".join(subject.split(".")[:2]) if subject.startswith("$") else _ID.sub("{id}", subject)
    attributes = {"messaging.system": "nats", "messaging.destination.template": name}
    return name, attributes | ({"mim.instance_id": found[0]} if found else {})
