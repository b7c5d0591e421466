"""What is counted here, on the registry of the process."""

from __future__ import annotations

from prometheus_client import Gauge

from mim.runtime.metrics import REGISTRY

_lag = Gauge("mim_messages_waiting", "Events of the stream that are not in the message store yet.", registry=REGISTRY)


def lag(count: int) -> None:
    """How many events are not stored yet."""
    _lag.set(count)
