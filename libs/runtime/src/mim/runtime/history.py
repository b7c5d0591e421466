"""Reading back what a stream holds: the histories of an instance, its log lines, its messages.

One request brings a thousand messages of a subject in one go, without a consumer, which would cost the server 5 ms of
processor time: batched direct get (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-31.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import nats.errors
import orjson
from nats.js.api import StreamState
from nats.js.errors import APIError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.fields import iso
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage, unwrap
from mim.runtime.bus import SILENT, Bus
from mim.runtime.flow import Entry

BATCH = 1000
BATCH_S = 2.0
READ_S = 8.0
SKEW = timedelta(minutes=1)
"""How far the clocks of the servers of a cluster may be apart."""


async def last_seq(bus: Bus, stream: str) -> int:
    """The sequence of the newest message of a stream. Raises: Unavailable if the bus does not answer."""
    return (await _state(bus, stream)).last_seq


async def count(bus: Bus, stream: str, subject: str) -> int:
    """How many messages of a subject a stream holds. Raises: Unavailable if the bus does not answer."""
    return sum(((await _state(bus, stream, subject)).subjects or {}).values())


async def subjects_in(bus: Bus, stream: str, among: str = ">") -> set[str]:
    """The subjects of which a stream holds messages. Raises: Unavailable if the bus does not answer."""
    return set((await _state(bus, stream, among)).subjects or {})


async def _state(bus: Bus, stream: str, subject: str | None = None) -> StreamState:
    try:
        return (await bus.js.stream_info(stream, subjects_filter=subject)).state
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error


async def age_s(bus: Bus, stream: str, subject: str) -> float:
    """For how many seconds the oldest message of a subject has been in a stream; 0 if there is none.

    Raises: Unavailable if the bus does not answer.
    """
    entries, _ = await _batch(bus, stream, {"seq": 1, "next_by_subj": subject, "batch": 1})
    stored_at = entries[0].stored_at if entries else None
    return 0.0 if stored_at is None else max(0.0, (bus.now() - stored_at).total_seconds())


async def was_told(bus: Bus, message: SendMessage, queued_at: datetime) -> bool:
    """Whether an event tells what became of a message: that it was sent, or has failed since it was queued. Not only
    the last one: nats-server that is killed may forget several acknowledgements, and what it delivers again then are
    not only the last ones that were told.

    Raises: Unavailable if the bus does not answer, or a server that lags behind does.
    """
    # A message that has failed may be queued again as it is, so what was told before says nothing of it.
    return await _tells(bus, message, MessageSent, queued_at - SKEW) or await _tells(
        bus, message, MessageFailed, queued_at
    )


async def _tells(bus: Bus, message: SendMessage, kind: type[MessageSent | MessageFailed], since: datetime) -> bool:
    subject = subjects.message_event(message.instance_id, kind.name)
    data, seq = await bus.last(subjects.EVENTS, subject, of_leader=True)
    if data is None:
        return False
    if kind is MessageSent and _is_of(data, kind, message):
        return True
    entries, _ = await newest(bus, subjects.EVENTS, subject, BATCH, since=since)
    if not entries:  # the last is older, or the server that answered has not got it yet
        last, _ = await newest(bus, subjects.EVENTS, subject, 1, after=seq - 1)
        if last and (stored_at := last[-1].stored_at) is not None and stored_at < since:
            return False
    if not entries or entries[-1].seq < seq:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT)
    return any(_is_of(entry.data, kind, message) for entry in entries)


def _is_of(data: bytes | None, kind: type[MessageSent | MessageFailed], message: SendMessage) -> bool:
    envelope = unwrap(data) if data else None
    return envelope is not None and isinstance(envelope.data, kind) and envelope.data.id == message.id


async def newest(
    bus: Bus, stream: str, subject: str, limit: int, *, since: datetime | None = None, after: int = 0
) -> tuple[list[Entry], int]:
    """The newest `limit` messages of a subject, oldest first, and how many there are in all.

    `since` and `after` leave out what is older than a time or not newer than a sequence. Reading ends after `READ_S`.

    Raises: Unavailable if the bus does not answer.
    """
    begin: dict[str, object] = {"start_time": iso(since)} if since else {"seq": after + 1}
    end_at = asyncio.get_running_loop().time() + READ_S
    entries, pending = await _batch(bus, stream, {**begin, "next_by_subj": subject, "batch": BATCH})
    total = len(entries) + pending
    kept = deque(entries, maxlen=limit)
    if pending > limit:
        entries, pending = await _near_the_end(bus, stream, subject, entries[-1].seq, limit)
        kept.extend(entries)
    while pending and entries and asyncio.get_running_loop().time() < end_at:
        entries, pending = await _batch(
            bus, stream, {"seq": entries[-1].seq + 1, "next_by_subj": subject, "batch": BATCH}
        )
        kept.extend(entries)
    return list(kept), total


async def _near_the_end(bus: Bus, stream: str, subject: str, after: int, limit: int) -> tuple[list[Entry], int]:
    """One message of a subject and how many follow it: `limit` or a few more. A stream is read forwards only, so the
    place is found by halving."""

    async def first_from(seq: int) -> tuple[list[Entry], int]:
        return await _batch(bus, stream, {"seq": seq, "next_by_subj": subject, "batch": 1})

    low, high = after + 1, await last_seq(bus, stream) + 1
    found = await first_from(low)
    while found[1] > limit + BATCH and high - low > 1:
        middle = (low + high) // 2
        there = await first_from(middle)
        if there[1] >= limit:
            low, found = middle, there
        else:
            high = middle
    return found


async def _batch(bus: Bus, stream: str, request: dict[str, object]) -> tuple[list[Entry], int]:
    inbox = bus.nc.new_inbox()
    subscription = await bus.nc.subscribe(inbox)
    entries: list[Entry] = []
    try:
        async with asyncio.timeout(BATCH_S):
            await bus.nc.publish(f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(request), reply=inbox)
            while True:
                msg = await subscription.next_msg(timeout=BATCH_S)
                headers = msg.headers or {}
                status = headers.get("Status")
                if status is None:
                    entries.append(_entry(headers, msg.data))
                elif status == "204":  # end of the batch
                    return entries, int(headers.get("Nats-Num-Pending", 0))
                elif status == "404":
                    return entries, 0
                else:
                    raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error
    finally:
        with suppress(nats.errors.Error):
            await subscription.unsubscribe()


def _entry(headers: dict[str, str], data: bytes) -> Entry:
    stamp = headers["Nats-Time-Stamp"].split(".")[0].rstrip("Z")  # nanoseconds are more than Python reads
    at = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    return Entry(int(headers["Nats-Sequence"]), headers["Nats-Subject"], data, at)
