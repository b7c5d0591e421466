"""Sending a message so that nobody loses it: into the outbox, and back comes what the messenger said."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta

from mim.contracts import subjects
from mim.contracts.errors import Unavailable
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage, unwrap
from mim.runtime.bus import Bus
from mim.runtime.history import newest
from mim.runtime.streams import DEDUP_S

LOOK_S = 1.0
RECENT = 200
"""Events of an instance among which an outcome is looked for."""
OUTBOX_LIFE_S = 120.0
"""How long a message may wait for its session before it fails with the reason."""

Outcome = MessageSent | MessageFailed


class Sender:
    """Puts messages into the outbox and matches outcomes to those who wait. `resolve` is fed by message events."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: defaultdict[str, set[asyncio.Future[Outcome]]] = defaultdict(set)

    async def send(self, message: SendMessage, timeout_s: float) -> Outcome | None:
        """Queue a message durably and wait for its outcome; None if it is still queued after `timeout_s`.

        Raises: Unavailable if it could not be queued.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[message.id]
        waiting.add(future)
        try:
            async with asyncio.timeout(timeout_s):
                await self.queue(message)
                if not (await asyncio.wait({future}, timeout=LOOK_S))[0] and (told := await self._told(message)):
                    return told
                return await future
        except TimeoutError:
            return None
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(message.id, None)

    async def _told(self, message: SendMessage) -> Outcome | None:
        """The outcome, if it was told before: the message is that of an earlier request, which had no answer."""
        since = self._bus.now() - timedelta(seconds=DEDUP_S)
        with suppress(Unavailable):
            told, _ = await newest(
                self._bus, subjects.EVENTS, subjects.message_events(message.instance_id), RECENT, since=since
            )
            for entry in reversed(told):
                event = envelope.data if (envelope := unwrap(entry.data or b"")) else None
                if isinstance(event, MessageSent | MessageFailed) and event.id == message.id:
                    return event
        return None

    async def queue(self, message: SendMessage) -> None:
        """Queue a message durably. Raises: Unavailable if it could not be queued."""
        await self._bus.publish(
            subjects.message_command(message.provider, message.instance_id),
            message.model_dump_json().encode(),
            msg_id=f"{message.instance_id}/{message.id}",
        )

    def resolve(self, outcome: Outcome) -> None:
        """Tell those who wait for this message."""
        for future in self._waiting.get(outcome.id, ()):
            if not future.done():
                future.set_result(outcome)
