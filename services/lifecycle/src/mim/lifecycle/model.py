"""The read model as lifecycle keeps it: every record in memory, folded from the event stream, written to the bucket
that the gateways watch.

The fold is deterministic and folding twice changes nothing, so several lifecycle processes may do it at once: a record
is only ever replaced by one that has seen more events. The key `_fold` of the bucket remembers, a second behind, up to
where all records go; after a crash the fold begins anew from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import structlog

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, Unavailable
from mim.contracts.messages import unwrap
from mim.contracts.records import FoldPosition, InstanceRecord
from mim.lifecycle.fold import fold
from mim.runtime import metrics
from mim.runtime.bus import Bus, Conflict
from mim.runtime.flow import Entry
from mim.runtime.history import last_seq
from mim.runtime.lean import lean
from mim.runtime.store import Store

log = structlog.get_logger()

WRITERS = 64
SAVE_S = 1.0
PROOF_S = 4.0


class ReadModel:
    """All records. `changed` is called with the id of each one that a fold changed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._store = Store(bus, subjects.INSTANCES_BUCKET, InstanceRecord)
        self._position = Store(bus, subjects.INSTANCES_BUCKET, FoldPosition)
        self._records: dict[str, InstanceRecord] = {}
        self._revisions: dict[str, int] = {}
        self._seq = 0
        self._proved_at = time.monotonic()
        self._behind_since: float | None = None
        self._dirty: set[str] = set()
        self._unwritten: set[str] = set()
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._limit = asyncio.Semaphore(WRITERS)
        self._moved = asyncio.Event()
        self.ready = asyncio.Event()
        self.changed: Callable[[str], None] = lambda _instance_id: None

    def get(self, instance_id: str) -> InstanceRecord | None:
        """One record; None if there is none."""
        return self._records.get(instance_id)

    def seq_of(self, instance_id: str) -> int:
        """The last status event that a record has seen; 0 if there is no record."""
        record = self._records.get(instance_id)
        return record.instance_seq if record else 0

    def ids(self) -> list[str]:
        """The ids of all instances."""
        return list(self._records)

    def records(self) -> Iterator[InstanceRecord]:
        """All records as they are now."""
        return iter(list(self._records.values()))

    async def wait_folded(self, instance_id: str, seq: int, timeout_s: float) -> InstanceRecord | None:
        """The record once the event `seq` is folded in. Raises: Unavailable if that takes too long."""
        return await self._wait(lambda: self._seq >= seq, instance_id, timeout_s)

    async def moved_beyond(self, instance_id: str, instance_seq: int, timeout_s: float) -> bool:
        """Whether the record gets past a status event within the time."""
        try:
            await self._wait(lambda: self.seq_of(instance_id) > instance_seq, instance_id, timeout_s)
        except Unavailable:
            return False
        return True

    async def _wait(self, done: Callable[[], bool], instance_id: str, timeout_s: float) -> InstanceRecord | None:
        try:
            async with asyncio.timeout(timeout_s):
                while not done():
                    await self._moved.wait()
        except TimeoutError:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the read model lags behind") from None
        return self._records.get(instance_id)

    async def is_newest(self, instance_id: str, instance_seq: int, within_s: float) -> bool:
        """Whether a record, or that there is none (0), is what becomes of all status events that are stored now; false
        if these are not folded in time. Raises: Unavailable if the bus does not answer."""
        _, stored = await self._bus.last(subjects.EVENTS, subjects.instance_events(instance_id), of_leader=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._seq < stored:
                    await self._moved.wait()
        return self._seq >= stored and self.seq_of(instance_id) == instance_seq

    async def run(self) -> None:
        """Load what was folded, then fold what comes, for ever."""
        await self._load()
        async for batch in self._bus.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=self._seq):
            if not batch:
                self.ready.set()
                continue
            await self._fold(batch)

    async def _load(self) -> None:
        """Records and position from one reading of the bucket: a server of a cluster that lags behind tells of old
        records and of an old position, and from there they are folded. Asked one by one, two servers may answer, and
        what lies between them would never be folded."""
        async for batch in self._bus.follow_bucket(subjects.INSTANCES_BUCKET):
            if not batch:
                return
            for entry in batch:
                if entry.data is None:
                    continue
                if entry.subject == subjects.FOLD_POSITION_KEY:
                    self._seq = FoldPosition.model_validate_json(entry.data).seq
                else:
                    self._records[entry.subject] = lean(InstanceRecord.model_validate_json(entry.data))
                    self._revisions[entry.subject] = entry.seq

    async def _fold(self, batch: list[Entry]) -> None:
        changed: dict[str, InstanceRecord] = {}
        for entry in batch:
            try:
                envelope = unwrap(entry.data or b"")
            except Invalid as error:
                log.exception("event_unreadable", seq=entry.seq, subject=entry.subject, reason=error.message)
                continue
            if envelope is None:
                continue
            before = self._records.get(envelope.data.instance_id)
            after = fold(before, envelope, entry.seq)
            if after is not None and after is not before:
                self._records[after.id] = lean(after)
                if before is None or after.instance_seq != before.instance_seq:
                    changed[after.id] = after
                else:
                    self._dirty.add(after.id)  # only counts moved: `save` writes them together
        self._seq = batch[-1].seq
        self._moved.set()
        self._moved = asyncio.Event()
        for instance_id in changed:
            self.changed(instance_id)
        self._dirty.difference_update(changed)
        for instance_id in changed:
            self._write_soon(instance_id)

    def _write_soon(self, instance_id: str) -> None:
        """One writer for each record; what is folded while it writes goes into its next write, not into one each."""
        self._unwritten.add(instance_id)
        if instance_id not in self._writers:
            task = self._writers[instance_id] = asyncio.create_task(self._write(instance_id))
            task.add_done_callback(lambda done: self._written(instance_id, done))

    async def _write(self, instance_id: str) -> None:
        while instance_id in self._unwritten:
            async with self._limit:
                self._unwritten.discard(instance_id)
                record = self._records.get(instance_id)
                if record is not None:
                    await self._bus.surely(partial(self._put, record))

    def _written(self, instance_id: str, task: asyncio.Task[None]) -> None:
        del self._writers[instance_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("record_not_written", instance_id=instance_id, exc_info=error)
            self._bus.closed.set()  # a fresh process folds it again
        elif instance_id in self._unwritten:
            self._write_soon(instance_id)

    async def save(self) -> None:
        """Once a second: write the records whose counts moved, and then how far all records go. For ever."""
        while True:
            await asyncio.sleep(SAVE_S)
            await self._measure_lag()
            seq, dirty, self._dirty = self._seq, self._dirty, set()
            for instance_id in dirty:
                self._write_soon(instance_id)
            await asyncio.gather(*self._writers.values(), return_exceptions=True)
            # Also if nothing moved: it proves that this process is on the side of a split cluster that can write.
            await self._bus.surely(partial(self._position.save, subjects.FOLD_POSITION_KEY, FoldPosition(seq=seq)))
            self._proved_at = time.monotonic()

    @property
    def is_proved(self) -> bool:
        """Whether the bus took a write just now. If not, what is not heard from others says nothing of them."""
        return time.monotonic() - self._proved_at < PROOF_S

    async def _measure_lag(self) -> None:
        with suppress(Unavailable):
            behind = max(0, await last_seq(self._bus, subjects.EVENTS) - self._seq)
            now = time.monotonic()
            self._behind_since = None if behind == 0 else self._behind_since or now
            metrics.lag(behind, now - self._behind_since if self._behind_since else 0.0)

    async def _put(self, record: InstanceRecord) -> None:
        while True:
            try:
                self._revisions[record.id] = await self._store.save(
                    record.id, record, revision=self._revisions.get(record.id, 0)
                )
                return
            except Conflict:
                stored, revision = await self._store.load(record.id)
                self._revisions[record.id] = revision
                if stored is not None and stored.event_seq >= record.event_seq:
                    return  # another lifecycle has seen more

    async def remove(self, instance_id: str) -> None:
        """Forget an instance that is gone."""
        self._records.pop(instance_id, None)
        if (writer := self._writers.get(instance_id)) is not None:
            await asyncio.wait({writer})
        await self._bus.surely(partial(self._store.remove, instance_id))  # nobody would come by for it again
        self._revisions.pop(instance_id, None)
