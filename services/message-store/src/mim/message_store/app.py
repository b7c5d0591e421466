"""The message store as a process: `mim run message-store`. Message events become rows; ports of instances ask for them.

Every process of this service sees all events, in order, and writing them twice changes nothing: the order in which a
message and its edit are written does not depend on how many there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import structlog
from nats.js import api
from pydantic import BaseModel

from mim.contracts import subjects
from mim.contracts.bulk import BulkCall, BulkReply, BulkVerb
from mim.contracts.errors import ErrorCode, Invalid, MimError
from mim.contracts.messages import InstanceDeleted, MessageFailed, MessageSent, unwrap
from mim.contracts.stored import StoredCall, StoredReply, StoredVerb
from mim.message_store.bulk import Bulks
from mim.message_store.changes import Change, change_of
from mim.message_store.store import MessageStore
from mim.runtime import metrics
from mim.runtime.bus import Bus
from mim.runtime.intake import Batch, Intake
from mim.runtime.service import Tasks, park
from mim.runtime.settings import Settings
from mim.storage.database import open_database, passes, surely

log = structlog.get_logger()
TRIM_S = 300.0
GATHER_S = 0.05  # a write is a flush to the disk that everything shares: twenty a second, however many messages come
MOST_BYTES = 900_000  # the bus takes messages up to 1 MB
Item = TypeVar("Item", bound=BaseModel)
AWAY = "the database does not answer; try again in a moment"
CONSUMER = api.ConsumerConfig(
    durable_name=subjects.MESSAGE_STORE_DURABLE,
    deliver_subject=subjects.MESSAGE_STORE_INBOX,
    filter_subjects=[subjects.ALL_MESSAGE_EVENTS, subjects.all_of(InstanceDeleted.name)],
    deliver_policy=api.DeliverPolicy.ALL,
)


@asynccontextmanager
async def message_store(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Store messages, and answer what is asked of them."""
    async with open_database(settings, "messages") as database:
        store = MessageStore(database)
        bulks = Bulks(bus, database)
        for verb in StoredVerb:
            _answer(bus, verb, store)
        for asked in BulkVerb:
            _answer_bulk(bus, asked, bulks)
        intake = Intake(bus, CONSUMER, partial(take, bus, store, bulks), metrics.unstored, GATHER_S)
        async with intake.listening(), Tasks(bus) as tasks:
            tasks.start(intake.run(), "intake")
            tasks.start(intake.keep(), "consumer")
            tasks.start(bulks.run(), "bulk messages")
            tasks.start(_trim(bus, store, settings), "retention")
            yield


async def take(bus: Bus, store: MessageStore, bulks: Bulks, batch: Batch) -> None:
    """Write down what a batch of events changes; what cannot be read is parked."""
    changes: list[Change] = []
    ended: list[MessageSent | MessageFailed] = []
    for seq, msg in batch:
        try:
            envelope = unwrap(msg.data)
        except Invalid as error:
            reason = error
            await surely(lambda msg=msg, reason=reason: park(bus, bus.source, msg, reason))  # type: ignore[misc]
            continue
        if envelope is None:
            continue
        if isinstance(envelope.data, MessageSent | MessageFailed):
            ended.append(envelope.data)
        if (change := change_of(envelope, seq)) is not None:
            changes.append(change)
    if changes:
        await surely(lambda: store.apply(changes))
    await surely(lambda: bulks.ended(ended))


def _answer(bus: Bus, verb: StoredVerb, store: MessageStore) -> None:
    @bus.broker.subscriber(subjects.messages_call(verb), queue=subjects.MESSAGE_STORE_DURABLE, max_workers=16)
    async def answer(call: StoredCall) -> StoredReply:
        try:
            return await ask(store, verb, call)
        except Exception as error:
            if not passes(error):
                raise
            return StoredReply(code=ErrorCode.BUS_UNAVAILABLE, message=AWAY)


def _answer_bulk(bus: Bus, verb: BulkVerb, bulks: Bulks) -> None:
    @bus.broker.subscriber(subjects.messages_call(f"bulk-{verb}"), queue=subjects.MESSAGE_STORE_DURABLE, max_workers=16)
    async def answer(call: BulkCall) -> BulkReply:
        try:
            return await bulks.ask(verb, call)
        except MimError as error:
            return BulkReply(code=error.code, message=error.message)
        except Exception as error:
            if not passes(error):
                raise
            return BulkReply(code=ErrorCode.BUS_UNAVAILABLE, message=AWAY)


async def ask(store: MessageStore, verb: StoredVerb, call: StoredCall) -> StoredReply:
    """What is stored. Raises: what `mim.storage.database.passes` knows if the database is away."""
    match verb:
        case StoredVerb.CHATS:
            chats, total = await store.chats(call)
            return StoredReply(chats=_fitting(chats), total=total)
        case StoredVerb.CONTACTS:
            contacts, total = await store.contacts(call)
            return StoredReply(contacts=_fitting(contacts), total=total)
        case StoredVerb.MESSAGES:
            messages, total = await store.messages(call)
            return StoredReply(messages=_fitting(messages), total=total)
        case StoredVerb.STATS:
            return StoredReply(stats=await store.stats(call.instance_id))


def _fitting(items: list[Item]) -> tuple[Item, ...]:
    """As many as an answer over the bus can carry; who asked sees by the total that there are more."""
    size_bytes = 0
    fitting: list[Item] = []
    for item in items:
        size_bytes += len(item.model_dump_json().encode())
        if size_bytes > MOST_BYTES and fitting:
            break
        fitting.append(item)
    return tuple(fitting)


async def _trim(bus: Bus, store: MessageStore, settings: Settings) -> None:
    """Remove what is too old or too much, now and then."""
    while True:
        await surely(lambda: store.trim(bus.now(), settings.messages_days, settings.messages_most))
        await asyncio.sleep(TRIM_S)
