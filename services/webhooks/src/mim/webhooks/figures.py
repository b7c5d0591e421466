"""What is counted here, on the registry of the process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from mim.runtime.metrics import REGISTRY

_pending = Gauge("mim_webhook_deliveries_pending", "Deliveries that wait for a try.", registry=REGISTRY)
_oldest = Gauge(
    "mim_webhook_oldest_age_seconds", "Since when the delivery that waits longest has waited.", registry=REGISTRY
)
_lag = Gauge(
    "mim_webhook_events_waiting", "Events of the stream that were not looked at for webhooks yet.", registry=REGISTRY
)
_tries = Counter(
    "mim_webhook_tries_total",
    "Requests to webhooks by what came of them: delivered, retry, or never.",
    ["outcome"],
    registry=REGISTRY,
)
_seconds = Histogram(
    "mim_webhook_seconds",
    "Time that a target took for one request, failures included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
    registry=REGISTRY,
)


def tried(outcome: str, seconds: float) -> None:
    """A request to a webhook is over."""
    _tries.labels(outcome).inc()
    _seconds.observe(seconds)


def queue(depth: int, oldest_s: float) -> None:
    """How many deliveries wait, and for how long the oldest has."""
    _pending.set(depth)
    _oldest.set(oldest_s)


def lag(events: int) -> None:
    """How many events of the stream wait to be looked at."""
    _lag.set(events)
