"""The messages in the database: how changes are written, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mim.contracts.stored import ChatRow, ContactRow, MediaRow, MessageRow, StatsRow, StoredCall
from mim.message_store.changes import (
    Change,
    ChatNamed,
    ChatSeen,
    Confirmed,
    Deleted,
    Edited,
    Forgotten,
    NewMessage,
    Reacted,
    Row,
    searched,
)
from mim.storage.database import Database
from mim.storage.tables import bulk_items, bulks, chats, contacts, messages

CHUNK = 2000
"""So many rows are removed at a time: nobody waits long for a removal."""
_EARLIER = {"delivered": ("sent",), "read": ("sent", "delivered")}
"""From which status a receipt leads on: one that comes late takes nothing back."""


class MessageStore:
    """Every call raises what `mim.storage.database.passes` knows if the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
        # The statements of every message are made once: making one takes longer than running it.
        self._new_messages = insert(messages).on_conflict_do_nothing().returning(*messages.primary_key)
        self._seen_contact = _upsert(insert(contacts), contacts, ("instance_id", "contact_id"), "last_seen")
        self._seen_chat = _upsert(insert(chats), chats, ("instance_id", "chat_id"), "last_at", unread=_unread)

    # ---------------------------------------------------------------------------------------------- writing

    async def apply(self, changes: Iterable[Change]) -> None:
        """Write changes in their order, all together. Writing them again changes nothing."""
        async with self._database.write() as connection:
            for kind, some in groupby(changes, type):
                if kind is NewMessage:
                    await self._add(connection, [change for change in some if isinstance(change, NewMessage)])
                else:
                    for change in some:
                        await self._apply(connection, change)

    async def _apply(self, connection: AsyncConnection, change: Change) -> None:
        match change:
            case Edited():
                text = {"body": change.body, "search": searched(change.body), "edited_at": change.at}
                await connection.execute(_the(change).where(messages.c.deleted_at.is_(None)).values(**text))
            case Deleted():
                nothing = {"body": "", "search": "", "media": None, "deleted_at": change.at}
                await connection.execute(_the(change).values(**nothing))
            case Reacted():
                await self._react(connection, change)
            case Confirmed():
                which = (messages.c.from_me.is_(True), messages.c.status.in_(_EARLIER[change.status]))
                mine = messages.c.messenger_id.in_(change.messenger_ids)
                known = update(messages).where(messages.c.instance_id == change.instance_id, mine, *which)
                await connection.execute(known.values(status=change.status))
            case ChatSeen():
                await connection.execute(_chat(change).values(unread=0))
            case ChatNamed():
                await connection.execute(_chat(change).values(name=change.name))
            case Forgotten():
                gone = select(bulks.c.id).where(bulks.c.instance_id == change.instance_id)
                await connection.execute(gone.with_for_update())  # before their items, as everywhere
                await connection.execute(delete(bulk_items).where(bulk_items.c.bulk_id.in_(gone)))
                for table in (messages, chats, contacts, bulks):
                    await connection.execute(delete(table).where(table.c.instance_id == change.instance_id))

    async def _add(self, connection: AsyncConnection, given: Sequence[NewMessage]) -> None:
        """Write messages that follow each other with three statements: each is several hops to the engine's thread."""
        added = {tuple(key) for key in await connection.execute(self._new_messages, [each.row for each in given])}
        new = []
        for each in given:
            key = tuple(each.row[column.name] for column in messages.primary_key)
            if key in added:
                added.remove(key)  # one that is given twice counts once
                new.append(each)
        if seen := [each.contact for each in new if each.contact is not None]:
            await connection.execute(self._seen_contact, seen)
        if new:
            await connection.execute(self._seen_chat, [_chat_of(each) for each in new])

    async def _react(self, connection: AsyncConnection, change: Reacted) -> None:
        which = (messages.c.instance_id == change.instance_id, messages.c.messenger_id == change.messenger_id)
        found = (await connection.execute(select(messages.c.chat_id, messages.c.reactions).where(*which))).all()
        for chat_id, reactions in found:
            now = {**(reactions or {}), change.who: change.emoji}
            kept = {who: emoji for who, emoji in now.items() if emoji} or None
            await connection.execute(_the(change).where(messages.c.chat_id == chat_id).values(reactions=kept))

    # ---------------------------------------------------------------------------------------------- reading

    async def messages(self, call: StoredCall) -> tuple[list[MessageRow], int]:
        """Messages, the newest first, and how many there are."""
        which = [messages.c.instance_id == call.instance_id]
        if call.chat_id is not None:
            which.append(messages.c.chat_id == call.chat_id)
        if call.messenger_id is not None:
            which.append(messages.c.messenger_id == call.messenger_id)
        if call.is_group is not None:
            which.append(messages.c.is_group.is_(call.is_group))
        if call.search:
            which.append(_holds(messages.c.search, searched(call.search)))
        order = (messages.c.timestamp.desc(), messages.c.seq.desc())
        rows, total = await self._page(select(messages).where(*which).order_by(*order), call)
        return [_message(row) for row in rows], total

    async def chats(self, call: StoredCall) -> tuple[list[ChatRow], int]:
        """Chats, the latest first, and how many there are."""
        which = [chats.c.instance_id == call.instance_id]
        if call.is_group is not None:
            which.append(chats.c.is_group.is_(call.is_group))
        if call.search:
            which.append(_named(call.search, chats.c.name, chats.c.chat_id))
        of_chat = (messages.c.instance_id == chats.c.instance_id, messages.c.chat_id == chats.c.chat_id)
        count = select(func.count()).select_from(messages).where(*of_chat).scalar_subquery()
        order = (chats.c.last_at.desc(), chats.c.chat_id)
        rows, total = await self._page(select(chats, count.label("count")).where(*which).order_by(*order), call)
        return [_chat_item(row) for row in rows], total

    async def contacts(self, call: StoredCall) -> tuple[list[ContactRow], int]:
        """Everybody who wrote, the latest first, and how many there are."""
        which = [contacts.c.instance_id == call.instance_id]
        if call.search:
            which.append(_named(call.search, *(contacts.c[name] for name in _NAMES)))
        order = (contacts.c.last_seen.desc(), contacts.c.contact_id)
        rows, total = await self._page(select(contacts).where(*which).order_by(*order), call)
        return [_contact_item(row) for row in rows], total

    async def stats(self, instance_id: str) -> StatsRow:
        """What there is, in numbers."""
        mine, theirs = messages.c.instance_id == instance_id, chats.c.instance_id == instance_id
        sent = func.sum(case((messages.c.from_me, 1), else_=0))
        first, last = func.min(messages.c.timestamp), func.max(messages.c.timestamp)
        groups = func.sum(case((chats.c.is_group, 1), else_=0))
        async with self._database.read() as connection:
            total = (await connection.execute(select(func.count(), sent, first, last).where(mine))).one()
            known = (await connection.execute(select(func.count(), groups).where(theirs))).one()
        return StatsRow(
            total=total[0],
            sent=total[1] or 0,
            received=total[0] - (total[1] or 0),
            chats=known[0],
            groups=known[1] or 0,
            oldest=total[2],
            newest=total[3],
        )

    async def _page(self, query: Select[Any], call: StoredCall) -> tuple[Sequence[Any], int]:
        count = select(func.count()).select_from(query.order_by(None).subquery())
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(call.limit).offset(call.offset))).mappings().all()
            total = (await connection.execute(count)).scalar_one()
        return rows, total

    # ---------------------------------------------------------------------------------------------- keeping

    async def trim(self, now: datetime, days: float, most: int) -> None:
        """Remove messages older than `days`, and of each instance all but the newest `most`; chats without any go."""
        oldest = now - timedelta(days=days)
        await self._remove(messages.c.timestamp < oldest)
        for instance_id, at in await self._beyond(most):
            await self._remove(messages.c.instance_id == instance_id, messages.c.timestamp < at)
        async with self._database.write() as connection:
            await connection.execute(delete(chats).where(chats.c.last_at < oldest))
            await connection.execute(delete(contacts).where(contacts.c.last_seen < oldest))
            ended = select(bulks.c.id).where(bulks.c.done_at < oldest)
            await connection.execute(ended.with_for_update())
            await connection.execute(delete(bulk_items).where(bulk_items.c.bulk_id.in_(ended)))
            await connection.execute(delete(bulks).where(bulks.c.done_at < oldest))

    async def _beyond(self, most: int) -> list[tuple[str, datetime]]:
        """The instances with more than `most` messages, each with the time of the oldest that stays."""
        crowded = select(messages.c.instance_id).group_by(messages.c.instance_id).having(func.count() > most)
        found = []
        async with self._database.read() as connection:
            for instance_id in list((await connection.execute(crowded)).scalars()):
                mine = select(messages.c.timestamp).where(messages.c.instance_id == instance_id)
                oldest = mine.order_by(messages.c.timestamp.desc()).offset(most - 1).limit(1)
                found.append((instance_id, (await connection.execute(oldest)).scalar_one()))
        return found

    async def _remove(self, *which: ColumnElement[bool]) -> None:
        # By key and not by row: neither engine has the other's name for the place of a row.
        key = (messages.c.instance_id, messages.c.chat_id, messages.c.messenger_id)
        gone = CHUNK
        while gone == CHUNK:
            async with self._database.write() as connection:
                some = (await connection.execute(select(*key).where(*which).limit(CHUNK))).all()
                for row in some:
                    this = [column == value for column, value in zip(key, row, strict=True)]
                    await connection.execute(delete(messages).where(*this))
                gone = len(some)


def _unread(new: Any) -> Any:
    return case((new.last_from_me, 0), else_=chats.c.unread + 1)


def _upsert(insert: Any, table: Table, key: tuple[str, ...], newest: str, **counts: Callable[[Any], Any]) -> Any:
    """Insert a row or bring it up to date: what is newer counts, and what is known is not forgotten.

    `counts` are columns with a rule of their own, which gets the new row.
    """
    new = insert.excluded
    is_newer = new[newest] >= table.c[newest]
    change = {
        column.name: case((is_newer, func.coalesce(new[column.name], column)), else_=column)
        for column in table.c
        if column.name not in (*key, *counts)
    }
    change |= {name: count(new) for name, count in counts.items()}
    return insert.on_conflict_do_update(index_elements=list(key), set_=change)


def _chat_of(new: NewMessage) -> Row:
    row = new.row
    return {
        **{name: row[name] for name in ("instance_id", "chat_id", "is_group")},
        "name": new.chat_name,
        "last_message": row["body"],
        "last_at": row["timestamp"],
        "last_from_me": row["from_me"],
        "unread": 0 if row["from_me"] else 1,
    }


def _the(change: Edited | Deleted | Reacted) -> Any:
    which = (messages.c.instance_id == change.instance_id, messages.c.messenger_id == change.messenger_id)
    return update(messages).where(*which)


def _chat(change: ChatSeen | ChatNamed) -> Any:
    return update(chats).where(chats.c.instance_id == change.instance_id, chats.c.chat_id == change.chat_id)


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.contains(text, autoescape=True)


_NAMES = ("name", "username", "phone_number", "contact_id")


def _named(text: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether one of the columns holds a text; in names only the case of Latin letters does not matter."""
    first, *others = (_holds(func.lower(column), text.lower()) for column in columns)
    for other in others:
        first = first | other
    return first


def _message(row: Any) -> MessageRow:
    media = row["media"]
    names = {
        "kind": "kind",
        "mimeType": "mime_type",
        "fileName": "file_name",
        "sizeBytes": "size_bytes",
        "reference": "reference",
    }
    return MessageRow(
        id=row["messenger_id"],
        messageId=row["message_id"],
        chatId=row["chat_id"],
        fromMe=row["from_me"],
        body=row["body"],
        type=row["kind"],
        isGroup=row["is_group"],
        timestamp=row["timestamp"],
        contact=row["contact_name"] or row["contact_id"],
        contactId=row["contact_id"],
        status=row["status"],
        replyTo=row["reply_to"],
        forwarded=row["forwarded"],
        edited=row["edited_at"] is not None,
        deleted=row["deleted_at"] is not None,
        media=None if media is None else MediaRow(**{name: media.get(key) for name, key in names.items()}),
        reactions=row["reactions"] or {},
    )


def _chat_item(row: Any) -> ChatRow:
    return ChatRow(
        id=row["chat_id"],
        name=row["name"],
        isGroup=row["is_group"],
        lastMessage=row["last_message"],
        lastMessageAt=row["last_at"],
        lastFromMe=row["last_from_me"],
        unread=row["unread"],
        messageCount=row["count"],
    )


def _contact_item(row: Any) -> ContactRow:
    return ContactRow(
        id=row["contact_id"],
        name=row["name"],
        username=row["username"],
        phoneNumber=row["phone_number"],
        lid=row["lid"],
        lastSeen=row["last_seen"],
    )
