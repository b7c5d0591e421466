"""The gateway's copy of the read model: every record, its JSON as soon as somebody asked for it, and those who wait for
a change.

What is made of a record (its JSON, the text that is searched) is made when it is first asked for and kept until the
record changes: with thousands of changes a second and a hundred thousand instances at a start, most is never asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import product

from mim.contracts import subjects
from mim.contracts.answers import instance_of
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Provider, Status
from mim.contracts.values import Account
from mim.runtime.bus import Bus
from mim.runtime.lean import lean

_UUID = re.compile(UUID_PATTERN)
MAX_GONE = 10_000
_MARKS = {of: number for number, of in enumerate(product(Provider, Status))}
Wanted = Callable[[InstanceRecord | None], bool]


class ReadModel:
    """Filled by `run`; everything else answers from memory."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records: dict[str, InstanceRecord] = {}
        self._alive: dict[str, InstanceRecord] = {}  # oldest first, but for `_is_sorted`
        self._marks: dict[str, int] = {}  # of the same, in the same order
        self._of_user: defaultdict[str, set[str]] = defaultdict(set)
        self._is_sorted = True
        self._last: tuple[datetime, str] | None = None  # no record's place is behind this
        self._json: dict[str, bytes] = {}
        self._texts: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._waiting: defaultdict[str, set[tuple[Wanted, asyncio.Future[InstanceRecord | None]]]] = defaultdict(set)
        self._gone: dict[str, str] = {}  # owners of the last instances that were removed, oldest first
        self.ready = asyncio.Event()

    def get(self, instance_id: str) -> InstanceRecord | None:
        """One record; None if there is none (any more)."""
        return self._alive.get(instance_id)

    def find(self, instance_id: str) -> InstanceRecord:
        """One record. Raises: MimError (NOT_FOUND) if there is none."""
        record = self.get(instance_id) or self.get(instance_id.lower())
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

    def records(self, provider: Provider | None = None, status: Status | None = None) -> list[InstanceRecord]:
        """All records, or those of one provider and at one status, oldest first."""
        if not self._is_sorted:
            self._alive = {record.id: record for record in sorted(self._alive.values(), key=_age)}
            self._marks = {instance_id: self._marks[instance_id] for instance_id in self._alive}
            self._is_sorted = True
        if provider is None and status is None:
            return list(self._alive.values())
        # A mark is a small number, so that a hundred thousand records that do not fit need not be looked into.
        fitting = {mark for of, mark in _MARKS.items() if provider in (None, of[0]) and status in (None, of[1])}
        found = zip(self._alive.values(), self._marks.values(), strict=True)
        return [record for record, mark in found if mark in fitting]

    def records_of(self, user_id: str) -> list[InstanceRecord]:
        """All records of one user, oldest first."""
        return sorted((self._alive[instance_id] for instance_id in self._of_user.get(user_id, ())), key=_age)

    def json(self, record: InstanceRecord) -> bytes:
        """The `instance` object of a record as JSON bytes."""
        made = self._json.get(record.id)
        if made is None:
            made = self._json[record.id] = instance_of(record).model_dump_json(by_alias=True).encode()
        return made

    def text(self, record: InstanceRecord) -> str:
        """What of a record is searched, with its case folded."""
        made = self._texts.get(record.id)
        if made is None:
            made = self._texts[record.id] = _text_of(record)
        return made

    def owner_of(self, instance_id: str) -> str | None:
        """Whose instance it is, or was until lately."""
        record = self._records.get(instance_id)
        return self._gone.get(instance_id) if record is None else record.user_id

    def join(self, records: Iterable[InstanceRecord]) -> bytes:
        """The `instance` objects of many records, separated by commas."""
        return b",".join([self.json(record) for record in records])

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

    def is_shown(self, instance_id: str, seq: int) -> bool:
        """Whether the event `seq` of an instance shows in its record."""
        record = self._records.get(instance_id)
        return record.event_seq >= seq if record is not None else instance_id in self._gone

    async def shows(self, instance_id: str, seq: int, timeout_s: float) -> None:
        """Return when the event `seq` of an instance shows in its record, or after `timeout_s` if nobody folds."""
        try:
            await self.wait(instance_id, lambda _record: self.is_shown(instance_id, seq), timeout_s)
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
        record = None if data is None else lean(InstanceRecord.model_validate_json(data))
        before = self._records.get(instance_id)
        self._place(instance_id, record)
        for port in before.ports.numbers() if before else ():
            if self._ports.get(port) == instance_id:
                del self._ports[port]
        if record is not None and record.status is not Status.DELETED:
            self._ports.update(dict.fromkeys(record.ports.numbers(), instance_id))
        if record is None:
            self._records.pop(instance_id, None)
            self._gone[instance_id] = before.user_id if before else ""
            if len(self._gone) > MAX_GONE:
                del self._gone[next(iter(self._gone))]
        else:
            self._records[instance_id] = record
        for wanted, future in tuple(self._waiting.get(instance_id, ())):
            if not future.done() and wanted(record):
                future.set_result(record)

    def _place(self, instance_id: str, record: InstanceRecord | None) -> None:
        """A record takes its place among those that are listed; one that changes keeps it."""
        self._json.pop(instance_id, None)
        before = self._alive.get(instance_id)
        if before is None or record is None or _searched(before) != _searched(record):
            self._texts.pop(instance_id, None)
        if record is not None and record.status is not Status.DELETED:
            if before is None:
                self._is_sorted = self._is_sorted and (self._last is None or _age(record) > self._last)
                self._last = max(_age(record), self._last or _age(record))
                self._of_user[record.user_id].add(instance_id)
            self._alive[instance_id] = record
            self._marks[instance_id] = _MARKS[record.provider, record.status]
        elif before is not None:
            del self._alive[instance_id], self._marks[instance_id]
            self._texts.pop(instance_id, None)
            self._of_user[before.user_id].discard(instance_id)
            if not self._of_user[before.user_id]:
                del self._of_user[before.user_id]


def _age(record: InstanceRecord) -> tuple[datetime, str]:
    return record.created_at, record.id


def _searched(record: InstanceRecord) -> tuple[str | None, int | None, Account | None]:
    """What of the text of a record may change."""
    return record.display_name, record.ports.api, record.account


def _text_of(record: InstanceRecord) -> str:
    account = record.account
    parts = [record.id, record.user_id, record.display_name, record.provider, str(record.ports.api)]
    if account:
        parts += [account.username, account.first_name, account.phone_number]
    return "\n".join(part for part in parts if part).casefold()
