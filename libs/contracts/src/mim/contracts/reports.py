"""What a service says of itself when it is asked on the health subject."""

from __future__ import annotations

from typing import Literal

from mim.contracts.fields import Model

Figure = float | int | list[float]


class ServiceReport(Model):
    """Answer to a request on `mim.rpc.health`: one from each process.

    `boot` tells apart two processes of one service. Memory and processor time are those of the process and all its
    children; `cpu_percent` is 100 for one core that is fully used. `figures` are the service's own, by name.
    """

    service: str
    boot: str
    up: Literal[True] = True
    host: str
    memory_bytes: int
    cpu_percent: float
    uptime_s: float
    figures: dict[str, Figure] = {}
