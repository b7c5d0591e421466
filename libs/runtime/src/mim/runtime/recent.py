"""What an instance sent and received lately: by this a repeat is known as one, and a receipt finds its message.

Messengers repeat messages after a reconnect, long after the bus has forgotten their ids. What counts as known was read
from the stream or noted after it was stored there, so that a crash between the two costs a repeat and never a message.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from mim.contracts import subjects
from mim.contracts.errors import Invalid
from mim.contracts.messages import MessageReceived, MessageSent, unwrap
from mim.contracts.values import IncomingMessage
from mim.runtime.bus import Bus
from mim.runtime.history import newest

MOST = 1_000
OVERTAKEN_S = 2.0
Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent:
    """The latest `most` messages of one instance, read from the stream when they are first needed."""

    def __init__(self, bus: Bus, instance_id: str, most: int = MOST) -> None:
        self._bus = bus
        self._subject = subjects.message_events(instance_id)
        self._most = most
        self._received: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._loading: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        self._told.set()
        self._is_patient = True

    async def is_repeat(self, message: IncomingMessage) -> bool:
        """Whether this message was stored already. Waits for the bus as long as that is away."""
        await self._loaded()
        return (message.chat_id, message.id) in self._received

    def received(self, message: IncomingMessage) -> None:
        """Note a message that is stored now."""
        self._note(self._received, (message.chat_id, message.id), None)

    def sending(self) -> None:
        """Note that a message is being sent, until `told` says that its outcome is stored."""
        self._told.clear()
        self._is_patient = True

    def told(self) -> None:
        """Note that nothing is being sent of which nobody knows the outcome."""
        self._told.set()

    def sent(self, messenger_id: str, message_id: str) -> None:
        """Note under which id of the messenger's a message of ours went out."""
        self._note(self._sent, messenger_id, message_id)

    async def ids_of(self, messenger_ids: Sequence[str]) -> list[str | None]:
        """Our ids of messages that were sent, of those that are among the latest.

        A receipt can overtake the answer to the sending: one of an unknown message waits for what is being sent, but
        not for long and once only, as the answer may come behind other receipts.
        """
        await self._loaded()
        if self._is_patient and not all(each in self._sent for each in messenger_ids):
            try:
                async with asyncio.timeout(OVERTAKEN_S):
                    await self._told.wait()
            except TimeoutError:
                self._is_patient = False
        return [self._sent.get(each) for each in messenger_ids]

    async def _loaded(self) -> None:
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        try:
            await asyncio.shield(self._loading)
        except asyncio.CancelledError:
            if self._loading.cancelled():
                self._loading = None
            raise

    async def _load(self) -> None:
        entries, _ = await self._bus.surely(lambda: newest(self._bus, subjects.EVENTS, self._subject, self._most))
        for entry in entries:
            with suppress(Invalid):
                envelope = unwrap(entry.data or b"")
                match envelope and envelope.data:
                    case MessageReceived(message=message):
                        self.received(message)
                    case MessageSent() as sent:
                        self.sent(sent.messenger_id, sent.id)

    def _note(self, notes: OrderedDict[Key, Value], key: Key, value: Value) -> None:
        notes[key] = value
        notes.move_to_end(key)
        if len(notes) > self._most:
            notes.popitem(last=False)
