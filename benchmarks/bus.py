"""The price of durability: JetStream publishing with a flush to disk for each message, against the server's default."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from benchmarks.processes import end
from benchmarks.report import BrokenError, Row, median_ratio
from benchmarks.system import free_port

PAYLOAD = b"x" * 400  # about the size of a status event
LAZY = "2m"  # nats-server's default


@asynccontextmanager
async def served(folder: Path, sync_interval: str = "always") -> AsyncIterator[tuple[int, Client]]:
    """Run a nats-server of the benchmark's own until the end of the block: its process id and a connection."""
    config = folder / f"{sync_interval}.conf"
    store = f'jetstream {{ store_dir: "{folder / sync_interval}", sync_interval: {sync_interval} }}'
    port = free_port()
    config.write_text(f'listen: "127.0.0.1:{port}"\n{store}\n')
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("nats-server"), "-c", config, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until_open(port)
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        try:
            yield process.pid, client
        finally:
            await client.close()
    finally:
        await end(process)


@asynccontextmanager
async def _stream(folder: Path, sync_interval: str) -> AsyncIterator[JetStreamContext]:
    async with served(folder, sync_interval) as (_, client):
        jetstream = client.jetstream()
        await jetstream.add_stream(name="BENCH", subjects=["bench"])
        yield jetstream


async def _until_open(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise BrokenError("nats-server did not start")


async def _rate(jetstream: JetStreamContext, count: int, in_flight: int) -> float:
    async def publish(number: int) -> None:
        for _ in range(number):
            await jetstream.publish("bench", PAYLOAD)

    began = time.perf_counter()
    await asyncio.gather(*(publish(count // in_flight) for _ in range(in_flight)))
    return (count // in_flight) * in_flight / (time.perf_counter() - began)


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """Acknowledged publishes a second with `sync_interval: always`, as `mim up` has it, and with the default.

    Two nats-servers of the benchmark's own, file storage, rounds of both alternate.
    """
    rounds, singly, many = (3, 200, 2_000) if smoke else (9, 1_000, 10_000)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mim-bench-")))
        lazy = await stack.enter_async_context(_stream(folder, LAZY))
        always = await stack.enter_async_context(_stream(folder, "always"))
        for in_flight, count in ((1, singly), (64, many)):
            lazy_rates, always_rates = [], []
            for number in range(rounds + 1):
                pair = await _rate(lazy, count, in_flight), await _rate(always, count, in_flight)
                if number:  # the first round warms both up
                    lazy_rates.append(pair[0])
                    always_rates.append(pair[1])
            always_rate, lazy_rate = median(always_rates), median(lazy_rates)
            each = [f"{1000 * in_flight / rate:.2f} ms" for rate in (always_rate, lazy_rate)]
            yield Row(
                f"bus: durable publish, {in_flight} in flight",
                f"{always_rate:.0f}/s",
                f"{lazy_rate:.0f}/s lazy",
                median_ratio(always_rates, lazy_rates),
                note=f"{each[0]} instead of {each[1]} until a publish is acknowledged",
            )
