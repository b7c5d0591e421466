"""The deliveries in the database: what waits, what was done, and what could not be delivered.

Whoever takes a delivery holds it for `LEASE_S`: its next try is put off by that much in the same statement. A process
that is killed in between gives it back by doing nothing, and several processes never have the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mim.contracts.deliveries import Delivery, DeliveryStatus
from mim.storage.database import Database
from mim.storage.tables import deliveries as table

LEASE_S = 40.0
"""Longer than one try with everything around it."""
CHUNK = 2000
"""So many rows are removed at a time: nobody waits long for a removal."""
PENDING, DELIVERED, FAILED = DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED
_SHOWN = tuple(table.c[name] for name in Delivery.model_fields)


# The statements of every delivery are made once: making one takes longer than running it.
_WAITS = (table.c.instance_id == bindparam("instance"), table.c.status == PENDING)
_DUE = (
    select(table.c.id)
    .where(*_WAITS, table.c.next_at <= bindparam("now"))
    .order_by(table.c.next_at, table.c.seq)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(table)
    .where(table.c.id == _DUE.scalar_subquery())
    .values(tries=table.c.tries + 1, tried_at=bindparam("now"), next_at=bindparam("lease"))
    .returning(table.c.id, table.c.instance_id, table.c.event, table.c.body, table.c.tries)
)
_NEXT_AT = select(func.min(table.c.next_at)).where(*_WAITS)


def delivery_id(instance_id: str, event_id: str) -> str:
    """The id of a delivery, which the receiver sees as `webhook-id`: the same whenever the event comes."""
    return str(uuid5(NAMESPACE_URL, f"mim:{instance_id}/{event_id}"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that shall be delivered."""

    instance_id: str
    event_id: str
    event: str
    seq: int
    body: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is being tried; `tries` counts this one."""

    id: str
    instance_id: str
    event: str
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a try; without `next_at` it was the last one."""

    status: DeliveryStatus
    next_at: datetime | None
    status_code: int | None
    error: str | None
    response: str | None
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long and how many are kept, for each instance."""

    delivered_days: float = 7.0
    failed_days: float = 30.0
    waiting_days: float = 3.0
    """Longer than all tries together; what still waits then, for a target that is left in peace, has failed."""
    most_done: int = 10_000
    most_waiting: int = 50_000


_SETTLE = (
    update(table)
    .where(table.c.id == bindparam("taken"), table.c.status == PENDING, table.c.tries == bindparam("taken_tries"))
    .values({name: bindparam(name) for name in (*(each.name for each in fields(Result)), "done_at")})
)


class Ledger:
    """The table, and everything that is asked of it. Every call raises what `mim.storage.database.passes` knows if
    the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert

    # ------------------------------------------------------------------------------------------- delivering

    async def add(self, records: Iterable[Recorded], now: datetime) -> None:
        """Write a row for each, all together; what is there already stays as it is."""
        times = {"created_at": now, "queued_at": now, "next_at": now}
        rows = [
            {"id": delivery_id(record.instance_id, record.event_id), "status": PENDING.value, "tries": 0}
            | times
            | asdict(record)
            for record in records
        ]
        if rows:
            async with self._database.write() as connection:
                await connection.execute(self._insert(table).on_conflict_do_nothing(), rows)

    async def take(self, instance_id: str, now: datetime) -> Taken | None:
        """The delivery of an instance that is due first, held from now on; None if none is due."""
        values = {"instance": instance_id, "now": now, "lease": now + timedelta(seconds=LEASE_S)}
        rows = await self._database.execute(_TAKE, values)
        return Taken(**rows[0]) if rows else None

    async def settle(self, taken: Taken, result: Result, now: datetime) -> None:
        """Write down what came of a try, unless somebody else has taken it since."""
        values = {"taken": taken.id, "taken_tries": taken.tries, "done_at": None if result.next_at else now}
        await self._database.execute(_SETTLE, values | asdict(result))

    async def next_at(self, instance_id: str) -> datetime | None:
        """When the next delivery of an instance is due; None if none waits."""
        async with self._database.read() as connection:
            found: datetime | None = (await connection.execute(_NEXT_AT, {"instance": instance_id})).scalar()
        return found

    async def waiting(self) -> list[str]:
        """The instances that something waits for."""
        wanted = select(table.c.instance_id).where(table.c.status == PENDING).distinct()
        async with self._database.read() as connection:
            return list((await connection.execute(wanted)).scalars())

    async def depth(self) -> tuple[int, datetime | None]:
        """How many wait, and since when the oldest does."""
        wanted = select(func.count(), func.min(table.c.queued_at)).where(table.c.status == PENDING)
        async with self._database.read() as connection:
            count, oldest = (await connection.execute(wanted)).one()
        return count, oldest

    # -------------------------------------------------------------------------------------------- answering

    async def page(
        self, instance_id: str, status: DeliveryStatus | None, limit: int, offset: int
    ) -> tuple[list[Delivery], dict[str, int]]:
        """Deliveries of an instance, the newest first, and how many there are by status."""
        mine = table.c.instance_id == instance_id
        wanted = select(*_SHOWN).where(mine, *([table.c.status == status] if status else []))
        counts = select(table.c.status, func.count().label("number")).where(mine).group_by(table.c.status)
        async with self._database.read() as connection:
            rows = await connection.execute(wanted.order_by(table.c.seq.desc()).limit(limit).offset(offset))
            found = [_shown(row) for row in rows.mappings()]
            return found, {row.status: row.number for row in await connection.execute(counts)}

    async def find(self, instance_id: str, id: str) -> tuple[Delivery, str] | None:
        """One delivery and its body; None if the instance has none of this id."""
        wanted = select(*_SHOWN, table.c.body).where(table.c.instance_id == instance_id, table.c.id == id)
        async with self._database.read() as connection:
            row = (await connection.execute(wanted)).mappings().one_or_none()
        return None if row is None else (_shown(row), row["body"])

    async def again(self, instance_id: str, id: str, now: datetime) -> bool:
        """Let one delivery wait once more, from the first try on, whatever became of it. False if there is none."""
        return await self._again(now, table.c.instance_id == instance_id, table.c.id == id) > 0

    async def all_again(self, instance_id: str, now: datetime) -> int:
        """The same for all failed ones of an instance; returns how many."""
        return await self._again(now, table.c.instance_id == instance_id, table.c.status == FAILED)

    async def _again(self, now: datetime, *which: ColumnElement[bool]) -> int:
        change = update(table).where(*which)
        fresh = {"status": PENDING.value, "tries": 0, "next_at": now, "queued_at": now, "done_at": None}
        async with self._database.write() as connection:
            return (await connection.execute(change.values(**fresh))).rowcount

    # ---------------------------------------------------------------------------------------------- keeping

    async def forget(self, instance_id: str) -> None:
        """Remove everything of an instance that is gone."""
        await self._remove(table.c.instance_id == instance_id)

    async def trim(self, keeping: Keeping, now: datetime) -> None:
        """Let fail what waits too long or is too much, and remove what is too old or too much."""
        await self._expire(now, "it waited too long", table.c.queued_at < now - timedelta(days=keeping.waiting_days))
        for status, days in ((DELIVERED, keeping.delivered_days), (FAILED, keeping.failed_days)):
            await self._remove(table.c.status == status, table.c.done_at < now - timedelta(days=days))
            for instance_id, seq in await self._beyond(status, keeping.most_done):
                await self._remove(table.c.instance_id == instance_id, table.c.status == status, table.c.seq <= seq)
        for instance_id, seq in await self._beyond(PENDING, keeping.most_waiting):
            mine = (table.c.instance_id == instance_id, table.c.seq <= seq)
            await self._expire(now, f"more than {keeping.most_waiting} wait, and it was the oldest", *mine)

    async def _expire(self, now: datetime, error: str, *which: ColumnElement[bool]) -> None:
        change = update(table).where(table.c.status == PENDING, *which)
        async with self._database.write() as connection:
            await connection.execute(change.values(status=FAILED.value, error=error, next_at=None, done_at=now))

    async def _beyond(self, status: DeliveryStatus, most: int) -> Sequence[tuple[str, int]]:
        """The instances that have more than `most` rows of a status, each with the newest `seq` that is too much."""
        counted = select(table.c.instance_id).where(table.c.status == status).group_by(table.c.instance_id)
        async with self._database.read() as connection:
            crowded = list((await connection.execute(counted.having(func.count() > most))).scalars())
            found = []
            for instance_id in crowded:
                mine = select(table.c.seq).where(table.c.instance_id == instance_id, table.c.status == status)
                newest = mine.order_by(table.c.seq.desc()).offset(most).limit(1)
                if (seq := (await connection.execute(newest)).scalar()) is not None:
                    found.append((instance_id, seq))
        return found

    async def _remove(self, *which: ColumnElement[bool]) -> None:
        some = select(table.c.id).where(*which).limit(CHUNK)
        gone = CHUNK
        while gone == CHUNK:
            async with self._database.write() as connection:
                gone = (await connection.execute(delete(table).where(table.c.id.in_(some)))).rowcount


def _shown(row: Any) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery.model_fields})
