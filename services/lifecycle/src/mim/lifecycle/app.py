"""Lifecycle as a process: `mim run lifecycle`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.nats import JStream
from nats.aio.msg import Msg

from mim.contracts import subjects
from mim.contracts.messages import AnyCommand, parse_command
from mim.lifecycle.containers import Containers
from mim.lifecycle.handlers import Lifecycle
from mim.lifecycle.model import ReadModel
from mim.lifecycle.orphans import Orphans
from mim.runtime import streams
from mim.runtime.bus import Bus
from mim.runtime.consumers import attend
from mim.runtime.secrets import load_vault
from mim.runtime.service import Tasks
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets
from mim.runtime.streams import COMMAND_CONSUMER

log = structlog.get_logger()


@asynccontextmanager
async def lifecycle(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Fold the events, obey the commands, keep wish and fact together."""
    model = ReadModel(bus)
    containers = Containers(bus, settings, model.get)
    service = Lifecycle(bus, model, Secrets(bus, load_vault(settings)), containers)
    model.changed = containers.changed = service.touch
    bus.on_reconnect(service.bus_returned)
    subscribe(bus, service)
    async with Tasks(bus) as tasks:
        tasks.start(model.run(), "fold")
        await model.ready.wait()
        tasks.start(model.save(), "save")
        tasks.start(service.living.watch(), "workers")
        tasks.start(service.orders.watch(), "orders")
        tasks.start(service.reconcile(), "reconcile")
        tasks.start(service.moves.run(), "moves")
        tasks.start(service.sweep(), "sweep")
        tasks.start(streams.attend(bus, settings.replicas), "streams")
        tasks.start(attend(bus, subjects.COMMANDS, COMMAND_CONSUMER), "command consumer")
        tasks.start(Orphans(bus, model, service.living.holds).run(), "orphans")
        await bus.nc.subscribe(subjects.CONTAINERS, queue=bus.source, cb=containers.answer)
        if containers.possible:
            tasks.start(containers.run(), "containers")
        service.touch_all()
        yield


def subscribe(bus: Bus, service: Lifecycle) -> None:
    """Take commands from the work queue, in order, each acknowledged when it is done."""

    async def decode(message: StreamMessage[Msg]) -> AnyCommand:
        raw = message.raw_message
        command = parse_command(raw.subject, raw.data)
        reply_to = (raw.headers or {}).get("Mim-Reply-To")
        if reply_to and not command.reply_to:
            command = command.model_copy(update={"reply_to": reply_to})
        if command.reply_to:
            subjects.reply_subject(command.reply_to)
        return command

    @bus.broker.subscriber(
        subjects.INSTANCE_COMMANDS,
        queue=subjects.LIFECYCLE_DURABLE,
        stream=JStream(subjects.COMMANDS, declare=False),
        config=COMMAND_CONSUMER,
        decoder=decode,
        max_workers=64,
        ack_policy=AckPolicy.ACK,
        no_reply=True,
        title="instance commands",
    )
    async def obey(command: AnyCommand) -> None:
        await service.obey(command)
