"""The allocator as a process: `mim run allocator`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mim.allocator.handlers import Allocator, can_listen
from mim.contracts import subjects
from mim.contracts.records import AllocationRequest, Release, Reply
from mim.runtime.bus import Bus
from mim.runtime.secrets import load_vault
from mim.runtime.service import Tasks
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets


@asynccontextmanager
async def allocator(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Answer requests for ports, keys and workers."""
    service = Allocator(
        bus,
        Secrets(bus, load_vault(settings)),
        host=settings.host_name,
        ports=settings.port_range(),
        probe=lambda port: can_listen(settings.instance_host, port),
    )
    subscribe(bus, service)
    bus.figures = service.assignments.figures
    async with Tasks(bus) as tasks:
        tasks.start(service.watch_ports(), "ports")
        tasks.start(service.watch_workers(), "workers")
        await service.ready.wait()  # before that it would offer ports that are taken
        yield


def subscribe(bus: Bus, service: Allocator) -> None:
    """Requests are shared among all allocators; each is answered once, errors too."""

    @bus.broker.subscriber(subjects.ALLOCATE, queue=subjects.ALLOCATOR_QUEUE, max_workers=64)
    async def allocate(request: AllocationRequest) -> Reply:
        return await service.allocate(request)

    @bus.broker.subscriber(subjects.RELEASE, queue=subjects.ALLOCATOR_QUEUE, max_workers=64)
    async def release(request: Release) -> Reply:
        return await service.release(request)
