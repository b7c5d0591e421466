"""The service of webhooks as a process: `mim run webhooks`. Wiring only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mim.contracts import subjects
from mim.contracts.deliveries import DeliveryCall, DeliveryReply
from mim.contracts.reports import Figure
from mim.runtime import metrics
from mim.runtime.bus import Bus
from mim.runtime.intake import Intake
from mim.runtime.secrets import load_vault
from mim.runtime.service import Tasks
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets
from mim.storage.database import open_database, surely
from mim.webhooks.hooks import Hooks
from mim.webhooks.intake import CONSUMER, Judge
from mim.webhooks.lanes import Clock, Lanes, WallClock
from mim.webhooks.ledger import Keeping, Ledger
from mim.webhooks.requests import Handler, Requests
from mim.webhooks.target import Target

MEASURE_S = 5.0
TRIM_S = 60.0


@asynccontextmanager
async def webhooks(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Deliver what webhooks ask for."""
    async with open_database(settings, "webhooks") as database:
        clock = WallClock(bus.now)
        hooks = Hooks(bus, Secrets(bus, load_vault(settings)))
        ledger = Ledger(database)
        async with (
            Target(allow_private=settings.webhook_private, now=clock.now) as target,
            serve(bus, ledger, hooks, target, clock),
        ):
            yield


@asynccontextmanager
async def serve(bus: Bus, ledger: Ledger, hooks: Hooks, target: Target, clock: Clock) -> AsyncIterator[Lanes]:
    """Everything that runs, until the end of the block."""
    lanes = Lanes(ledger, hooks, target, clock)
    hooks.changed = lanes.wake
    intake = Intake(bus, CONSUMER, Judge(bus, ledger, hooks, lanes).take, metrics.webhook_lag)
    for verb, handler in Requests(ledger, hooks, lanes, target, clock).handlers().items():
        _answer(bus, subjects.webhooks_call(verb), handler)
    async with Tasks(bus) as tasks:
        tasks.start(hooks.run(), "webhooks of instances")
        await hooks.ready.wait()
        async with intake.listening():
            tasks.start(lanes.run(), "lanes")
            tasks.start(intake.run(), "intake")
            tasks.start(intake.keep(), "consumer")
            tasks.start(_measure(bus, ledger, lanes, clock), "queue")
            tasks.start(_trim(ledger, lanes, clock), "retention")
            yield lanes


def _answer(bus: Bus, subject: str, handler: Handler) -> None:
    """Requests are shared among all processes of this service."""

    @bus.broker.subscriber(subject, queue=subjects.WEBHOOKS_DURABLE, max_workers=32)
    async def answer(call: DeliveryCall) -> DeliveryReply:
        return await handler(call)


async def _measure(bus: Bus, ledger: Ledger, lanes: Lanes, clock: Clock) -> None:
    told: dict[str, Figure] = {}
    bus.figures = lambda: told
    while True:
        depth, oldest = await surely(ledger.depth)
        age_s = 0.0 if oldest is None else max(0.0, (clock.now() - oldest).total_seconds())
        metrics.webhook_queue(depth, age_s)
        told.update(pending=depth, oldest_s=round(age_s, 3), lanes=len(lanes))
        await asyncio.sleep(MEASURE_S)


async def _trim(ledger: Ledger, lanes: Lanes, clock: Clock) -> None:
    """Now and then: what is too old goes, and what another process of this service left behind gets a lane."""
    while True:
        await asyncio.sleep(TRIM_S)
        await surely(lambda: ledger.trim(Keeping(), clock.now()))
        for instance_id in await surely(ledger.waiting):
            lanes.open(instance_id)
