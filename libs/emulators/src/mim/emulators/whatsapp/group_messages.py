"""Messages to groups: sealed once with the sender's own key, which each device gets in private beside the message.

The stanzas are whatsmeow's (send.go: sendGroup, message.go: decryptMessages): `participants` holds the copies of the
key, the `enc` of type `skmsg` the message for all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.groups import Group, Groups
from mim.emulators.whatsapp.nodes import Attributes, Jid, MalformedNodeError, Node, now
from mim.emulators.whatsapp.phones import Phone, Phones
from mim.emulators.whatsapp.protobuf import Message
from mim.emulators.whatsapp.ratchet import Sealed
from mim.emulators.whatsapp.reading import Reading, address_of, bundle_of, marks_of, sealed_for
from mim.emulators.whatsapp.x3dh import Bundle


class _Said(NamedTuple):
    """A message to a group on its way: `address` is the device that sealed it."""

    group: Group
    sender: Phone
    address: str
    id: str
    sealed: Node


class GroupMessages:
    """Carries messages between the members of groups, phones and linked devices alike."""

    def __init__(self, phones: Phones, groups: Groups, reading: Reading) -> None:
        self._phones, self._groups, self._reading = phones, groups, reading

    async def outgoing(self, connection: Connection, node: Node) -> list[Attributes]:
        """A linked device writes to a group. Returns the heads of the receipts of those who read it.

        Raises: GroupError if it does not belong there.
        """
        sender, group = connection.phone, self._groups.get(node.jid("to"))
        if sender is None:
            raise MalformedNodeError("only a linked device may write to a group")
        group.require_member(sender.number)
        said = _Said(group, sender, address_of(sender, connection.device_number), node.text("id"), _sealed(node))
        keys = self._keys(node)
        head = {**_head(said, connection.device_number), "type": node.text("type"), "edit": node.text("edit")}
        receipts: list[Attributes] = []
        for phone in self._members(group):
            if self._hear(phone, said, keys.get((phone.number, 0))) and phone is not sender:
                receipts.append({"from": group.jid, **_participant(phone)})
            for number, device in phone.devices.items():
                if device.connection is not connection:
                    content = [each for each in (keys.get((phone.number, number)), said.sealed) if each]
                    await self._phones.deliver(phone, device, Node("message", head, content))
        return receipts

    async def say(self, sender: Phone, group: Group, identity: str, message: Any) -> int:
        """A simulated person writes to a group. Returns how many linked devices got it at once.

        Raises: GroupError if they do not belong there, LookupError if a linked device has no keys yet.
        """
        group.require_member(sender.number)
        distribution = self._distribution(sender, group)
        sealed = sender.party.groups.sending(group.id).encrypt(message.SerializeToString())
        said = _Said(group, sender, address_of(sender, 0), identity, Node("enc", {"v": "2", "type": "skmsg"}, sealed))
        head = {**_head(said, 0), **marks_of(message)}
        delivered = 0
        for phone in self._members(group):
            if phone is not sender:
                self._hear(phone, said, _told(said, address_of(phone, 0), phone.party.bundle, distribution))
            for number, device in phone.devices.items():
                key = _told(said, address_of(phone, number), partial(bundle_of, device), distribution)
                content = [each for each in (key, said.sealed) if each]
                delivered += await self._phones.deliver(phone, device, Node("message", head, content))
            self._phones.changed(phone)
        return delivered

    def _distribution(self, sender: Phone, group: Group) -> bytes:
        message = Message()
        told = message.senderKeyDistributionMessage
        told.groupID = str(group.jid)
        told.axolotlSenderKeyDistributionMessage = sender.party.groups.sending(group.id).distribution()
        plain: bytes = message.SerializeToString()
        return plain

    def _hear(self, phone: Phone, said: _Said, key: Node | None) -> bool:
        """Let a phone learn the sender's key if it came along, and read the message."""

        def opened() -> Any:
            groups, where = phone.party.groups, (said.group.id, said.address)
            if key is not None:
                told = Message.FromString(phone.party.decrypt(said.address, Sealed(key.text("type"), key.data)))
                groups.learn(*where, told.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage)
            return Message.FromString(groups.decrypt(*where, said.sealed.data))

        return self._reading.read(phone, said.sender, said.id, str(said.group.jid), opened)

    def _members(self, group: Group) -> list[Phone]:
        return [self._phones.get(number) for number in group.members]

    def _keys(self, node: Node) -> dict[tuple[str, int], Node]:
        """The copies of the sender's key by phone number and device."""
        copies = node.find("participants")
        found = [(copy.jid("jid"), copy.child("enc")) for copy in (copies.children if copies else ())]
        phones = [(self._phones.find(jid), jid.device, key) for jid, key in found]
        return {(phone.number, device): key for phone, device, key in phones if phone is not None}


def _told(said: _Said, address: str, bundle: Callable[[], Bundle], distribution: bytes) -> Node | None:
    """The sender's key for one device; None if it has it."""
    told = said.sender.party.groups.sending(said.group.id).told
    if address in told:
        return None
    key = sealed_for(said.sender, address, bundle, distribution)
    told.add(address)
    return key


def _sealed(node: Node) -> Node:
    for child in node.children:
        if child.tag == "enc" and child.text("type") == "skmsg":
            return child
    raise MalformedNodeError("a message to a group has nothing for the whole group")


def _participant(phone: Phone, device: int = 0) -> Attributes:
    hidden = Jid(phone.lid.user, "lid", device)
    return {"participant": hidden, "participant_pn": phone.jid, "addressing_mode": "lid"}


def _head(said: _Said, device: int) -> Attributes:
    sender = said.sender
    head: Attributes = {"from": said.group.jid, "type": "text", "id": said.id, "t": now(), "notify": sender.name}
    return {**head, **_participant(sender, device)}
