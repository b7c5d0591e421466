"""Every metric of the system, defined once, and the few functions with which the code counts.

One registry for each process, as text in the exposition format 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats/). Labels hold words of a small fixed set, never an id of
an instance or a user.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, for nobody
ProcessCollector(registry=REGISTRY)


# ------------------------------------------------------------------------------------------------ traffic


class _Requests(Collector):
    """HTTP requests as plain numbers: the library's own metrics cost 2 µs a request, a tenth of what the gateway does
    for one, and nobody looks at them as often."""

    BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

    def __init__(self) -> None:
        self.begun = 0
        self._answered: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(self.BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def done(self, route: str, method: str, status: int, seconds: float) -> None:
        """One was answered."""
        self._answered[route, method, status] += 1
        self._buckets[route][bisect_left(self.BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        """What the library asks for when the metrics are shown."""
        answered = CounterMetricFamily(
            "mim_http_requests", "HTTP requests that were answered.", labels=["route", "method", "status"]
        )
        for (route, method, status), count in self._answered.items():
            answered.add_metric([route, method, str(status)], count)
        took = HistogramMetricFamily(
            "mim_http_request_seconds", "Time from the arrival of an HTTP request to its answer.", labels=["route"]
        )
        names = [*(str(bound) for bound in self.BOUNDS), "+Inf"]
        for route, counts in self._buckets.items():
            took.add_metric([route], list(zip(names, accumulate(counts), strict=True)), self._seconds[route])
        in_flight = GaugeMetricFamily(
            "mim_http_requests_in_flight",
            "HTTP requests that are being answered.",
            self.begun - sum(self._answered.values()),
        )
        yield from (answered, took, in_flight)


_requests = _Requests()
REGISTRY.register(_requests)
_subscribers = Gauge(
    "mim_subscribers", "Clients that follow events or log lines over SSE or WebSockets.", registry=REGISTRY
)
_let_go = Counter("mim_subscribers_let_go_total", "Clients cut off because they read too slowly.", registry=REGISTRY)
_refusals = Counter("mim_rate_limit_refusals_total", "HTTP requests refused for coming too often.", registry=REGISTRY)

# --------------------------------------------------------------------------------- commands, events, the bus

_commands = Counter(
    "mim_commands_total",
    "Commands to instances by what became of them: ok, retried, or the code of a refusal.",
    ["verb", "outcome"],
    registry=REGISTRY,
)
_events = Counter("mim_events_published_total", "Events stored in the stream, by name.", ["event"], registry=REGISTRY)
_dead_letters = Counter(
    "mim_dead_letters_total", "Messages that could not be handled, by code.", ["code"], registry=REGISTRY
)
_lag_events = Gauge(
    "mim_fold_lag_events", "Events of the stream that are not yet folded into the read model.", registry=REGISTRY
)
_lag_seconds = Gauge("mim_fold_lag_seconds", "Age of the oldest event that is not yet folded in.", registry=REGISTRY)
_reconnects = Counter("mim_bus_reconnects_total", "Times the bus connection was lost and came back.", registry=REGISTRY)
_dropped = Counter(
    "mim_bus_messages_dropped_total",
    "Messages of the bus that were dropped because this process did not take them in time.",
    registry=REGISTRY,
)
_lines_dropped = Counter(
    "mim_log_lines_dropped_total", "Log lines of instances that did not reach the bus.", registry=REGISTRY
)

# ------------------------------------------------------------------------------------- sessions, sending

_sessions = Gauge("mim_sessions", "Instances of a worker by status.", ["provider", "status"], registry=REGISTRY)
_waiting = Gauge(
    "mim_sessions_waiting",
    "Instances of a worker that wait for their turn to connect.",
    ["provider"],
    registry=REGISTRY,
)
_queue_messages = Gauge(
    "mim_outbox_messages", "Messages that wait to be sent or are being sent.", ["provider"], registry=REGISTRY
)
_queue_age = Gauge(
    "mim_outbox_oldest_age_seconds", "Age of the message that waits longest.", ["provider"], registry=REGISTRY
)
_sends = Counter(
    "mim_sends_total",
    "Messages handed to a messenger: sent, or the code of the failure.",
    ["provider", "outcome"],
    registry=REGISTRY,
)
_send_seconds = Histogram(
    "mim_send_seconds",
    "Time a messenger took for one message, failures included.",
    ["provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    registry=REGISTRY,
)

# ----------------------------------------------------------------------------------------------- webhooks

_webhook_pending = Gauge("mim_webhook_deliveries_pending", "Deliveries that wait for a try.", registry=REGISTRY)
_webhook_oldest = Gauge("mim_webhook_oldest_age_seconds", "Age of the delivery that waits longest.", registry=REGISTRY)
_webhook_events = Gauge(
    "mim_webhook_events_waiting", "Events of the stream that were not looked at for webhooks yet.", registry=REGISTRY
)
_webhook_tries = Counter(
    "mim_webhook_tries_total",
    "Requests to webhooks by what came of them: delivered, retry, or never.",
    ["outcome"],
    registry=REGISTRY,
)
_webhook_seconds = Histogram(
    "mim_webhook_seconds",
    "Time that a target took for one request, failures included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
    registry=REGISTRY,
)

# ------------------------------------------------------------------------------------------- message store

_unstored = Gauge(
    "mim_messages_waiting", "Events of the stream that are not in the message store yet.", registry=REGISTRY
)

# ------------------------------------------------------------------------------------------------ process

_tree_memory = Gauge(
    "mim_process_tree_memory_bytes", "Memory of the process and its children, shared pages once.", registry=REGISTRY
)
_tree_cpu = Gauge(
    "mim_process_tree_cpu_ratio", "Processor time of the process and its children; 1 is one core.", registry=REGISTRY
)
_build = Info("mim_build", "What runs here.", registry=REGISTRY)


_seen: defaultdict[str, set[str]] = defaultdict(set)  # statuses that a provider has shown so far


def unstored(count: int) -> None:
    """How many events are not in the message store yet."""
    _unstored.set(count)


def service(name: str) -> None:
    """Say which service this process is."""
    _build.info({"service": name, "version": version("mim-runtime")})


def request_began() -> None:
    """An HTTP request has come; `request_done` must follow."""
    _requests.begun += 1


def request_done(route: str, method: str, status: int, seconds: float) -> None:
    """An HTTP request was answered. `route` is the template, such as `/api/v1/instances/{id}`, never the path."""
    _requests.done(route, method if method in METHODS else OTHER, status, seconds)


def rate_limited() -> None:
    """An HTTP request was refused because too many came before it."""
    _refusals.inc()


def subscribers(more: int) -> None:
    """So many more clients follow something; -1: one less."""
    _subscribers.inc(more)


def subscriber_let_go() -> None:
    """A client was cut off because it read too slowly."""
    _let_go.inc()


def command_done(verb: str, outcome: str) -> None:
    """A command is done: `outcome` is `ok`, the code of the refusal, or `retried` for one that will be tried again."""
    _commands.labels(verb, outcome).inc()


def event_published(name: str) -> None:
    """An event is in the stream."""
    _events.labels(name).inc()


def dead_letter(code: str) -> None:
    """A message could not be handled."""
    _dead_letters.labels(code).inc()


def lag(events: int, seconds: float) -> None:
    """How far the read model is behind the stream."""
    _lag_events.set(events)
    _lag_seconds.set(seconds)


def bus_reconnected() -> None:
    """The bus connection came back."""
    _reconnects.inc()


def message_dropped() -> None:
    """A message of the bus was dropped, because too many waited before it."""
    _dropped.inc()


def log_line_dropped() -> None:
    """A log line of an instance will not reach the bus."""
    _lines_dropped.inc()


def sessions(provider: str, by_status: Mapping[str, int]) -> None:
    """How many instances of this worker are in each status; statuses that are left out have none."""
    _seen[provider].update(by_status)
    for status in _seen[provider]:
        _sessions.labels(provider, status).set(by_status.get(status, 0))


def waiting(provider: str, count: int) -> None:
    """How many instances of this worker wait for their turn to connect."""
    _waiting.labels(provider).set(count)


def queue(provider: str, depth: int, oldest_s: float) -> None:
    """How many messages of this worker wait, and for how long the oldest has."""
    _queue_messages.labels(provider).set(depth)
    _queue_age.labels(provider).set(oldest_s)


def send_done(provider: str, outcome: str, seconds: float) -> None:
    """A messenger took a message (`outcome` is `sent`) or it failed (the code); `seconds` is what that took."""
    _sends.labels(provider, outcome).inc()
    _send_seconds.labels(provider).observe(seconds)


def webhook_tried(outcome: str, seconds: float) -> None:
    """A request to a webhook is over; `seconds` is what the target took."""
    _webhook_tries.labels(outcome).inc()
    _webhook_seconds.observe(seconds)


def webhook_queue(depth: int, oldest_s: float) -> None:
    """How many deliveries wait, and for how long the oldest has."""
    _webhook_pending.set(depth)
    _webhook_oldest.set(oldest_s)


def webhook_lag(events: int) -> None:
    """How many events of the stream wait to be looked at."""
    _webhook_events.set(events)


def process_tree(memory_bytes: int, cpu_ratio: float) -> None:
    """What this process and its children use."""
    _tree_memory.set(memory_bytes)
    _tree_cpu.set(cpu_ratio)


def render() -> bytes:
    """All metrics as text; a client reads it by `CONTENT_TYPE`."""
    return prometheus_client.generate_latest(REGISTRY)
