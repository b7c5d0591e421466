"""What lifecycle reacts to: commands of people, and wish and fact drifting apart.

Every instance has a lock: its commands and steps happen one after the other, in the order in which they came. What is
decided is published with compare-and-set on the instance's events, so a second lifecycle does no harm.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from pydantic import ValidationError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, Rejected, Unavailable
from mim.contracts.login import LoginKind
from mim.contracts.messages import (
    AnyCommand,
    Audited,
    CreateInstance,
    InstanceEvent,
    Outcome,
    UpdateInstance,
    action_of,
)
from mim.contracts.records import Allocation, AllocationRequest, InstanceRecord, Release, Reply
from mim.contracts.states import Provider, Status, UserAction
from mim.contracts.values import Reason
from mim.lifecycle import machine
from mim.lifecycle.containers import IDLE, Containers, is_isolated
from mim.lifecycle.living import Living
from mim.lifecycle.machine import Step
from mim.lifecycle.model import ReadModel
from mim.lifecycle.moves import Moves
from mim.lifecycle.orders import Orders
from mim.runtime import metrics, tracing
from mim.runtime.bus import Bus, Conflict
from mim.runtime.secrets import API_KEY, LOGIN, random_api_key
from mim.runtime.store import Secrets

log = structlog.get_logger()
Given = TypeVar("Given", CreateInstance, UpdateInstance)

CONFLICT_TRIES = 20
CATCH_UP_S = 2.0
ALLOCATE_TIMEOUT_S = 2.0
AT_ONCE = 64
"""Instances that something is done for at a time."""


class Lifecycle:
    """Decides what becomes of instances. `clock` is monotonic seconds."""

    def __init__(
        self,
        bus: Bus,
        model: ReadModel,
        secrets: Secrets,
        containers: Containers,
        clock: Callable[[], float] = time.monotonic,
        random_key: Callable[[], str] = random_api_key,
    ) -> None:
        self._bus = bus
        self._model = model
        self._secrets = secrets
        self._containers = containers
        self._random_key = random_key
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.living = Living(bus, clock, self._touch_those_of)
        self.orders = Orders(bus, self.touch)
        self.moves = Moves(model, self.living, self.orders, self._placed, self.touch)
        self._due: set[str] = set()
        self._later: set[str] = set()
        """What a look at everything is for, and has time: a hundred thousand shall not hold up one that is new."""
        self._unsettled: set[str] = set()
        self._busy: set[str] = set()
        self._wake = asyncio.Event()

    # -------------------------------------------------------------------------------------------- commands

    async def obey(self, command: AnyCommand) -> Outcome:
        """Do one command; returns what became of it. Raises: Unavailable if it has to be tried again."""
        owner: str | None = None
        async with self._locks[command.instance_id]:
            before = self._model.get(command.instance_id)
            seen = done = self._model.seq_of(command.instance_id)
            try:
                record = await self._decide(command)
            except (Rejected, Invalid) as error:
                outcome = Outcome(instance_id=command.instance_id, ok=False, code=error.code, message=error.message)
            else:
                status = record.status if record else Status.DELETED
                done = record.instance_seq if record else 0
                text = f"the instance is {status}"
                outcome = Outcome(
                    instance_id=command.instance_id, ok=True, status=status, instance_seq=done, message=text
                )
                before = before or record
            # What led to nothing may do so because another lifecycle's events are not folded here yet.
            if done == seen and not await self._model.is_newest(command.instance_id, seen, CATCH_UP_S):
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the read model lags behind")
            owner = before.user_id if before else None
        self._forget(command.instance_id)
        metrics.command_done(action_of(command), outcome.code or "ok")
        log.info("command_done", instance_id=command.instance_id, actor=command.actor, ok=outcome.ok, code=outcome.code)
        if command.reply_to:
            await self._bus.nc.publish(subjects.reply_subject(command.reply_to), outcome.model_dump_json().encode())
        await self._audit(command, outcome, owner)
        return outcome

    async def _audit(self, command: AnyCommand, outcome: Outcome, owner: str | None) -> None:
        await self._bus.emit_surely(
            Audited(
                instance_id=command.instance_id,
                user_id=owner,
                actor=command.actor,
                action=action_of(command),
                origin=command.origin,
                ok=outcome.ok,
                code=outcome.code,
                message=outcome.message,
            )
        )

    async def _decide(self, command: AnyCommand) -> InstanceRecord | None:
        match command:
            case CreateInstance():
                return await self._create(_hinted(command))
            case UpdateInstance():
                return await self._update(_hinted(command))
            case _:
                return await self._say(command.instance_id, lambda record: machine.decide(record, command))

    async def _create(self, command: CreateInstance) -> InstanceRecord | None:
        sealed = self._sealed(command, command.user_id)
        names, put = tuple(sorted(sealed)), []
        for name, text in sealed.items():
            if await self._secrets.put_new(command.provider, command.instance_id, name, text) == text:
                put.append(name)
        try:
            return await self._say(command.instance_id, lambda record: machine.create(record, command, names))
        except Rejected:  # nobody has these secrets
            await self._secrets.remove_all(command.provider, command.instance_id, tuple(put))
            raise

    async def _update(self, command: UpdateInstance) -> InstanceRecord | None:
        record = machine.existing(self._model.get(command.instance_id), command.instance_id)
        sealed = self._sealed(command, record.user_id)
        if "token" in sealed and (record.provider is not Provider.TELEGRAM or record.login is LoginKind.USER):
            who = f"{record.provider} {record.login}" if record.login else record.provider
            raise Rejected(ErrorCode.NOT_SUPPORTED, f"a {who} account has no token")
        key_hash = await self._new_api_key(record) if command.rotate_api_key else None
        for name, text in sealed.items():
            await self._secrets.put(record.provider, record.id, name, text)
        names = tuple(sorted(sealed))
        after = await self._say(command.instance_id, lambda seen: machine.update(seen, command, names, key_hash))
        if after is not None:
            gone = tuple(set(record.secrets) - set(after.secrets))
            await self._secrets.remove_all(record.provider, record.id, gone)
        return after

    async def _new_api_key(self, record: InstanceRecord) -> str:
        if record.api_key_sha256 is None:
            raise Rejected(ErrorCode.NOT_READY, "the instance has no API key yet; wait until it is assigned")
        key = self._random_key()
        sealed = self._secrets.seal(record.user_id, record.id, API_KEY, key)
        await self._secrets.put(record.provider, record.id, API_KEY, sealed)
        return hashlib.sha256(key.encode()).hexdigest()

    def _sealed(self, command: CreateInstance | UpdateInstance, user_id: str) -> dict[str, str]:
        plain = {"token": command.token, "proxy": command.proxy}
        return dict(command.sealed) | {
            name: self._secrets.seal(user_id, command.instance_id, name, secret.get_secret_value())
            for name, secret in plain.items()
            if secret is not None
        }

    async def _say(
        self, instance_id: str, decide: Callable[[InstanceRecord | None], Iterable[InstanceEvent]]
    ) -> InstanceRecord | None:
        """Publish what `decide` makes of the present record; anew if something came between."""
        for _ in range(CONFLICT_TRIES):
            record = self._model.get(instance_id)
            try:
                for event in decide(record):
                    record = await self._publish(event, record)
            except Conflict:
                if await self._model.moved_beyond(instance_id, record.instance_seq if record else 0, CATCH_UP_S):
                    continue
                if record is None and await self._model.is_newest(instance_id, 0, CATCH_UP_S):
                    raise Rejected(
                        ErrorCode.ALREADY_EXISTS, f"the id {instance_id} was used before; choose another"
                    ) from None
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the read model lags behind") from None
            return record
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"too many changes of {instance_id} at once")

    async def _publish(self, event: InstanceEvent, record: InstanceRecord | None) -> InstanceRecord | None:
        seen = record.instance_seq if record else 0
        seq = await self._bus.emit(event, expect=(subjects.instance_events(event.instance_id), seen))
        return await self._model.wait_folded(event.instance_id, seq, CATCH_UP_S)

    # ------------------------------------------------------------------------------------------ reconciling

    def touch(self, instance_id: str) -> None:
        """Look at an instance soon: something about it changed."""
        self._due.add(instance_id)
        self.moves.changed(instance_id)
        self._wake.set()

    def touch_all(self) -> None:
        """Look at every instance soon."""
        self._later.update(self._model.ids())
        self._wake.set()

    def _touch_those_of(self, workers: set[str]) -> None:
        """Workers came or went: look soon at the instances that they hold, and at those that wait for a worker."""
        self._later.update(record.id for record in self._model.records() if record.worker in workers)
        self._due |= self._unsettled
        self._wake.set()

    async def reconcile(self) -> None:
        """Do what is due, for many instances side by side, for one instance one thing at a time."""
        # Before that every session would seem to be nobody's, and every order missing.
        await self.living.ready.wait()
        await self.orders.ready.wait()
        limit = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                if not self._later:
                    await self._wake.wait()
                self._wake.clear()
                self._due.update(self._later.pop() for _ in range(min(AT_ONCE, len(self._later))))
                for instance_id in self._due - self._busy:
                    self._due.discard(instance_id)
                    self._busy.add(instance_id)
                    await limit.acquire()
                    group.create_task(self._settle(instance_id, limit))

    async def _settle(self, instance_id: str, limit: asyncio.Semaphore) -> None:
        again = False
        try:
            async with self._locks[instance_id]:
                with tracing.resumed("settle", instance_id):
                    await self._step(instance_id)
        except (Unavailable, Conflict, Rejected) as error:
            again = True  # the sweep comes by once a second
            log.debug("not_settled", instance_id=instance_id, why=str(error) or type(error).__name__)
        finally:
            limit.release()
            self._busy.discard(instance_id)
            if instance_id in self._due:
                self._wake.set()
            if again:
                self._due.add(instance_id)
            self._forget(instance_id)

    def _forget(self, instance_id: str) -> None:
        """Keep nothing of ids that no instance has; a lock that is held is somebody's still."""
        if self._model.get(instance_id) is None and not self._locks[instance_id].locked():
            del self._locks[instance_id]

    async def sweep(self) -> None:
        """Once a second: retry what failed, and notice workers that fell silent."""
        while True:
            await asyncio.sleep(1.0)
            if not self._model.is_proved:
                self.bus_returned()
            self.living.bury()
            self._due |= self._unsettled
            if self._due:
                self._wake.set()

    def bus_returned(self) -> None:
        """The bus was away, or this side of it was cut off: the silence of workers proves nothing."""
        self.living.bus_returned()

    def _is_held(self, record: InstanceRecord | None) -> bool:
        if record is None or not self.living.holds(record):
            return False
        return not (self.living.drains(record) and self.orders.is_done(record))

    async def _step(self, instance_id: str) -> None:
        record = self._model.get(instance_id)
        self._unsettled.discard(instance_id)
        if record is None:
            return
        purged, leaves = self.orders.is_done(record), self.moves.leaves(record)
        due = machine.next_step(record, held=self._is_held(record), purged=purged, leaves=leaves)
        if due.step is not Step.NOTHING:
            self._unsettled.add(instance_id)  # until a later look finds nothing to do
        match due.step:
            case Step.ALLOCATE | Step.START:
                await self._allocate(record)
            case Step.SETTLE:
                await self._say(instance_id, lambda seen: machine.settled(seen, held=self._is_held(seen)))
            case Step.RELEASE:
                await self._release(record)
            case Step.NOTHING:
                await self.orders.tell(record, due.order)
                if is_isolated(record):
                    await self._contain(record)

    async def _allocate(self, record: InstanceRecord) -> None:
        if is_isolated(record) and not self._containers.possible:
            message = "isolation: container needs a container engine; set MIM_DOCKER_HOST as docs/containers.md shows"
            await self._refuse(record, ErrorCode.NO_ENGINE, message)
            return
        reply = await self._ask(subjects.ALLOCATE, self._request(record))
        if (given := reply.allocation) is None:
            await self._refuse(record, reply.code or ErrorCode.INTERNAL, reply.message or "the allocator refused")
            return
        after = await self._say(record.id, lambda seen: machine.allocated(seen, given)) or record
        waiting = await self._contained(after) if is_isolated(record) and given.worker is None else None
        if waiting is not None and waiting.user_action is UserAction.RESTART:
            await self._refuse(after, waiting.code, waiting.message)
            return
        self.orders.about_to_leave(record)
        now = self._bus.now()
        await self._say(record.id, lambda seen: machine.begin(seen, given, now, waiting, held=self._is_held(seen)))

    async def _refuse(self, asked: InstanceRecord, code: str, message: str) -> None:
        told = code, message, self._bus.now()
        await self._say(asked.id, lambda seen: machine.refused(seen, asked, *told, held=self._is_held(seen)))

    def _request(self, record: InstanceRecord) -> AllocationRequest:
        return AllocationRequest(
            instance_id=record.id,
            user_id=record.user_id,
            provider=record.provider,
            type_instance=record.type_instance,
            expose=record.expose,
            isolation=record.isolation,
            worker=self.moves.to(record),
            lost_ports=record.ports.numbers() if record.reason.code == ErrorCode.PORT_TAKEN else (),
        )

    async def _placed(self, record: InstanceRecord) -> Allocation | None:
        return (await self._ask(subjects.ALLOCATE, self._request(record))).allocation

    async def _contained(self, record: InstanceRecord) -> Reason | None:
        """Let the instance's container run, if it needs a worker; returns why the worker is not there yet."""
        is_due = machine.next_step(record, held=self._is_held(record)).step is Step.START
        return await self._containers.ensure(record) if is_due else None

    async def _contain(self, record: InstanceRecord) -> None:
        if record.status in IDLE:
            await self._containers.leave(record)
        elif self._is_held(record):
            self._containers.heard(record)

    async def _release(self, record: InstanceRecord) -> None:
        if is_isolated(record) and self._containers.possible:
            await self._containers.leave(record)
        reply = await self._ask(subjects.RELEASE, Release(instance_id=record.id, provider=record.provider))
        if reply.code is not None:  # nobody would come by for its ports again
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, reply.message or "the allocator could not release it")
        await self.orders.forget(record)
        await self._secrets.remove_all(record.provider, record.id, (*record.secrets, API_KEY, LOGIN))
        await self._model.remove(record.id)
        log.info("instance_released", instance_id=record.id)

    async def _ask(self, subject: str, request: AllocationRequest | Release) -> Reply:
        data = await self._bus.request(subject, request.model_dump_json().encode(), ALLOCATE_TIMEOUT_S)
        try:
            reply = Reply.model_validate_json(data)
        except ValidationError as error:
            raise Unavailable(ErrorCode.INTERNAL, "the allocator answered something else") from error
        if reply.code == ErrorCode.BUS_UNAVAILABLE:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, reply.message or "the allocator cannot reach the bus")
        return reply


def _hinted(command: Given) -> Given:
    """The command with the end of a token that came in the clear, by which people tell tokens apart."""
    if command.token is None or command.token_hint is not None:
        return command
    return command.model_copy(update={"token_hint": command.token.get_secret_value().strip()[-4:]})
