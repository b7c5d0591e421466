"""Messages on their way: from a linked device to phones, from a simulated contact to linked devices.

Phones decrypt and keep what they get; other linked devices get their own sealed copies. Addressing follows WhatsApp of
2026: messages travel between hidden addresses (LIDs) with the phone number beside them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.contents import made
from mim.emulators.whatsapp.group_messages import GroupMessages
from mim.emulators.whatsapp.groups import GROUP_SERVER, Group, GroupError, Groups
from mim.emulators.whatsapp.media import MediaHost
from mim.emulators.whatsapp.nodes import Attributes, Jid, Node, now
from mim.emulators.whatsapp.phones import Phone, Phones
from mim.emulators.whatsapp.protobuf import Message
from mim.emulators.whatsapp.ratchet import Sealed
from mim.emulators.whatsapp.reading import Reading, address_of, bundle_of, marks_of, sealed_for

_KEPT_EVENTS = 10_000
_KEPT_MESSAGES = 1_000

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong for an account: late acknowledgements, refused messages, or no answers at all."""

    delay_s: float = 0
    refuse: int | None = None
    silent: bool = False


class Messages:
    """Routes messages and receipts. `events` is what was seen, newest last; `faults` is by phone number."""

    def __init__(self, phones: Phones, media: MediaHost, groups: Groups) -> None:
        self._phones = phones
        self._media = media
        self._reading = Reading(phones, media)
        self._in_groups = GroupMessages(phones, groups, self._reading)
        self._written: dict[str, Any] = {}  # what contacts wrote last, to be sent again to a device that cannot open it
        self.faults: dict[str, Fault] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=_KEPT_EVENTS)
        # Unlike a plain counter, this does not repeat ids after a restart, which clients would take for duplicates.
        self._ids = (f"EMU{os.urandom(4).hex().upper()}{number:06X}" for number in itertools.count(1))

    def note(self, event: str, connection: Connection, **facts: object) -> None:
        """Remember something that a device did, and when (seconds since the epoch)."""
        if connection.phone is not None:
            device = {"phone": connection.phone.number, "device": connection.device_number}
            self.events.append({"type": event, "at": time.time(), **device, **facts})

    def confirm(self, connection: Connection, identity: str) -> None:
        """A device acknowledges a message: it does not get it again."""
        if connection.device is not None and connection.device.sent.pop(identity, None) is not None:
            self.note("confirmed", connection, message_id=identity)

    def fault(self, phone: Phone | None) -> Fault:
        """What goes wrong for a phone's devices at present."""
        return self.faults.get(phone.number, Fault()) if phone else Fault()

    async def receipt(self, connection: Connection, node: Node) -> None:
        """A device tells that it got or read a message, or (`retry`) that it could not decrypt it."""
        identity, kind = node.text("id"), node.text("type") or "delivered"
        self.note("receipt", connection, message_id=identity, kind=kind)
        self.confirm(connection, identity)
        author = node.attributes.get("participant")
        sender = self._phones.find(author if isinstance(author, Jid) else node.jid("to"))
        head: Attributes = {"class": "receipt", "id": identity, "from": node.jid("to"), "type": node.text("type")}
        await connection.send(Node("ack", {**head, "participant": author}))
        if kind == "retry" and sender is not None and connection.phone is not None:
            sender.party.forget(address_of(connection.phone, connection.device_number))
            if (message := self._written.get(identity)) is not None:
                await self._send(sender, connection.phone, connection.device_number, identity, message)

    async def outgoing(self, connection: Connection, node: Node) -> None:
        """A device sends a message: deliver it, acknowledge it, and let the receiver's phone send its receipts."""
        fault = self.fault(connection.phone)
        head: Attributes = {"class": "message", "id": node.text("id"), "from": node.jid("to"), "t": now()}
        if fault.refuse is not None:
            await connection.send(Node("ack", {**head, "error": str(fault.refuse)}))
            return
        try:
            receipts = await self._route(connection, node)
        except GroupError as error:
            await connection.send(Node("ack", {**head, "error": str(error.code)}))
            return
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        await connection.send(Node("ack", head))
        for receipt in receipts:
            for kind in (None, "read"):
                await connection.send(Node("receipt", {**receipt, "id": node.text("id"), "t": now(), "type": kind}))

    async def _route(self, connection: Connection, node: Node) -> list[Attributes]:
        """Bring a message to all who are to get it. Returns the heads of the receipts of those who read it."""
        if node.jid("to").server == GROUP_SERVER.server:
            return await self._in_groups.outgoing(connection, node)
        readers = [reader for copy in _copies(node) if (reader := await self._deliver(connection, node, copy))]
        return [{"from": reader.lid} for reader in readers[:1]]

    async def _deliver(self, connection: Connection, node: Node, copy: Node) -> Phone | None:
        """Deliver one device's copy. Returns the phone if it was the receiver's, who reads it at once."""
        jid, sealed = copy.jid("jid"), copy.child("enc")
        phone, sender = self._phones.find(jid), connection.phone
        if phone is None or sender is None:
            return None
        if jid.device == 0:
            return self._read(phone, sender, connection.device_number, node, sealed)
        device = phone.devices.get(jid.device)
        if device is not None and device.connection is not connection:
            head = _head(Jid(sender.lid.user, "lid", connection.device_number), sender, node.text("id"))
            head = {**head, "type": node.text("type")}
            await self._phones.deliver(phone, device, Node("message", head, [sealed]))
        return None

    def _read(self, phone: Phone, sender: Phone, device: int, node: Node, sealed: Node) -> Phone | None:
        own = phone is sender
        receiver = self._phones.find(node.jid("to"))
        to = receiver.number if receiver else node.text("to")

        def opened() -> Any:
            plain = phone.party.decrypt(address_of(sender, device), Sealed(sealed.text("type"), sealed.data))
            message = Message.FromString(plain)
            return message.deviceSentMessage.message if own else message

        return phone if self._reading.read(phone, sender, node.text("id"), to, opened) and not own else None

    async def incoming(self, sender: Phone, receiver: Phone, fields: Json) -> tuple[str, int]:
        """A simulated contact writes to an account (`contents.made`): one sealed copy a device.

        Returns the message's id and how many devices got it at once; the others get it when they connect.
        Raises: LookupError if no device is linked.
        """
        if not receiver.devices:
            raise LookupError(f"{receiver.number} has no linked device: scan a QR code with it first")
        identity, delivered = next(self._ids), 0
        message = made(fields, str(receiver.jid), self._media)
        self._written[identity] = message
        if len(self._written) > _KEPT_MESSAGES:
            del self._written[next(iter(self._written))]
        for number in receiver.devices:
            delivered += await self._send(sender, receiver, number, identity, message)
        return identity, delivered

    async def _send(self, sender: Phone, receiver: Phone, number: int, identity: str, message: Any) -> bool:
        device = receiver.devices[number]
        address = address_of(receiver, number)
        body = sealed_for(sender, address, partial(bundle_of, device), message.SerializeToString())
        head = {**_head(sender.lid, sender, identity), **marks_of(message)}
        self._phones.changed(sender)
        self._phones.changed(receiver)
        return await self._phones.deliver(receiver, device, Node("message", head, [body]))

    async def to_group(self, sender: Phone, group: Group, fields: Json) -> tuple[str, int]:
        """A simulated person writes to a group (`contents.made`). Returns as `incoming`.

        Raises: GroupError if they do not belong to it.
        """
        identity = next(self._ids)
        message = made(fields, str(group.jid), self._media)
        return identity, await self._in_groups.say(sender, group, identity, message)


def _copies(node: Node) -> list[Node]:
    participants = node.find("participants")
    if participants is not None:
        return participants.children
    return [Node("to", {"jid": node.jid("to")}, node.children)]


def _head(sender: Jid, phone: Phone, identity: str) -> Attributes:
    return {
        "from": sender,
        "sender_pn": phone.jid,
        "addressing_mode": "lid",
        "type": "text",
        "id": identity,
        "t": now(),
        "notify": phone.name,
    }
