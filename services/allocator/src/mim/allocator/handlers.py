"""What the allocator reacts to: requests for ports, key and worker, and requests to give them back.

A port is taken by creating its key in the bucket; two allocators that want the same one cannot both succeed, and the
loser takes the next. An instance's lease is created the same way, so a repeated or concurrent request for one instance
ends with one set of ports. The API key is 256 random bits; it is stored sealed, and by its SHA-256 for look-up.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

import structlog

from mim.allocator import pool
from mim.allocator.figures import Assignments
from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Rejected, Unavailable
from mim.contracts.records import Allocation, AllocationRequest, Lease, Release, Reply, WorkerHeartbeat
from mim.contracts.states import Expose, Interface, Isolation
from mim.contracts.values import Ports
from mim.runtime.bus import Bus, Conflict
from mim.runtime.flow import Entry
from mim.runtime.secrets import API_KEY, SecretsUnreadable, random_api_key
from mim.runtime.store import Secrets, Store

log = structlog.get_logger()

LAPSE_S = 10.0
PORT_TRIES = 200
LOOKS, LOOK_S = 10, 0.05
MOST_RELEASED = 1000
"""How many released instances are remembered: requests for them may be under way for some seconds yet."""
BEING_TAKEN = "being taken"


class _Hold(NamedTuple):
    """A port as one request has written it."""

    port: int
    revision: int


class Allocator:
    """Gives and takes back. `probe(port)` says whether nothing on this machine listens there."""

    def __init__(
        self,
        bus: Bus,
        secrets: Secrets,
        host: str,
        ports: range,
        probe: Callable[[int], bool],
        new_key: Callable[[], str] = random_api_key,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._secrets = secrets
        self._host = subjects.host_token(host)
        self._range = ports
        self._probe = probe
        self._new_key = new_key
        self._clock = clock
        self._leases = Store(bus, subjects.PORTS_BUCKET, Lease)
        self._workers_store = Store(bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)
        self._taken: dict[int, str] = {}
        self._seen: dict[int, int] = {}  # the newest revision of each port that was heard of or written
        self._reported: set[int] = set()
        self._workers: dict[str, tuple[WorkerHeartbeat, float]] = {}
        self._placed: Counter[str] = Counter()
        self._released: dict[str, None] = {}  # in the order in which it was heard
        self.ready = asyncio.Event()
        self.assignments = Assignments(clock)

    # ------------------------------------------------------------------------------------------- requests

    async def allocate(self, request: AllocationRequest) -> Reply:
        """Ports, key and worker for an instance; the same ones when asked again. Never raises."""
        try:
            ports, key_hash = await asyncio.gather(self._measured(request), self._key(request))
        except SecretsUnreadable as error:
            return Reply(code=ErrorCode.INTERNAL, message=str(error))
        except MimError as error:
            log.warning("allocation_refused", instance_id=request.instance_id, code=error.code, message=error.message)
            return Reply(code=error.code, message=error.message)
        worker = self._worker(request)
        log.info("allocated", instance_id=request.instance_id, ports=ports.numbers(), worker=worker and worker.worker)
        return Reply(
            allocation=Allocation(
                ports=ports,
                api_key_sha256=key_hash,
                worker=worker.worker if worker else None,
                boot=worker.boot if worker else None,
            )
        )

    async def release(self, request: Release) -> Reply:
        """Everything of an instance becomes free; harmless to repeat. Never raises."""
        try:
            lease, _ = await self._leases.load(subjects.lease_key(request.instance_id))
            # First, so that no request that is still under way gets any more.
            await self._leases.remove(subjects.lease_key(request.instance_id))
            held = {*self._owned(request.instance_id), *(lease.ports.numbers() if lease else ())}
            await self._free(request.instance_id, held)
        except MimError as error:
            return Reply(code=error.code, message=error.message)
        log.info("released", instance_id=request.instance_id)
        return Reply()

    # ---------------------------------------------------------------------------------------------- ports

    async def _measured(self, request: AllocationRequest) -> Ports:
        with self.assignments.one():
            return await self._ports(request)

    async def _ports(self, request: AllocationRequest) -> Ports:
        if request.expose is Expose.GATEWAY:
            return Ports()
        key = subjects.lease_key(request.instance_id)
        lease, revision = await self._leases.load(key)
        if lease is None and revision > 0:
            raise _released(request.instance_id)
        got = pool.kept(lease, request.lost_ports)
        took, confirmed = list[_Hold](), list[_Hold]()
        # An earlier try may have died between the ports and the lease: what it took is taken up again.
        mine = [port for port in self._owned(request.instance_id) if port not in (*got.values(), *request.lost_ports)]
        try:
            for interface in request.type_instance:
                if interface not in got:
                    hold = await self._confirmed(request.instance_id, mine)
                    if hold is not None:
                        confirmed.append(hold)
                    else:
                        hold = await self._take(request.instance_id)
                        took.append(hold)
                    got[interface] = hold.port
            ports = Ports(api=got.get(Interface.API), mcp=got.get(Interface.MCP))
            if lease is None or lease.ports != ports:
                await self._leases.save(key, Lease(instance_id=request.instance_id, ports=ports), revision=revision)
        except Conflict:  # another allocator was asked about the same instance and was first
            first, newest = await self._leases.load(key)
            if newest <= revision:  # a server that lags behind: which of these ports the other one gave is not known
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the lease is not to be seen yet; try again") from None
            leased = first.ports.numbers() if first else ()
            await self._give_up(request.instance_id, (hold for hold in took + confirmed if hold.port not in leased))
            return await self._ports(request)
        except Rejected:  # not what was there before: another allocator may be about to lease it
            await self._give_up(request.instance_id, took)
            raise
        await self._free(request.instance_id, set(request.lost_ports) - set(ports.numbers()))
        return ports

    async def _confirmed(self, instance_id: str, candidates: list[int]) -> _Hold | None:
        """The next of some ports that is the instance's, written anew so that no other allocator frees it meanwhile."""
        while candidates:
            port = candidates.pop()
            key = subjects.port_key(self._host, port)
            lease, revision = await self._leases.load(key)
            if revision == 0:  # it was seen, so there is one or was one
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "a port is not to be seen yet; try again")
            if lease is not None and lease.instance_id == instance_id:
                with suppress(Conflict):
                    return self._held(port, await self._leases.save(key, lease, revision=revision))
        return None

    def _owned(self, instance_id: str) -> list[int]:
        return [port for port, owner in self._taken.items() if owner == instance_id]

    async def _take(self, instance_id: str) -> _Hold:
        for _ in range(PORT_TRIES):
            port, foreign = pool.choose_port(self._range, self._taken, self._probe)
            self._report(foreign)
            if port is None:
                raise Rejected(
                    ErrorCode.PORTS_EXHAUSTED,
                    f"all {len(self._range)} instance ports ({self._range[0]}-{self._range[-1]}) are taken; "
                    "delete an instance or widen --instance-ports",
                )
            # So that the next request chooses another. Not the instance's yet: a second request for it would take up
            # what may turn out to be another allocator's.
            self._taken[port] = BEING_TAKEN
            try:
                revision = await self._leases.create(
                    subjects.port_key(self._host, port), Lease(instance_id=instance_id)
                )
            except MimError:
                self._took(port, None)
                raise
            self._took(port, "another allocator's" if revision is None else instance_id)
            if revision is not None:
                return self._held(port, revision)
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "too many allocators want the same ports; try again")

    def _held(self, port: int, revision: int) -> _Hold:
        self._saw(port, revision)
        return _Hold(port, revision)

    def _saw(self, port: int, revision: int) -> None:
        self._seen[port] = max(revision, self._seen.get(port, 0))

    def _took(self, port: int, owner: str | None) -> None:
        """What came of taking a port, unless the bucket has told more already."""
        if self._taken.get(port) == BEING_TAKEN:
            if owner is None:
                del self._taken[port]
            else:
                self._taken[port] = owner

    def _report(self, foreign: list[int]) -> None:
        for port in foreign:
            if port not in self._reported:
                log.warning("port_held_by_another_program", port=port)
        self._reported.update(foreign)

    async def _free(self, instance_id: str, ports: Iterable[int]) -> None:
        """Give up ports, but none that is somebody else's by now. Raises: Unavailable if that is not to be seen."""
        for port in ports:
            await self._free_one(instance_id, port)
            if self._taken.get(port) == instance_id:
                del self._taken[port]

    async def _free_one(self, instance_id: str, port: int) -> None:
        key = subjects.port_key(self._host, port)
        for _ in range(LOOKS):
            lease, revision = await self._leases.load(key)
            if lease is not None and lease.instance_id == instance_id:
                with suppress(Conflict):  # another allocator was first, or the server that answered lags behind
                    await self._leases.remove(key, revision=revision)
                    return
            elif revision >= self._seen.get(port, 0) or self._taken.get(port) != instance_id:
                return
            await asyncio.sleep(LOOK_S)
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "whose a port is is not to be seen yet; try again")

    async def _give_up(self, instance_id: str, holds: Iterable[_Hold]) -> None:
        """Free what a request has written in vain, unless another one has taken it up since: it may lease it."""
        for port, revision in holds:
            with suppress(Conflict):
                await self._leases.remove(subjects.port_key(self._host, port), revision=revision)
                if self._taken.get(port) == instance_id:
                    del self._taken[port]

    async def watch_ports(self) -> None:
        """Know which ports are taken, by this allocator and by others."""
        prefix = f"{self._host}."
        async for batch in self._bus.follow_bucket(subjects.PORTS_BUCKET):
            for key, lease, revision in map(_read, batch):
                if key.startswith(prefix):
                    port = int(key.removeprefix(prefix))
                    self._saw(port, revision)
                    await self._heard_of_port(port, lease)
                elif lease is None and key == subjects.lease_key(instance_id := subjects.last_token(key)):
                    await self._heard_of_release(instance_id)
            if not batch and not self.ready.is_set():
                for instance_id in self._released.keys() & self._taken.values():
                    await self._free_rest(instance_id)
                self.ready.set()

    async def _heard_of_port(self, port: int, lease: Lease | None) -> None:
        if lease is None:
            self._taken.pop(port, None)
        else:
            self._taken[port] = lease.instance_id
            if lease.instance_id in self._released:
                await self._free_rest(lease.instance_id)

    async def _heard_of_release(self, instance_id: str) -> None:
        self._released[instance_id] = None
        if len(self._released) > MOST_RELEASED:
            del self._released[next(iter(self._released))]
        if self.ready.is_set():
            await self._free_rest(instance_id)

    async def _free_rest(self, instance_id: str) -> None:
        """Free what a request took that was overtaken by the release, and by the end of its allocator perhaps."""
        if owned := self._owned(instance_id):
            await self._bus.surely(lambda: self._free(instance_id, owned))

    # ------------------------------------------------------------------------------------- keys and workers

    async def _key(self, request: AllocationRequest) -> str:
        place = (request.user_id, request.instance_id, API_KEY)
        sealed = self._secrets.seal(*place, self._new_key())
        stored = await self._secrets.put_once(request.provider, request.instance_id, API_KEY, sealed)
        if stored is None:
            raise _released(request.instance_id)
        return hashlib.sha256(self._secrets.unseal(*place, stored).encode()).hexdigest()

    def _worker(self, request: AllocationRequest) -> WorkerHeartbeat | None:
        alive = [beat for beat, at in self._workers.values() if self._clock() - at <= LAPSE_S]
        only = request.instance_id if request.isolation is Isolation.CONTAINER else None
        worker = pool.choose_worker(alive, request.provider, lambda name: self._placed[name], request.worker, only)
        if worker is not None and worker.worker != request.worker:
            self._placed[worker.worker] += 1
        return worker

    async def watch_workers(self) -> None:
        """Know which workers live and how loaded they are."""
        async for batch in self._workers_store.follow():
            for name, beat in batch:
                self._placed.pop(name, None)
                if beat is None:
                    self._workers.pop(name, None)
                else:
                    self._workers[name] = (beat, self._clock())


def _read(entry: Entry) -> tuple[str, Lease | None, int]:
    return entry.subject, Lease.model_validate_json(entry.data) if entry.data else None, entry.seq


def _released(instance_id: str) -> Rejected:
    return Rejected(ErrorCode.NOT_FOUND, f"instance {instance_id} was deleted; its id is not used again")


def can_listen(host: str, port: int) -> bool:
    """Whether a listener could be opened on this port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # two sockets may be bound with SO_REUSEADDR; only one may listen
        except OSError:
            return False
    return True
