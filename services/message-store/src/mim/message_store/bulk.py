"""Messages to many: kept in the database, put into the outbox one by one at their pace, and counted as they end.

A message's id is made from the bulk message and the recipient's number, so putting it into the outbox again after a
crash is harmless there. Several processes may do it at once for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mim.contracts import subjects
from mim.contracts.bulk import Bulk, BulkCall, BulkItem, BulkItemStatus, BulkReply, BulkStatus, BulkVerb
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage
from mim.runtime.bus import Bus
from mim.storage.database import Database, surely
from mim.storage.tables import bulk_items as items
from mim.storage.tables import bulks

log = structlog.get_logger()
LOOK_S = 5.0
"""So often it is looked for bulk messages that another process was asked for and left."""
LIFE_S = 3600.0
"""How long a message may wait in the outbox once it is there."""
AT_ONCE = 20
"""So many bulk messages are looked at together, those that are due first."""
WAITING, QUEUED = BulkItemStatus.WAITING.value, BulkItemStatus.QUEUED.value


def message_id(bulk_id: str, number: int) -> str:
    """Our id of the message to one recipient."""
    return f"{bulk_id}-{number}"


def item_of(message: str) -> tuple[str, int] | None:
    """Which recipient of which bulk message an id is of; None for other messages."""
    bulk_id, dash, number = message.rpartition("-")
    if not dash or len(bulk_id) != 32 or not number.isdecimal() or len(number) > 6:
        return None
    return bulk_id, int(number)


class Bulks:
    """The bulk messages. Calls raise what `mim.storage.database.passes` knows if the database is away."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database
        self._wake = asyncio.Event()

    # --------------------------------------------------------------------------------------------- questions

    async def ask(self, verb: BulkVerb, call: BulkCall) -> BulkReply:
        """Do what is asked. Raises: MimError (NOT_FOUND, INVALID_MESSAGE)."""
        match verb:
            case BulkVerb.CREATE:
                await self._create(call)
            case BulkVerb.CANCEL:
                await self._cancel(call)
            case BulkVerb.LIST:
                return await self._list(call)
            case BulkVerb.GET:
                return await self._details(call)
        return BulkReply(bulks=(await self._one(call),))

    async def _create(self, call: BulkCall) -> None:
        if call.message is None or call.bulk_id is None or not call.recipients:
            raise MimError(ErrorCode.INVALID_MESSAGE, "a bulk message needs an id, a message and recipients")
        now, wanted = self._bus.now(), tuple(dict.fromkeys(call.recipients))
        row = {
            "id": call.bulk_id,
            "instance_id": call.instance_id,
            "status": BulkStatus.RUNNING.value,
            "message": call.message.model_dump_json(),
            "per_minute": call.per_minute,
            "total": len(wanted),
            "created_at": now,
            "next_at": now,
        }
        rows = [
            {"bulk_id": call.bulk_id, "number": number, "recipient": to, "status": WAITING}
            for number, to in enumerate(wanted)
        ]
        async with self._database.write() as connection:
            if (await connection.execute(select(bulks.c.id).where(bulks.c.id == call.bulk_id))).scalar() is not None:
                return  # asked for once more
            await connection.execute(insert(bulks).values(**row))
            await connection.execute(insert(items), rows)
        self._wake.set()

    async def _cancel(self, call: BulkCall) -> None:
        now = self._bus.now()
        async with self._database.write() as connection:
            mine = (bulks.c.id == call.bulk_id, bulks.c.instance_id == call.instance_id)
            running = update(bulks).where(*mine, bulks.c.status == BulkStatus.RUNNING.value)
            done = await connection.execute(running.values(status=BulkStatus.CANCELLED.value, done_at=now))
            if done.rowcount:
                waiting = update(items).where(items.c.bulk_id == call.bulk_id, items.c.status == WAITING)
                await connection.execute(waiting.values(status=BulkItemStatus.CANCELLED.value))

    async def _list(self, call: BulkCall) -> BulkReply:
        mine = bulks.c.instance_id == call.instance_id
        page = select(bulks).where(mine).order_by(bulks.c.created_at.desc(), bulks.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(page.limit(call.limit).offset(call.offset))).mappings().all()
            total = (await connection.execute(select(func.count()).select_from(bulks).where(mine))).scalar_one()
            found = [_bulk(row, await _counts(connection, row["id"])) for row in rows]
        return BulkReply(bulks=tuple(found), total=total)

    async def _details(self, call: BulkCall) -> BulkReply:
        bulk = await self._one(call)
        which = [items.c.bulk_id == bulk.id]
        if call.status is not None:
            which.append(items.c.status == call.status.value)
        page = select(items).where(*which).order_by(items.c.number).limit(call.limit).offset(call.offset)
        async with self._database.read() as connection:
            rows = (await connection.execute(page)).mappings().all()
            total = (await connection.execute(select(func.count()).select_from(items).where(*which))).scalar_one()
        return BulkReply(bulks=(bulk,), items=tuple(_item(row) for row in rows), total=total)

    async def _one(self, call: BulkCall) -> Bulk:
        which = (bulks.c.id == call.bulk_id, bulks.c.instance_id == call.instance_id)
        async with self._database.read() as connection:
            row = (await connection.execute(select(bulks).where(*which))).mappings().first()
            if row is None:
                raise MimError(ErrorCode.NOT_FOUND, f"the instance has no bulk message {call.bulk_id!r}")
            return _bulk(row, await _counts(connection, row["id"]))

    # ---------------------------------------------------------------------------------------------- sending

    async def run(self) -> None:
        """Put into the outbox what is due, for ever."""
        while True:
            self._wake.clear()
            running = await surely(self._running)
            due = [row for row in running if row["next_at"] <= self._bus.now()]
            for row in due:
                await surely(lambda row=row: self._send(row))  # type: ignore[misc]
            if not due:
                await self._rest(running)

    async def _running(self) -> Sequence[Any]:
        running = select(bulks).where(bulks.c.status == BulkStatus.RUNNING.value)
        async with self._database.read() as connection:
            return (await connection.execute(running.order_by(bulks.c.next_at).limit(AT_ONCE))).mappings().all()

    async def _rest(self, running: Sequence[Any]) -> None:
        """Wait until the next one is due, or there is a new one."""
        ahead_s = (running[0]["next_at"] - self._bus.now()).total_seconds() if running else LOOK_S
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(ahead_s, 0.0), LOOK_S)):
                await self._wake.wait()

    async def _send(self, row: Any) -> None:
        """Put the next message of a bulk message into the outbox, and say when the one after it is due."""
        waiting = select(items).where(items.c.bulk_id == row["id"], items.c.status == WAITING)
        async with self._database.read() as connection:
            item = (await connection.execute(waiting.order_by(items.c.number).limit(1))).mappings().first()
        if item is None:
            await self._finish(row)
            return
        await self._queue(row, item)
        pause = timedelta(seconds=60 / row["per_minute"])
        next_at = max(row["next_at"] + pause, self._bus.now() - pause)
        async with self._database.write() as connection:
            this = (items.c.bulk_id == row["id"], items.c.number == item["number"], items.c.status == WAITING)
            # The bulk message before its items, as everywhere: PostgreSQL breaks off who locks them in another order.
            await connection.execute(update(bulks).where(bulks.c.id == row["id"]).values(next_at=next_at))
            await connection.execute(update(items).where(*this).values(status=QUEUED))

    async def _queue(self, row: Any, item: Any) -> None:
        first = SendMessage.model_validate_json(row["message"])
        change = {
            "id": message_id(row["id"], item["number"]),
            "to": item["recipient"],
            "expires_at": self._bus.now() + timedelta(seconds=LIFE_S),
        }
        message = first.model_copy(update=change)
        subject = subjects.message_command(message.provider, message.instance_id)
        msg_id = f"{message.instance_id}/{message.id}"
        await self._bus.publish(subject, message.model_dump_json().encode(), msg_id=msg_id)

    async def _finish(self, row: Any) -> None:
        """Done when nothing is queued any more; until then look again in a while."""
        queued = select(func.count()).select_from(items).where(items.c.bulk_id == row["id"], items.c.status == QUEUED)
        now = self._bus.now()
        async with self._database.write() as connection:
            left = (await connection.execute(queued)).scalar_one()
            change: dict[str, Any] = {"next_at": now + timedelta(seconds=1)}
            if not left:
                change = {"status": BulkStatus.DONE.value, "done_at": now}
            running = (bulks.c.id == row["id"], bulks.c.status == BulkStatus.RUNNING.value)
            await connection.execute(update(bulks).where(*running).values(**change))

    async def ended(self, events: Sequence[MessageSent | MessageFailed]) -> None:
        """Note what became of messages; those of no bulk message are passed over."""
        known = [(event, place) for event in events if (place := item_of(event.id)) is not None]
        if not known:
            return
        async with self._database.write() as connection:
            for event, (bulk_id, number) in known:
                this = (items.c.bulk_id == bulk_id, items.c.number == number)
                await connection.execute(update(items).where(*this).values(**_outcome(event)))


def _outcome(event: MessageSent | MessageFailed) -> dict[str, str]:
    if isinstance(event, MessageSent):
        return {"status": BulkItemStatus.SENT.value, "messenger_id": event.messenger_id}
    return {"status": BulkItemStatus.FAILED.value, "code": event.code, "error": event.message}


async def _counts(connection: AsyncConnection, bulk_id: str) -> dict[BulkItemStatus, int]:
    grouped = select(items.c.status, func.count()).where(items.c.bulk_id == bulk_id).group_by(items.c.status)
    return {BulkItemStatus(status): count for status, count in (await connection.execute(grouped)).all()}


def _bulk(row: Any, counts: dict[BulkItemStatus, int]) -> Bulk:
    return Bulk(
        id=row["id"],
        instance_id=row["instance_id"],
        status=BulkStatus(row["status"]),
        per_minute=row["per_minute"],
        total=row["total"],
        counts=counts,
        created_at=row["created_at"],
        done_at=row["done_at"],
    )


def _item(row: Any) -> BulkItem:
    return BulkItem(
        position=row["number"],
        to=row["recipient"],
        status=BulkItemStatus(row["status"]),
        message_id=message_id(row["bulk_id"], row["number"]),
        messenger_id=row["messenger_id"],
        code=row["code"],
        error=row["error"],
    )
