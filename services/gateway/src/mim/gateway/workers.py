"""The workers that live, as their heartbeats tell: where instances are reached, and how a worker is drained."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.answers import WorkerAnswer, WorkerItem, WorkersAnswer
from mim.contracts.errors import ErrorCode, Invalid, MimError, Rejected, Unavailable
from mim.contracts.records import DrainCall, InstanceRecord, Reply, WorkerHeartbeat
from mim.contracts.states import Expose, Provider
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.routing import Call, Handler
from mim.runtime.settings import Settings
from mim.runtime.store import Store

MB = 1_000_000
TOLD_S = 2.0
LAPSE_S = 10.0
"""A worker that was silent for so long does not live any more."""


class Workers:
    """The workers that beat, and what they measure."""

    def __init__(
        self, bus: Bus, settings: Settings, model: ReadModel, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._model = model
        self._host = settings.instance_host
        self._clock = clock
        self._beats: dict[str, WorkerHeartbeat] = {}
        self._heard: dict[str, float] = {}
        self._moved = asyncio.Event()

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {"workers": self.list, "drain_worker": self.drain, "undrain_worker": self.undrain}

    async def run(self) -> None:
        """Follow the heartbeats for ever."""
        async for batch in Store(self._bus, subjects.WORKERS_BUCKET, WorkerHeartbeat).follow():
            for name, beat in batch:
                if beat is None:
                    self._beats.pop(name, None)
                else:
                    self._beats[name], self._heard[name] = beat, self._clock()
            self._moved.set()
            self._moved = asyncio.Event()

    def _living(self) -> dict[str, WorkerHeartbeat]:
        """Without those that fell silent, unless it is the bus that is away."""
        oldest = self._clock() - LAPSE_S if self._bus.connected else 0.0
        return {name: beat for name, beat in self._beats.items() if self._heard[name] >= oldest}

    def of(self, provider: Provider) -> int:
        """How many workers of a provider there are."""
        return sum(beat.provider is provider for beat in self._living().values())

    def memory_bytes(self) -> float:
        """What all workers take."""
        return float(sum(beat.memory_bytes for beat in self._living().values()))

    def estimate_bytes(self, record: InstanceRecord) -> float | None:
        """What one session takes: its worker's memory over the sessions it holds; None if its worker is not known."""
        beat = self._beats.get(record.worker or "")
        return None if beat is None or not beat.memory_bytes else beat.memory_bytes / max(1, beat.load)

    def url_of(self, record: InstanceRecord) -> str | None:
        """Where the instance is reached: on its own port, or by its id at its worker; None while it is nowhere."""
        beat = self._beats.get(record.worker or "")
        place = f"{record.ports.api}"
        if record.ports.api is None:
            if record.expose is not Expose.GATEWAY or beat is None or not beat.port:
                return None
            place = f"{beat.port}/i/{record.id}"
        host = beat.address if beat else self._host
        if host in ("0.0.0.0", "::"):
            host = beat.host if beat else "127.0.0.1"
        return f"http://[{host}]:{place}" if ":" in host else f"http://{host}:{place}"

    # ---------------------------------------------------------------------------------------------- routes

    async def list(self, _call: Call) -> web.StreamResponse:
        """All workers that live."""
        found = [self._shown(beat) for _, beat in sorted(self._living().items())]
        return http.answer(WorkersAnswer(workers=found, total=len(found)))

    async def drain(self, call: Call) -> web.StreamResponse:
        """Move all instances of a worker to others."""
        beat = self._find(call)
        if beat.only is not None:
            message = f"{beat.worker} is for one instance only, which has no other: stop or restart the instance"
            raise Rejected(ErrorCode.NOT_SUPPORTED, message)
        if not beat.draining:
            self._need_room(beat)
        after = await self._tell(beat, draining=True)
        return self._answer(after, f"the instances of {beat.worker} move to other workers; it gets no new ones")

    async def undrain(self, call: Call) -> web.StreamResponse:
        """Let a worker have instances again."""
        beat = await self._tell(self._find(call), draining=False)
        return self._answer(beat, f"{beat.worker} may have instances again; those that have moved stay where they are")

    def _find(self, call: Call) -> WorkerHeartbeat:
        beat = self._living().get(call.request.match_info["worker"])
        if beat is None:
            raise MimError(ErrorCode.NOT_FOUND, "no such worker lives; GET /api/v1/workers shows those that do")
        return beat

    def _need_room(self, leaving: WorkerHeartbeat) -> None:
        """Raises: Rejected if the other workers cannot take its instances."""
        others = [
            beat
            for beat in self._living().values()
            if beat.provider is leaving.provider and beat.worker != leaving.worker and not (beat.draining or beat.only)
        ]
        room = sum(max(0, beat.capacity - beat.load) for beat in others)
        if not others or room < leaving.load:
            has = f"the others have room for {room} of its {leaving.load} instances" if others else "there is no other"
            message = f"{leaving.worker} cannot be drained: {has}; start another {leaving.provider} worker, then repeat"
            raise Rejected(ErrorCode.NO_OTHER_WORKER, message)

    async def _tell(self, beat: WorkerHeartbeat, *, draining: bool) -> WorkerHeartbeat:
        """Return its first heartbeat that says so. Raises: Unavailable (TIMEOUT) if none comes."""
        asked = DrainCall(draining=draining).model_dump_json().encode()
        reply = Reply.model_validate_json(await self._bus.request(subjects.drain_call(beat.worker), asked, TOLD_S))
        if reply.code is not None:
            raise Invalid(ErrorCode(reply.code), reply.message or "the worker did not understand")
        try:
            async with asyncio.timeout(TOLD_S):
                while (now := self._beats.get(beat.worker)) is None or now.draining is not draining:
                    await self._moved.wait()
        except TimeoutError:
            raise Unavailable(ErrorCode.TIMEOUT, f"{beat.worker} was told, but is silent; try again") from None
        return now

    def _shown(self, beat: WorkerHeartbeat) -> WorkerItem:
        return WorkerItem(
            name=beat.worker,
            provider=beat.provider,
            host=beat.host,
            state=self._state(beat),
            instances=beat.load,
            capacity=beat.capacity,
            memory_mb=round(beat.memory_bytes / MB, 3),
            only=beat.only,
        )

    def _state(self, beat: WorkerHeartbeat) -> Literal["active", "draining", "drained"]:
        if not beat.draining:
            return "active"
        # A heartbeat may come before the news of who has its last instance now, and `drained` says that all see it.
        is_left = not beat.load and all(
            record.worker != beat.worker or not record.status.is_live for record in self._model.records()
        )
        return "drained" if is_left else "draining"

    def _answer(self, beat: WorkerHeartbeat, message: str) -> web.Response:
        return http.answer(WorkerAnswer(message=message, worker=self._shown(beat)))
