"""Messages on their way: from a linked device to phones, from a simulated contact to linked devices.

Phones decrypt and keep what they get; other linked devices get their own sealed copies. Addressing follows WhatsApp of
2026: messages travel between hidden addresses (LIDs) with the phone number beside them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from dataclasses import dataclass
from typing import Any

import structlog

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.contents import Deed, answered, deed, made, shown
from mim.emulators.whatsapp.media import MediaError, MediaHost
from mim.emulators.whatsapp.nodes import Attributes, Jid, Node, now
from mim.emulators.whatsapp.phones import Device, Phone, Phones, Readable
from mim.emulators.whatsapp.protobuf import Message
from mim.emulators.whatsapp.ratchet import DecryptionError, Sealed
from mim.emulators.whatsapp.x3dh import Bundle

log = structlog.get_logger(__name__)

_KEPT_EVENTS = 10_000
# How stanzas say what is inside, for those who may not look (whatsmeow's getTypeFromMessage and EditAttribute).
_MARKS: dict[str, dict[str, str]] = {
    "edit": {"edit": "1"},
    "delete": {"edit": "7"},
    "reaction": {"type": "reaction"},
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What goes wrong for an account: late acknowledgements, refused messages, or no answers at all."""

    delay_s: float = 0
    refuse: int | None = None
    silent: bool = False


class Messages:
    """Routes messages and receipts. `events` is what was seen, newest last; `faults` is by phone number."""

    def __init__(self, phones: Phones, media: MediaHost) -> None:
        self._phones = phones
        self._media = media
        self.faults: dict[str, Fault] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=_KEPT_EVENTS)
        # Unlike a plain counter, this does not repeat ids after a restart, which clients would take for duplicates.
        self._ids = (f"EMU{os.urandom(4).hex().upper()}{number:06X}" for number in itertools.count(1))

    def note(self, event: str, connection: Connection, **facts: object) -> None:
        """Remember something that a device did."""
        if connection.phone is not None:
            device = {"phone": connection.phone.number, "device": connection.device_number}
            self.events.append({"type": event, **device, **facts})

    def fault(self, phone: Phone | None) -> Fault:
        """What goes wrong for a phone's devices at present."""
        return self.faults.get(phone.number, Fault()) if phone else Fault()

    async def receipt(self, connection: Connection, node: Node) -> None:
        """A device tells that it got or read a message, or (`retry`) that it could not decrypt it."""
        identity, kind = node.text("id"), node.text("type") or "delivered"
        self.note("receipt", connection, message_id=identity, kind=kind)
        sender = self._phones.find(node.jid("to"))
        if kind == "retry" and sender is not None and connection.phone is not None:
            sender.party.sessions.pop(_address(connection.phone, connection.device_number), None)
        head: Attributes = {"class": "receipt", "id": identity, "from": node.jid("to"), "type": node.text("type")}
        await connection.send(Node("ack", head))

    async def outgoing(self, connection: Connection, node: Node) -> None:
        """A device sends a message: deliver it, acknowledge it, and let the receiver's phone send its receipts."""
        fault = self.fault(connection.phone)
        head: Attributes = {"class": "message", "id": node.text("id"), "from": node.jid("to"), "t": now()}
        if fault.refuse is not None:
            await connection.send(Node("ack", {**head, "error": str(fault.refuse)}))
            return
        readers = [reader for copy in _copies(node) if (reader := await self._deliver(connection, node, copy))]
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        await connection.send(Node("ack", head))
        for reader in readers[:1]:
            for kind in (None, "read"):
                receipt: Attributes = {"from": reader.lid, "id": node.text("id"), "t": now(), "type": kind}
                await connection.send(Node("receipt", receipt))

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
            await self._to_device(phone, device, Node("message", head, [sealed]))
        return None

    def _read(self, phone: Phone, sender: Phone, device: int, node: Node, sealed: Node) -> Phone | None:
        own = phone is sender
        if any(message.id == node.text("id") for message in phone.inbox):
            return None  # clients repeat a message whose acknowledgement was lost with the connection
        try:
            message = Message.FromString(
                phone.party.decrypt(_address(sender, device), Sealed(sealed.text("type"), sealed.data))
            )
            message = message.deviceSentMessage.message if own else message
            if (done := deed(message)) is not None:
                self._do(phone, done)
                return None if own else phone
            text, more = shown(message)
            media, text = self._media.read(message) or (None, text)
        except (DecryptionError, MediaError) as error:
            log.warning("message_unreadable", phone=phone.number, sender=sender.number, error=str(error))
            return None
        receiver = self._phones.find(node.jid("to"))
        to = receiver.number if receiver else node.text("to")
        if (reply_to := answered(message)) is not None:
            more["reply_to"] = reply_to
        phone.read(Readable(node.text("id"), sender.number, to, text, own, media, more))
        self._phones.changed(phone)
        return None if own else phone

    def _do(self, phone: Phone, done: Deed) -> None:
        """Do what a message does to another one of a phone's inbox."""
        match done.kind:
            case "edit":
                phone.change(done.target, done.text, edited=True)
            case "delete":
                phone.change(done.target, "", deleted=True)
            case _:
                phone.change(done.target, reaction=done.text)
        self._phones.changed(phone)

    async def incoming(self, sender: Phone, receiver: Phone, fields: Json) -> tuple[str, int]:
        """A simulated contact writes to an account (`contents.made`): one sealed copy a device.

        Returns the message's id and how many devices got it at once; the others get it when they connect.
        Raises: LookupError if no device is linked.
        """
        if not receiver.devices:
            raise LookupError(f"{receiver.number} has no linked device: scan a QR code with it first")
        identity, delivered = next(self._ids), 0
        message = made(fields, str(receiver.jid), self._media)
        done = deed(message)
        plain = message.SerializeToString()
        for number, device in receiver.devices.items():
            address = _address(receiver, number)
            if address not in sender.party.sessions:
                sender.party.open(address, _take_bundle(device))
            sealed = sender.party.encrypt(address, plain)
            body = Node("enc", {"v": "2", "type": sealed.kind}, sealed.body)
            head = {**_head(sender.lid, sender, identity), **_MARKS.get(done.kind if done else "", {})}
            delivered += await self._to_device(receiver, device, Node("message", head, [body]))
        self._phones.changed(sender)
        self._phones.changed(receiver)
        return identity, delivered

    async def _to_device(self, phone: Phone, device: Device, node: Node) -> bool:
        if device.connection is None:
            device.waiting.append(node)
            self._phones.changed(phone)
            return False
        await device.connection.send(node)
        return True


def _copies(node: Node) -> list[Node]:
    participants = node.find("participants")
    if participants is not None:
        return participants.children
    return [Node("to", {"jid": node.jid("to")}, node.children)]


def _address(phone: Phone, device: int) -> str:
    return f"{phone.lid.user}:{device}"


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


def _take_bundle(device: Device) -> Bundle:
    if device.signed is None:
        raise LookupError("the linked device has not uploaded its keys yet: wait until it is connected")
    once_id, once = device.once.popitem() if device.once else (None, None)
    signed = device.signed
    return Bundle(device.registration, device.identity, signed.number, signed.public, signed.signature, once_id, once)
