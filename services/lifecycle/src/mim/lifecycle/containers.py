"""Instances with a container of their own (`isolation: container`): which one runs when, and why one does not.

A container is one more worker, for one instance only: what goes on in it is told by its heartbeat and its events, as of
any other worker. It runs from when the instance needs a worker until the instance is stopped or deleted. One that ends
is started again with a growing wait; the engine's word on why it ended stands in the status until then.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from nats.aio.msg import Msg

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.records import InstanceRecord, WorkerHeartbeat
from mim.contracts.reports import ContainersReport, ContainerUse
from mim.contracts.states import Isolation, Provider, Status, UserAction
from mim.contracts.values import Reason
from mim.lifecycle.engine import INSTANCE, LABEL, Engine, EngineError, Found, Happened, Plan
from mim.runtime.backoff import Backoff
from mim.runtime.bus import Bus
from mim.runtime.secrets import key_lines
from mim.runtime.settings import Settings
from mim.runtime.store import Store

log = structlog.get_logger()

AGAIN = Backoff(first_s=1.0, most_s=60.0, give_up_s=900.0)
HEARD_S = 60.0
"""A container whose worker is not heard for so long after its start is started anew."""
STEADY_S = 60.0
LOOK_S = 10.0
OOM_AGE = timedelta(seconds=5)
"""The kernel ends a process of the container then, which need not be the one that ends the container."""
ANSWER_S = 2.5
SERVICES = {Provider.TELEGRAM: "telegram-adapter", Provider.WHATSAPPWEB: "whatsapp-adapter"}
_FOR_WORKERS = (
    "telegram_",
    "whatsapp_",
    "media_",
    "nats_user",
    "nats_password",
    "allowed_",
    "rate_",
    "report_",
    "log_",
)
IDLE = frozenset({Status.STOPPED, Status.LOGGED_OUT, Status.ERROR})
"""Where an instance needs no worker."""


@dataclass
class Life:
    """How the container of one instance does: when it is tried next, and why its worker is not there. Pure; times are
    monotonic seconds."""

    attempt: int = 0
    failing_since: float = 0.0
    next_at: float = 0.0
    heard_by: float | None = None
    heard_at: float | None = None
    reason: Reason | None = None
    gone: str | None = None
    """The boot of the worker that was in the container that ended last."""

    def started(self, now: float) -> None:
        """It runs; its worker must be heard within HEARD_S."""
        self.heard_by, self.heard_at = now + HEARD_S, None

    def is_silent(self, now: float) -> bool:
        """Whether it has run for too long without its worker being heard."""
        return self.heard_by is not None and now > self.heard_by

    def heard(self, now: float, boot: str | None) -> None:
        """Its worker is there; that of the container that ended is not, even if its heartbeat still is."""
        if self.heard_at is None and (boot is None or boot != self.gone):
            self.heard_at, self.heard_by, self.next_at, self.reason = now, None, 0.0, None

    def failed(self, now: float, reason: Reason, chance: float) -> None:
        """It ended or did not start: tried again after a wait that grows, until only a person can go on (the reason's
        action is RESTART then)."""
        if self.heard_at is not None and now - self.heard_at > STEADY_S:
            self.attempt = 0
        self.heard_at = self.heard_by = None
        self.failing_since = now if self.attempt == 0 else self.failing_since
        self.attempt += 1
        wait_s = AGAIN.wait_s(self.attempt, now - self.failing_since, chance)
        self.next_at, self.reason = now + (wait_s or 0.0), reason
        if wait_s is None or reason.code == ErrorCode.PORT_TAKEN:
            self.attempt, self.reason = 0, reason.model_copy(update={"user_action": UserAction.RESTART})

    def ended(self, now: float, reason: Reason, chance: float, boot: str | None) -> None:
        """It ended, and with it the worker of that boot."""
        self.failed(now, reason, chance)
        self.gone = boot


class Containers:
    """Starts and removes them. `changed(id)` is called when something about an instance's container changed;
    `known(id)` is its record. `clock` is monotonic seconds, `chance` uniform in [0, 1)."""

    def __init__(
        self,
        bus: Bus,
        settings: Settings,
        known: Callable[[str], InstanceRecord | None],
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._bus = bus
        self._settings = settings
        self.changed: Callable[[str], None] = lambda _: None
        self._known = known
        self._clock = clock
        self._chance = chance
        self.engine = Engine(settings.docker_host)
        self._beats = Store(bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)
        self._lives: dict[str, Life] = {}
        self._system = ""
        self._image = ""

    @property
    def possible(self) -> bool:
        """Whether there is an engine at all."""
        return bool(self._settings.docker_host)

    # -------------------------------------------------------------------------------------- what lifecycle asks

    async def ensure(self, record: InstanceRecord) -> Reason:
        """See to it that the instance's container runs; returns why its worker is not there yet.

        A reason whose action is RESTART means that no more is tried until somebody starts the instance.
        """
        life, now = self._lives.setdefault(record.id, Life()), self._clock()
        if now >= life.next_at:
            try:
                await self._start(record, life, now)
            except (EngineError, OSError, ValueError) as error:
                code = getattr(error, "code", ErrorCode.INTERNAL)
                reason = self._reason(code, f"The instance's container does not start: {error}")
                life.failed(now, reason, self._chance())
        return life.reason or self._reason(ErrorCode.CONTAINER_STARTING, "The instance's container is starting")

    async def _start(self, record: InstanceRecord, life: Life, now: float) -> None:
        plan = await self._plan(record)
        if await self.engine.start(plan):
            life.started(self._clock())
            log.info("container_started", instance_id=record.id, container=plan.name)
        elif life.heard_by is None:  # an earlier life of this service started it
            life.started(now)
        elif life.is_silent(now):
            log.error("container_silent", instance_id=record.id, output=await self.engine.tail(plan.name))
            await self.engine.stop(plan.name)
            message = f"The instance's container ran for {HEARD_S:g} s without reaching the bus; its log says why"
            life.failed(now, self._reason(ErrorCode.CONTAINER_ENDED, message), self._chance())

    def heard(self, record: InstanceRecord) -> None:
        """The instance's worker is there."""
        self._lives.setdefault(record.id, Life()).heard(self._clock(), record.boot)

    async def leave(self, record: InstanceRecord) -> None:
        """Remove what the instance does not need: all once it is deleted. Raises: EngineError."""
        if record.status is Status.DELETED:
            await self.engine.forget(self._name(record.id))
        elif record.id in self._lives:
            await self.engine.stop(self._name(record.id))
        if self._lives.pop(record.id, None) is not None:
            log.info("container_removed", instance_id=record.id)

    def _reason(self, code: str, message: str) -> Reason:
        return Reason(code=code, message=message, user_action=UserAction.WAIT, since=self._bus.now())

    # -------------------------------------------------------------------------------------------------- plans

    def _name(self, instance_id: str) -> str:
        return f"mim-{self._system}-{instance_id}"

    async def _plan(self, record: InstanceRecord) -> Plan:
        self._image = self._image or await self.engine.image(self._settings.container_image)
        settings, service = self._settings, SERVICES[record.provider]
        folder = f"/secrets/{service}"
        return Plan(
            name=self._name(record.id),
            labels={LABEL: self._system, INSTANCE: record.id, "mim.user": record.user_id},
            image=self._image,
            command=["run", service],
            environment={"MIM_SECRETS_DIR": folder},
            folder=folder,
            files=await asyncio.to_thread(files_for, settings, record, service, folder),
            network=settings.container_network,
            ports=record.ports.numbers(),
            publish_at=settings.instance_host,
            memory_mb=settings.container_memory_mb,
            cpus=settings.container_cpus,
            pids=settings.container_pids,
        )

    # ------------------------------------------------------------------------------------ what the engine tells

    async def run(self) -> None:
        """Follow what the engine tells, for ever; when it was away, look at everything anew."""
        info = await self._bus.js.stream_info(subjects.EVENTS)
        self._system = hashlib.sha256(f"{info.created}".encode()).hexdigest()[:8]
        while True:
            try:
                async with aclosing(self.engine.follow(self._system)) as events:
                    await self._look()
                    await self._hear(events)
            except MimError as error:
                log.warning("engine_away", code=error.code, why=error.message)
            await asyncio.sleep(1.0)

    async def _hear(self, events: AsyncGenerator[Happened]) -> None:
        looking = asyncio.create_task(self._look_again())
        try:
            async for happened in events:
                await self._heed(happened)
        finally:
            looking.cancel()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(MimError):
                await self._look()

    async def _heed(self, happened: Happened) -> None:
        record = self._known(happened.instance_id)
        if record is None or record.status in IDLE or record.status is Status.DELETED:
            return  # it was removed on purpose
        limit = f"{self._settings.container_memory_mb} MB"
        if happened.action == "oom":
            message = f"Out of memory: a process in the instance's container was ended at {limit}"
            log.error("container_out_of_memory", instance_id=record.id, limit=limit)
            self._lives.setdefault(record.id, Life()).reason = self._reason(ErrorCode.OUT_OF_MEMORY, message)
        elif happened.action == "die":
            await self._ended(record, happened.exit_code)

    async def _ended(self, record: InstanceRecord, exit_code: int | None) -> None:
        """Tell why, and that its worker is gone, which otherwise would be noticed by its silence only."""
        life = self._lives.setdefault(record.id, Life())
        with suppress(EngineError):
            output = await self.engine.tail(self._name(record.id))
            log.error("container_ended", instance_id=record.id, exit_code=exit_code, output=output)
        reason = life.reason
        if reason is None or reason.code != ErrorCode.OUT_OF_MEMORY or reason.since < self._bus.now() - OOM_AGE:
            how = "was stopped" if exit_code == 0 else f"ended with code {exit_code}"
            message = f"The instance's container {how}; it is started again"
            reason = self._reason(ErrorCode.CONTAINER_ENDED, message)
        life.ended(self._clock(), reason, self._chance(), record.boot)
        with suppress(MimError):
            await self._beats.remove(worker_of(record.id))
        self.changed(record.id)

    async def _look(self) -> None:
        """Remove what nobody needs any more, start anew what is not as it should be, note who is gone."""
        found = {item.instance_id: item for item in await self.engine.containers(self._system)}
        for instance_id, item in found.items():
            await self._look_at(self._known(instance_id), item)
        for name in await self.engine.data(self._system):
            if self._known(name.removeprefix(self._name(""))) is None:
                await self.engine.forget(name)

    async def _look_at(self, record: InstanceRecord | None, item: Found) -> None:
        if record is None:
            await self.engine.forget(item.name)
        elif record.status in IDLE:
            await self.engine.stop(item.name)
        elif record.status is not Status.DELETED:
            self._lives.setdefault(record.id, Life())
            if item.state != "running" and record.worker == worker_of(record.id):
                with suppress(MimError):
                    await self._beats.remove(worker_of(record.id))
            elif item.state == "running" and item.digest != (await self._plan(record)).digest:
                await self.engine.stop(item.name)  # other keys, limits or image: its end is heard, and it starts anew

    # --------------------------------------------------------------------------------------------- questions

    async def answer(self, msg: Msg) -> None:
        """Say what the containers take."""
        report = await self._usage() if self.possible else ContainersReport()
        await msg.respond(report.model_dump_json().encode())

    async def _usage(self) -> ContainersReport:
        found: list[Found] = []
        items: list[ContainerUse] = []
        error = None
        try:
            async with asyncio.timeout(ANSWER_S):
                found = sorted(await self.engine.containers(self._system), key=lambda item: item.name)
                items = list(await asyncio.gather(*map(self.engine.usage, found)))
        except EngineError as refused:
            error = refused.message
        except TimeoutError:
            error = "the container engine does not answer in time"
        return ContainersReport(
            engine=self.engine.address,
            running=sum(item.state == "running" for item in found),
            total=len(found),
            names=tuple(item.name for item in found),
            containers=tuple(items),
            error=error,
        )


def worker_of(instance_id: str) -> str:
    """The name of the worker that is for one instance only; a name of its own kind, so that nobody can claim another's
    by choosing an instance's id."""
    return f"only-{hashlib.sha256(instance_id.encode()).hexdigest()[:24]}"


def is_isolated(record: InstanceRecord) -> bool:
    """Whether the instance has a container of its own."""
    return record.isolation is Isolation.CONTAINER


def files_for(settings: Settings, record: InstanceRecord, service: str, folder: str) -> dict[str, bytes]:
    """The settings and keys of a worker for one instance, as the files of `folder` that it reads them from.

    Files that settings name go along. Raises: OSError, ValueError if one cannot be read.
    """
    files: dict[str, bytes] = {}
    given = settings.model_dump(exclude_defaults=True)
    values: dict[str, Any] = {name: value for name, value in given.items() if name.startswith(_FOR_WORKERS)}
    values |= {
        "nats_url": settings.container_nats_url or settings.nats_url,
        "nats_nkey_file": settings.container_nkey_file.format(service=service) or None,
        "nats_ca_file": settings.nats_ca_file,
        "host_name": settings.host_name,
        "instance_host": settings.instance_host if settings.container_network == "host" else "0.0.0.0",
        "worker": worker_of(record.id),
        "worker_only": record.id,
        "worker_capacity": 1,
    }
    for name, value in values.items():
        if value is not None:
            files[f"mim_{name}"] = _carried(Settings.text(value), folder, files).encode()
    keys = key_lines(settings).split(b"\n")
    return files | dict(zip(("mim_secret_key", "mim_secret_key_previous"), keys, strict=False))


def _carried(text: str, folder: str, files: dict[str, bytes]) -> str:
    """`text` with every file that it names taken along, and named by where it will be."""
    words = text.split(" ")
    for place, word in enumerate(words):
        path = Path(word)
        if path.is_absolute() and path.is_file():
            files[path.name] = path.read_bytes()
            words[place] = f"{folder}/{path.name}"
    return " ".join(words)
