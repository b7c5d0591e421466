"""How long after the time in an event it is seen: in the read model's bucket, and by a subscriber of the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.report import BrokenError, ms, percentile
from mim.contracts import subjects

LOOK_S = 1.0
WITHIN_S = 60.0
BUFFER_BYTES = 1 << 22


@dataclass
class Lags:
    """Seconds at both places, and what lifecycle says of itself: events and seconds that it is behind."""

    bucket: list[float] = field(default_factory=list)
    subscriber: list[float] = field(default_factory=list)
    fold_events: float = 0.0
    fold_s: float = 0.0

    async def complete(self, told: int) -> None:
        """Wait until the subscriber has seen so many. Raises: BrokenError."""
        until = time.monotonic() + WITHIN_S
        while len(self.subscriber) < told and time.monotonic() < until:  # noqa: ASYNC110 - a list that grows
            await asyncio.sleep(0.05)
        if len(self.subscriber) < told:
            raise BrokenError(f"a subscriber saw {len(self.subscriber)} of {told} events")


@asynccontextmanager
async def watching(client: Client, port: int) -> AsyncIterator[Lags]:
    """Watch until the end of the block."""
    lags = Lags()

    async def put(msg: Msg) -> None:
        record = orjson.loads(msg.data)
        if "updated_at" in record:  # the fold's position is in the same bucket
            lags.bucket.append(_since(record["updated_at"]))

    bucket = await client.subscribe(subjects.bucket_subject(subjects.INSTANCES_BUCKET, "*"), cb=put)
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/api/v1/events"
        async with session.get(url, timeout=aiohttp.ClientTimeout(), read_bufsize=BUFFER_BYTES) as response:
            await response.content.readuntil(b": connected\n\n")
            tasks = [asyncio.create_task(_events(response.content, lags)), asyncio.create_task(_fold(client, lags))]
            try:
                yield lags
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await bucket.unsubscribe()


async def _events(lines: aiohttp.StreamReader, lags: Lags) -> None:
    async for raw in lines:
        if raw.startswith(b"data: "):
            lags.subscriber.append(_since(orjson.loads(raw[6:])["time"]))


async def _fold(client: Client, lags: Lags) -> None:
    while True:
        said = await client.request(subjects.metrics_of("lifecycle"), timeout=10)
        figures = dict(line.rsplit(" ", 1) for line in said.data.decode().splitlines() if line[:1] != "#")
        lags.fold_events = max(lags.fold_events, float(figures["mim_fold_lag_events"]))
        lags.fold_s = max(lags.fold_s, float(figures["mim_fold_lag_seconds"]))
        await asyncio.sleep(LOOK_S)


def _since(at: str) -> float:
    return time.time() - datetime.fromisoformat(at).timestamp()


def both(seconds: list[float]) -> str:
    """The median and the 99th percentile as text."""
    return f"{ms(percentile(seconds, 0.5))} / {ms(percentile(seconds, 0.99))}"
