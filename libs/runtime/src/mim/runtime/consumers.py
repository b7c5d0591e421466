"""Durable consumers, which the server keeps: seeing to it that they are there, and deliver.

Nobody is told when a consumer is deleted. And after nats-server (2.15.1) was killed a push consumer sometimes delivers
no more: somebody listens, nothing is in flight, messages are pending, and nothing comes, whatever is published
(https://github.com/nats-io/nats-server/pull/6807 mended another case of that).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import nats.errors
import structlog
from nats.js.api import ConsumerConfig, ConsumerInfo
from nats.js.errors import APIError, NotFoundError

from mim.runtime.bus import Bus

log = structlog.get_logger()

LOOK_S = 2.0


def stands_still(before: ConsumerInfo | None, now: ConsumerInfo) -> bool:
    """Whether a push consumer that was looked at twice, with a while in between, delivers nothing though it could.

    With nothing in flight it can be made anew and nothing is lost or comes twice.
    """
    if before is None or not (before.num_pending and now.num_pending) or now.num_ack_pending or not now.push_bound:
        return False
    seen, sees = before.delivered, now.delivered
    return seen is not None and sees is not None and seen.consumer_seq == sees.consumer_seq


async def attend(bus: Bus, stream: str, config: ConsumerConfig) -> None:
    """See to it that the consumer of a work queue is there and delivers, for ever."""
    name, before = config.durable_name or "", None
    while True:
        await asyncio.sleep(LOOK_S)
        with suppress(nats.errors.Error, APIError, TimeoutError, OSError):  # the bus is away
            before = await _look(bus, stream, name, before)
            if before is None:
                await bus.js.add_consumer(stream, config)
                log.warning("consumer_made_again", consumer=name)


async def _look(bus: Bus, stream: str, name: str, before: ConsumerInfo | None) -> ConsumerInfo | None:
    """The consumer, or None if it is gone now."""
    with suppress(NotFoundError):
        now: ConsumerInfo = await bus.js.consumer_info(stream, name)
        if not stands_still(before, now):
            return now
        await bus.js.delete_consumer(stream, name)
    return None
