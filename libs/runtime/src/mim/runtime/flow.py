"""What is read from a stream as it comes: entries, until something is missing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from mim.runtime import tracing

log = structlog.get_logger()
HEARTBEAT_S = 2.0
SILENT_S = 2.5 * HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a stream or one key of a bucket. `data` is None for a deleted key."""

    seq: int
    subject: str
    data: bytes | None
    stored_at: datetime | None = None


class Flow:
    """What a consumer of `Bus.follow` delivers, until it has a gap, falls silent or is interrupted."""

    def __init__(self) -> None:
        self.subscription: Subscription | None = None
        self._arrived: deque[tuple[Entry, int]] = deque()
        self._questions: list[Msg] = []
        self._wake = asyncio.Event()
        self._ended = False
        self._next = 1

    async def arrive(self, msg: Msg) -> None:
        """Take one message: an entry, a heartbeat, or the question whether there is room."""
        status = (msg.headers or {}).get("Status")
        if status is None:
            number = msg.metadata.sequence.consumer
            if number != self._next:
                self._ended = True  # a slow connection lost some; the rest comes once more
            elif not self._ended:
                self._next += 1
                self._arrived.append(_entry(msg))
        elif msg.reply:
            self._questions.append(msg)
        self._wake.set()

    def interrupt(self) -> None:
        """The connection was away: what was lost is not known."""
        self._ended = True
        self._wake.set()

    async def batches(self) -> AsyncIterator[tuple[list[Entry], int]]:
        """What has arrived, with how much is pending behind it."""
        while not self._ended:
            try:
                async with asyncio.timeout(SILENT_S):
                    await self._wake.wait()
            except TimeoutError:
                log.warning("follower_silent", after_s=SILENT_S)
                return
            self._wake.clear()
            batch = [self._arrived.popleft() for _ in range(len(self._arrived))]
            questions, self._questions = self._questions, []
            if batch:
                yield [entry for entry, _ in batch], batch[-1][1]
            for (
                question
            ) in questions:  # only now, so that the server waits for who is slow: 32 MB at most are under way
                with suppress(nats.errors.Error):
                    await question.respond(b"")

    async def close(self) -> None:
        """Listen no more; the server removes the consumer."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await subscription.unsubscribe()


def _entry(msg: Msg) -> tuple[Entry, int]:
    meta = msg.metadata
    tracing.noted(msg.subject, msg.headers, meta.timestamp)
    data = None if is_tombstone(msg.headers) else msg.data
    return Entry(meta.sequence.stream, msg.subject, data, meta.timestamp), meta.num_pending


def is_tombstone(headers: dict[str, str] | None) -> bool:
    """Whether a message says that the key of a bucket was deleted or has lapsed."""
    return headers is not None and (headers.get("KV-Operation") in ("DEL", "PURGE") or "Nats-Marker-Reason" in headers)
