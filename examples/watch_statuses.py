"""Print every change of status since yesterday, and then those that come, for ever.

python watch_statuses.py

Each event is printed once, in order, also when the bus is restarted meanwhile.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import nats.errors
import nats.js.errors
from connection import connection
from nats.aio.client import Client
from nats.js import api

AWAY = (OSError, ValueError, nats.errors.Error, nats.js.errors.Error)
RETRY_S = 1.0


async def events(client: Client, after: int) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Events with their sequences, after one that was seen or since yesterday, until the connection ends."""
    begin = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1)
    if not after:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        begin = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.BY_START_TIME, opt_start_time=yesterday)
    stream = await client.jetstream().subscribe("mim.evt.instance.*.*", ordered_consumer=True, config=begin)
    while not client.is_closed:
        try:
            msg = await stream.next_msg(timeout=1)
        except nats.errors.Error:
            continue  # silence, or the end of the connection
        yield msg.metadata.sequence.stream, json.loads(msg.data)


def show(event: dict[str, Any]) -> None:
    """One line for one event."""
    reason = event["data"].get("reason") or {}
    word = event["type"].split(".")[2]  # mim.instance.<word>.v1
    print(event["time"], event["subject"], word, reason.get("code", ""), reason.get("message", ""), flush=True)


async def main() -> None:
    last = 0
    while True:
        try:
            async with connection() as client:
                async for sequence, event in events(client, last):
                    show(event)
                    last = sequence
        except AWAY as error:
            print("# the bus is away:", error, flush=True)
        await asyncio.sleep(RETRY_S)


asyncio.run(main())
