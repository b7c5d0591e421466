"""Which order stands, asked of a cluster of which one server may lag behind.

A read is answered by any server that has a copy; one that was cut off may for a moment tell what was taken back since.
A write is taken by the majority only, and by compare-and-set only if it is about the newest.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress

import structlog

from mim.contracts.errors import Unavailable
from mim.contracts.records import SessionOrder
from mim.runtime.bus import Conflict
from mim.runtime.store import Store

log = structlog.get_logger()
PROVE_S, PROVE_TRIES, SLOWLY_S = 0.2, 150, 2.0


async def still_stands(
    orders: Store[SessionOrder], key: str, order: SessionOrder, overtaken: Callable[[], bool]
) -> bool:
    """Whether `order` is the newest under its key, proved by writing it back.

    Asks again until it is proved or `overtaken`: a newer one has come. After 30 s it says so in the log, and asks every
    2 s. A worker that cannot reach the bus itself is fenced long before, which ends this.
    """
    for tried in itertools.count(1):
        with suppress(Unavailable, Conflict):
            stored, revision = await orders.load(key)
            if stored == order:
                await orders.save(key, order, revision=revision)
                return True
        if tried == PROVE_TRIES:
            log.warning("order_not_proved", instance_id=order.instance_id, epoch=order.epoch, action="asking on")
        await asyncio.sleep(PROVE_S if tried < PROVE_TRIES else SLOWLY_S)
        if overtaken():
            break
    return False


async def newest(orders: Store[SessionOrder], key: str, known: SessionOrder | None) -> SessionOrder | None:
    """The order under a key, None if there is none; what is not as it was `known` is proved by writing it back.

    Raises: Conflict if the server that answers lags behind, Unavailable.
    """
    stored, revision = await orders.load(key)
    if stored is None:
        await orders.remove(key, revision=revision)
    elif stored != known:
        await orders.save(key, stored, revision=revision)
    return stored
