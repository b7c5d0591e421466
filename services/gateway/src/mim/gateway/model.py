"""The gateway's copy of the read model: every record, its JSON ready to send, and those who wait for a change."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

from mim.contracts import subjects
from mim.contracts.answers import instance_of
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Status
from mim.runtime.bus import Bus

_UUID = re.compile(UUID_PATTERN)
MAX_GONE = 10_000
Wanted = Callable[[InstanceRecord | None], bool]


class ReadModel:
    """Filled by `run`; everything else answers from memory."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records: dict[str, InstanceRecord] = {}
        self._json: dict[str, bytes] = {}
        self._ports: dict[int, str] = {}
        self._sorted: list[InstanceRecord] | None = None
        self._waiting: defaultdict[str, set[tuple[Wanted, asyncio.Future[InstanceRecord | None]]]] = defaultdict(set)
        self._gone: dict[str, str] = {}  # owners of the last instances that were removed, oldest first
        self.ready = asyncio.Event()

    def get(self, instance_id: str) -> InstanceRecord | None:
        """One record; None if there is none (any more)."""
        record = self._records.get(instance_id)
        return None if record is None or record.status is Status.DELETED else record

    def find(self, instance_id: str) -> InstanceRecord:
        """One record. Raises: MimError (NOT_FOUND) if there is none."""
        record = self.get(instance_id.lower()) if _UUID.fullmatch(instance_id.lower()) else None
        if record is None:
            raise self.unknown(instance_id)
        return record

    def unknown(self, instance_id: str) -> MimError:
        """What is said of an instance that is not there, for whatever reason."""
        return MimError(ErrorCode.NOT_FOUND, f"there is no instance {instance_id[:80]!r}")

    def on_port(self, port: int) -> InstanceRecord | None:
        """The instance that has a port."""
        instance_id = self._ports.get(port)
        return None if instance_id is None else self.get(instance_id)

    def ports(self) -> list[int]:
        """Ports that instances have, lowest first."""
        return sorted(self._ports)

    def now(self) -> datetime:
        """The present time, UTC."""
        return self._bus.now()

    def records(self) -> list[InstanceRecord]:
        """All records, oldest first."""
        if self._sorted is None:
            alive = [record for record in self._records.values() if record.status is not Status.DELETED]
            self._sorted = sorted(alive, key=lambda record: (record.created_at, record.id))
        return self._sorted

    def json(self, record: InstanceRecord) -> bytes:
        """The `instance` object of a record as JSON bytes."""
        return self._json[record.id]

    def owner_of(self, instance_id: str) -> str | None:
        """Whose instance it is, or was until lately."""
        record = self._records.get(instance_id)
        return self._gone.get(instance_id) if record is None else record.user_id

    def join(self, records: Iterable[InstanceRecord]) -> bytes:
        """The `instance` objects of many records, separated by commas."""
        return b",".join([self._json[record.id] for record in records])

    async def wait(self, instance_id: str, wanted: Wanted, timeout_s: float) -> InstanceRecord | None:
        """The record as soon as `wanted` holds. Raises: TimeoutError."""
        record = self._records.get(instance_id)
        if wanted(record):
            return record
        future: asyncio.Future[InstanceRecord | None] = asyncio.get_running_loop().create_future()
        entry = (wanted, future)
        self._waiting[instance_id].add(entry)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self._waiting[instance_id].discard(entry)
            if not self._waiting[instance_id]:
                del self._waiting[instance_id]

    async def shows(self, instance_id: str, seq: int, timeout_s: float) -> None:
        """Return when the event `seq` of an instance shows in its record, or after `timeout_s` if nobody folds."""

        def seen(record: InstanceRecord | None) -> bool:
            return record.event_seq >= seq if record is not None else instance_id in self._gone

        try:
            await self.wait(instance_id, seen, timeout_s)
        except TimeoutError:
            return

    async def run(self) -> None:
        """Follow the bucket for ever."""
        async for batch in self._bus.follow_bucket(subjects.INSTANCES_BUCKET):
            for entry in batch:
                if _UUID.fullmatch(entry.subject):
                    self._take(entry.subject, entry.data)
            if not batch:
                self.ready.set()

    def _take(self, instance_id: str, data: bytes | None) -> None:
        record = None if data is None else InstanceRecord.model_validate_json(data)
        self._sorted = None
        before = self._records.get(instance_id)
        for port in before.ports.numbers() if before else ():
            if self._ports.get(port) == instance_id:
                del self._ports[port]
        if record is not None and record.status is not Status.DELETED:
            self._ports.update(dict.fromkeys(record.ports.numbers(), instance_id))
        if record is None:
            self._records.pop(instance_id, None)
            self._json.pop(instance_id, None)
            self._gone[instance_id] = before.user_id if before else ""
            if len(self._gone) > MAX_GONE:
                del self._gone[next(iter(self._gone))]
        else:
            self._records[instance_id] = record
            self._json[instance_id] = instance_of(record).model_dump_json(by_alias=True).encode()
        for wanted, future in tuple(self._waiting.get(instance_id, ())):
            if not future.done() and wanted(record):
                future.set_result(record)
