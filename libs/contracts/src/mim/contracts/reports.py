"""What services say of themselves, and of what they run, when they are asked."""

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


class ContainerUse(Model):
    """What one container takes, measured by the engine. `cpu_percent` is since the last look, 100 for a whole core."""

    name: str
    instance_id: str
    state: str
    memory_mb: float | None = None
    memory_limit_mb: float | None = None
    cpu_percent: float | None = None


class ContainersReport(Model):
    """Answer to a request on `mim.rpc.lifecycle.containers`: the containers of instances that have one each.

    `engine` is empty where none is configured; `error` says why it could not be asked.
    """

    engine: str = ""
    running: int = 0
    total: int = 0
    names: tuple[str, ...] = ()
    containers: tuple[ContainerUse, ...] = ()
    error: str | None = None
