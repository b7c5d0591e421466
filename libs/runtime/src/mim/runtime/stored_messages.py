"""What the message store is asked over the bus."""

from __future__ import annotations

import asyncio

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.fields import Model
from mim.contracts.stored import MessageRow, StoredCall, StoredReply, StoredVerb
from mim.runtime.bus import Bus

STORE_S = 3.0
STORE_AWAY = "the message store does not answer; try again in a moment"
_AHEAD_S = (0.05, 0.1, 0.2, 0.4, 0.0)


async def ask_store(bus: Bus, question: str, asked: Model) -> bytes:
    """The answer of the message store. Raises: Unavailable."""
    try:
        return await bus.request(subjects.messages_call(question), asked.model_dump_json().encode(), STORE_S)
    except Unavailable:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, STORE_AWAY) from None


async def stored_messages(bus: Bus, verb: StoredVerb, asked: StoredCall) -> StoredReply:
    """What is stored of an instance. Raises: Unavailable."""
    reply = StoredReply.model_validate_json(await ask_store(bus, verb, asked))
    if reply.code is not None:
        raise Unavailable(ErrorCode(reply.code), reply.message or STORE_AWAY)
    return reply


async def stored_message(bus: Bus, instance_id: str, chat_id: str | None, messenger_id: str) -> MessageRow | None:
    """One message. Who just heard of it is a moment ahead of the store, and waits. Raises: Unavailable."""
    asked = StoredCall(instance_id=instance_id, chat_id=chat_id, messenger_id=messenger_id, limit=1)
    for wait_s in _AHEAD_S:
        found = await stored_messages(bus, StoredVerb.MESSAGES, asked)
        if found.messages:
            return found.messages[0]
        await asyncio.sleep(wait_s)
    return None
