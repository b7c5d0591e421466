"""A worker: one adapter process that holds the live sessions of many instances.

It beats a heartbeat, obeys the orders in its part of the `orders` bucket that name its present boot, and runs a
`Runner` for each. If it cannot renew its heartbeat it closes its sessions before anybody may give them to another
worker (FENCE_S here is well below LAPSE_S in lifecycle and allocator), so no account is ever connected twice.
"""

from __future__ import annotations

import asyncio
import errno
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import MappingProxyType
from uuid import uuid4

import nats.errors
import structlog
from nats.aio.msg import Msg
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import InstanceFailed, problems
from mim.contracts.records import DrainCall, InstanceRecord, OrderAction, Reply, SessionOrder, WorkerHeartbeat
from mim.contracts.states import Provider, UserAction
from mim.contracts.values import Reason
from mim.runtime import logs, metrics, tracing
from mim.runtime.activity import Activity
from mim.runtime.admission import Doors
from mim.runtime.backoff import PORT_FREED
from mim.runtime.bus import Bus, Conflict
from mim.runtime.commands import Commands
from mim.runtime.folders import Folders
from mim.runtime.idempotency import Idempotency
from mim.runtime.instance_port import InstancePorts, Means, SendRoute
from mim.runtime.lean import lean
from mim.runtime.media import MediaStore
from mim.runtime.outbox import Outbox
from mim.runtime.proof import newest, still_stands
from mim.runtime.questions import Questions
from mim.runtime.ratelimit import RateLimit
from mim.runtime.runner import Runner
from mim.runtime.secrets import load_vault
from mim.runtime.sending import Sender
from mim.runtime.service import Tasks
from mim.runtime.session import SessionFactory
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store

log = structlog.get_logger()

BEAT_S, FENCE_S = 1.0, 6.0
GONE_S, COUNT_S, AGAIN_S = 60.0, 2.0, 0.2


class Worker:
    """Holds the runners of one provider's instances."""

    def __init__(
        self,
        bus: Bus,
        settings: Settings,
        provider: Provider,
        factory: SessionFactory,
        send_routes: Mapping[str, SendRoute],
    ) -> None:
        self.name = worker_name(settings, provider)
        self.boot = uuid4().hex
        self._bus = bus
        self._settings = settings
        self._adapter_settings = MappingProxyType(settings.adapter_settings())  # one for all sessions
        self._provider = provider
        self._factory = factory
        vault = load_vault(settings)
        self._secrets = Secrets(bus, vault)
        self._media = MediaStore(bus)
        self._sender = Sender(bus)
        self._commands = Commands(bus)
        self._outbox = Outbox(bus, provider, subjects.outbox_inbox(self.name, self.boot))
        self._activity = Activity(bus, self._epoch_of, settings.report_s)
        means = Means(
            bus=bus,
            sender=self._sender,
            commands=self._commands,
            secrets=self._secrets,
            records=Store(bus, subjects.INSTANCES_BUCKET, InstanceRecord),
            activity=self._activity,
            limit=RateLimit(settings.rate_limit, time.monotonic),
            idempotency=Idempotency(bus, vault),
            media=self._media,
        )
        self._ports = InstancePorts(settings, provider, send_routes, means)
        self._orders = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)
        self._key = partial(subjects.order_key, provider, self.name)
        self._beats = Store(bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)
        self._runners: dict[str, Runner] = {}
        root = settings.data_dir / "sessions" / provider
        self._folders = Folders(bus, root, lambda instance_id: instance_id in self._runners)
        self._wanted, self._in_hand = dict[str, SessionOrder | None](), dict[str, SessionOrder | None]()
        self._obeying: dict[str, asyncio.Task[None]] = {}
        self._fenced = self._was_fenced = False
        self._interrupted: set[str] = set()
        self._draining = self._ended = False
        self._hurry = asyncio.Event()
        self._address = settings.instance_host
        self._questions = Questions(bus, self._runners, self._secrets)
        self._doors = Doors.of(settings, provider)

    async def start(self) -> None:
        """Listen, and remove what deleted instances have left behind."""
        self._address = await asyncio.to_thread(self._settings.reached_at)
        await self._ports.start()
        await self._commands.listen()
        await self._outbox.listen()
        await self._questions.listen(self.name)
        await self._bus.nc.subscribe(subjects.drain_call(self.name), cb=self._drain)
        await self._folders.watch()

    async def end(self) -> None:
        """End in order: all sessions and ports closed, then no heartbeat any more, so that others take over at once."""
        for task in list(self._obeying.values()):
            task.cancel()
        await asyncio.gather(*(runner.end() for runner in self._runners.values()), return_exceptions=True)
        await self._ports.stop()  # before others on this machine open the same ports
        self._ended = True  # a beat after this one would let it seem alive until it lapses
        with suppress(MimError):
            await self._beats.remove(self.name)
        await self._activity.close()

    # ------------------------------------------------------------------------------------------- heartbeat

    async def beat(self) -> None:
        """Renew the heartbeat; without success for FENCE_S, close all sessions until it works again."""
        last = time.monotonic()
        revision: int | None = None  # the first beat replaces that of an earlier life
        while not self._ended:
            began = time.monotonic()
            try:
                async with asyncio.timeout(None if self._fenced else max(last + FENCE_S - began, 0)):
                    revision = await self._beat(revision)
            except (Unavailable, TimeoutError):
                if time.monotonic() - last >= FENCE_S and not self._fenced:
                    await self._fence()
                if self._settings.worker_only and time.monotonic() - last > GONE_S:
                    self._bus.closed.set()  # nobody starts or stops this worker while the system is away
            else:
                last = began
                if self._fenced:
                    await self._resume()
            pause_s = BEAT_S if self._fenced else min(BEAT_S, max(last + FENCE_S - time.monotonic(), 0))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()
            self._hurry.clear()

    async def _beat(self, revision: int | None) -> int:
        beat = WorkerHeartbeat(
            worker=self.name,
            boot=self.boot,
            provider=self._provider,
            host=self._settings.host_name,
            capacity=self._settings.worker_capacity,
            load=len(self._runners),
            address=self._address,
            port=self._ports.hub_port,
            memory_bytes=self._bus.process.memory_bytes,
            only=self._settings.worker_only or None,
            draining=self._draining,
        )
        try:
            return await self._beats.save(self.name, beat, revision=revision)
        except Conflict:
            other, found = await self._beats.load(self.name)
            if other is not None and other.boot != self.boot and found > (revision or 0):
                raise RuntimeError(f"another worker is called {self.name}; give each its own MIM_WORKER") from None
            try:
                return await self._beats.save(self.name, beat, revision=found)  # it had lapsed meanwhile
            except Conflict:
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the server that answers lags behind") from None

    async def _drain(self, msg: Msg) -> None:
        """Say in the heartbeat from now on what was asked: whoever places instances reads it there."""
        try:
            self._draining, reply = DrainCall.model_validate_json(msg.data).draining, Reply()
        except ValidationError as error:
            reply = Reply(code=ErrorCode.INVALID_MESSAGE, message=problems(error))
        self._hurry.set()
        log.info("drain_told", draining=self._draining)
        with suppress(nats.errors.Error):
            await msg.respond(reply.model_dump_json().encode())

    async def _fence(self) -> None:
        self._fenced = self._was_fenced = True
        log.error("fenced", reason="the heartbeat could not be renewed; closing all sessions")
        self._interrupted |= self._obeying.keys()
        for task in list(self._obeying.values()):
            task.cancel()
        await asyncio.gather(*(runner.fence() for runner in self._runners.values()), return_exceptions=True)

    async def _resume(self) -> None:
        known = {key: runner.order for key, runner in self._runners.items()}
        told, self._wanted = self._wanted, {}
        try:
            # What this worker was last told may be out of date: somebody else may hold its instances by now.
            about = {*known, *told, *self._interrupted}
            current = {key: await newest(self._orders, self._key(key), known.get(key)) for key in about}
        except (Unavailable, Conflict):
            self._wanted = told | self._wanted
            return
        self._fenced = False
        self._interrupted.clear()
        log.info("unfenced")
        for instance_id, order in (current | self._wanted).items():  # what came meanwhile is newer
            self._want(instance_id, order)

    async def tidy(self) -> None:
        """Give back what idle instances do not need, for ever."""
        await self._outbox.tidy()

    async def count(self) -> None:
        """Tell what instances do, for ever."""
        await self._activity.run()

    async def gauge(self) -> None:
        """Measure how many instances are in which status, for ever."""
        while True:
            metrics.sessions(self._provider, Counter(runner.status.value for runner in self._runners.values()))
            metrics.waiting(self._provider, self._doors.waiting)
            with suppress(MimError):
                await self._outbox.look_again()
                metrics.queue(self._provider, *(await self._outbox.waiting()))
            await asyncio.sleep(COUNT_S)

    def _epoch_of(self, instance_id: str) -> int:
        runner = self._runners.get(instance_id)
        return runner.order.epoch if runner else 0

    # ---------------------------------------------------------------------------------------------- orders

    async def follow_orders(self) -> None:
        """Obey orders as they come; of several for one instance only the newest matters."""
        async for batch in self._orders.follow(subjects.orders_of(self._provider, self.name)):
            for key, order in batch:
                self._want(key.rpartition(".")[2], lean(order) if order else None)

    def _want(self, instance_id: str, order: SessionOrder | None) -> None:
        if order is not None and order.boot != self.boot:
            return  # meant for an earlier life of this worker; lifecycle will give a new one
        runner = self._runners.get(instance_id)
        if order is not None and runner is not None and order.epoch < runner.order.epoch:
            return  # from a lifecycle that lags behind another
        if order is not None and instance_id not in self._wanted and order == self._in_hand.get(instance_id):
            return  # what is being obeyed, written back to prove it
        self._wanted[instance_id] = order
        if instance_id not in self._obeying and not self._fenced:
            task = asyncio.create_task(self._obey(instance_id))
            self._obeying[instance_id] = task
            task.add_done_callback(lambda done: self._obeyed(instance_id, done))

    def _obeyed(self, instance_id: str, task: asyncio.Task[None]) -> None:
        self._obeying.pop(instance_id, None)
        self._in_hand.pop(instance_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("order_failed", instance_id=instance_id, exc_info=error)
        if instance_id in self._wanted and not self._fenced:
            self._want(instance_id, self._wanted[instance_id])

    async def _obey(self, instance_id: str) -> None:
        with logs.of_instance(instance_id), tracing.resumed("obey order", instance_id):
            await self._obey_newest(instance_id)

    async def _obey_newest(self, instance_id: str) -> None:
        while instance_id in self._wanted:
            order = self._in_hand[instance_id] = self._wanted.pop(instance_id)
            if order is None:
                await self._let_go(instance_id)
            elif order.action is OrderAction.PURGE:
                await self._runner(order).obey(order)
                await self._let_go(instance_id)
                await self._bus.surely(lambda: self._orders.remove(self._key(instance_id)))
            elif order.action is OrderAction.YIELD:
                await self._let_go(instance_id)
                await self._hand_over(order)
            elif await self._is_current(order) and await self._open_ports(self._runner(order), order):
                await self._runner(order).obey(order)

    async def _hand_over(self, order: SessionOrder) -> None:
        """Delete the order, which says that the instance is free; unless a newer one has come, or comes meanwhile."""
        key = self._key(order.instance_id)
        while order.instance_id not in self._wanted:
            with suppress(Unavailable, Conflict):
                stored, revision = await self._orders.load(key)
                if stored is None or stored == order:  # else the server lags behind, or the newer one is on its way
                    await self._orders.remove(key, revision=revision)  # which proves that it is so
                    return
            await asyncio.sleep(AGAIN_S)

    async def _is_current(self, order: SessionOrder) -> bool:
        """Whether an order to run still stands. After a fence only: before, nobody else can have got the instance."""
        runner, key = self._runners.get(order.instance_id), self._key(order.instance_id)
        if not self._was_fenced or order.action is not OrderAction.RUN or (runner and runner.has_begun(order.epoch)):
            return True
        return await still_stands(self._orders, key, order, lambda: order.instance_id in self._wanted)

    def _runner(self, order: SessionOrder) -> Runner:
        runner = self._runners.get(order.instance_id)
        if runner is None:
            runner = self._runners[order.instance_id] = Runner(
                order,
                bus=self._bus,
                outbox=self._outbox,
                sender=self._sender,
                secrets=self._secrets,
                media=self._media,
                factory=self._factory,
                settings=self._adapter_settings,
                folder=self._folders.of(order.instance_id),
                worker=self.name,
                proved=self._activity.proved,
                doors=self._doors,
            )
            self._ports.know(runner)
        return runner

    async def _let_go(self, instance_id: str) -> None:
        runner = self._runners.get(instance_id)
        if runner is not None:
            self._ports.forget(instance_id)
            await runner.end()
            for port in runner.order.ports.numbers():
                await self._ports.close(port)
            del self._runners[instance_id]  # not before: should this be interrupted, a fence has to find it
            await self._folders.look_at(instance_id)
            if self._draining and not self._runners:
                self._hurry.set()  # somebody waits for it

    async def _open_ports(self, runner: Runner, order: SessionOrder) -> bool:
        for port in set(runner.order.ports.numbers()) - set(order.ports.numbers()):
            await self._ports.close(port)
        attempt, began = 0, time.monotonic()
        while order.ports.api is not None:
            try:
                await self._ports.open(order.ports.api, runner)
                break
            except OSError as error:
                if order.action is not OrderAction.RUN:
                    break  # what ends is not kept waiting by a port
                attempt += 1
                wait_s = PORT_FREED.wait_s(attempt, time.monotonic() - began, random.random())  # noqa: S311
                if wait_s is None or error.errno != errno.EADDRINUSE:
                    await self._fail_without_port(runner, order, error)
                    return False
            await asyncio.sleep(wait_s)
            if order.instance_id in self._wanted:
                return False  # a newer order has come
        return True

    async def _fail_without_port(self, runner: Runner, order: SessionOrder, error: OSError) -> None:
        await runner.end()
        message = f"port {order.ports.api} cannot be opened ({error.strerror}); start the instance again to get another"
        why = Reason(code=ErrorCode.PORT_TAKEN, message=message, user_action=UserAction.RESTART, since=self._bus.now())
        failed = InstanceFailed(instance_id=order.instance_id, epoch=order.epoch, actor=self.name, reason=why)
        await self._bus.emit_surely(failed)


def worker_name(settings: Settings, provider: Provider) -> str:
    """The name of this worker; by default one for each provider and host. Raises: Invalid if it cannot be a key."""
    host = subjects.host_token(settings.host_name)
    return subjects.token(settings.worker or f"{provider}-{host}"[:60].rstrip("-"))


@asynccontextmanager
async def worker(
    bus: Bus,
    settings: Settings,
    *,
    provider: Provider,
    factory: SessionFactory,
    send_routes: Mapping[str, SendRoute],
) -> AsyncIterator[None]:
    """Run a worker of one provider as a service; see `mim.runtime.service`."""
    host = Worker(bus, settings, provider, factory, send_routes)
    await host.start()
    async with Tasks(bus) as tasks:
        try:
            tasks.start(host.beat(), "heartbeat")
            tasks.start(host.follow_orders(), "orders")
            tasks.start(host.tidy(), "outbox")
            tasks.start(host.count(), "activity")
            tasks.start(host.gauge(), "gauges")
            yield
        finally:
            await host.end()
