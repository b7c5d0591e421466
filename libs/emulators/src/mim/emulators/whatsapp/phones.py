"""Simulated phones, and the devices that are linked to them.

Every number is a phone: a contact is one that nobody has linked a device to. A phone has real keys and reads what is
sent to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mim.emulators.whatsapp.nodes import Jid, Node
from mim.emulators.whatsapp.x3dh import Party

if TYPE_CHECKING:
    from mim.emulators.whatsapp.connection import Connection

_KEPT_MESSAGES = 1000


class SignedKey(NamedTuple):
    """A device's signed prekey, as it uploaded it."""

    number: int
    public: bytes
    signature: bytes


class Readable(NamedTuple):
    """A message that a phone has decrypted; `own` if it was sent by this phone's own linked device.

    Of a file, `media` has kind, file_name, content_type, size_bytes and sha256, and `text` is its caption. `more` has
    what else it shows (location, contact, poll, reply_to) and what became of it: edited, deleted, reaction.
    """

    id: str
    sender: str
    to: str
    text: str
    own: bool
    media: dict[str, Any] | None = None
    more: dict[str, Any] = {}


@dataclass
class Device:
    """A linked client: the keys it proves itself with, and what waits for it while it is away."""

    noise: bytes
    identity: bytes
    registration: bytes = b""
    signed: SignedKey | None = None
    once: dict[int, bytes] = field(default_factory=dict)
    waiting: list[Node] = field(default_factory=list)
    sent: dict[str, Node] = field(default_factory=dict)
    """By their ids the messages that it was sent and has not confirmed: it gets them again when it comes back."""
    connection: Connection | None = None
    is_active: bool = False
    """Whether it has got what waited for it: until then what comes waits behind that."""

    async def hand(self, node: Node) -> None:
        """Send a stanza over the connection that there is."""
        if node.tag == "message":
            self.sent[node.text("id")] = node
        if self.connection is not None:
            await self.connection.send(node)

    def leave(self) -> None:
        """Its connection is gone."""
        self.connection, self.is_active = None, False
        self.waiting = [*self.sent.values(), *self.waiting]
        self.sent = {}


@dataclass
class Phone:
    """One number: `number` is its digits."""

    number: str
    name: str
    party: Party = field(default_factory=Party)
    devices: dict[int, Device] = field(default_factory=dict)
    inbox: list[Readable] = field(default_factory=list)
    next_device: int = 1

    @property
    def jid(self) -> Jid:
        """Its address by number."""
        return Jid(self.number)

    @property
    def lid(self) -> Jid:
        """Its hidden address, under which messages travel (whatsmeow calls it LID)."""
        digest = int.from_bytes(hashlib.sha256(self.number.encode()).digest()[:8], "big")
        return Jid(f"1{digest % 10**14:014}", "lid")

    def read(self, message: Readable) -> None:
        """Put a message into the inbox."""
        self.inbox.append(message)
        del self.inbox[:-_KEPT_MESSAGES]

    def change(self, message_id: str, text: str | None = None, **more: object) -> bool:
        """Change a message of the inbox; whether it is there."""
        for place, message in enumerate(self.inbox):
            if message.id == message_id:
                text = message.text if text is None else text
                self.inbox[place] = message._replace(text=text, more=message.more | more)
                return True
        return False


def digits(phone: str) -> str:
    """The digits of a phone number as a person types it. Raises: ValueError if that is no phone number."""
    number = re.sub(r"\D", "", phone)
    if not 5 <= len(number) <= 15 or re.search(r"[^\d\s()+./-]", phone):
        raise ValueError(f"{phone!r} is not a phone number: use the country code and 5 to 15 digits in all")
    return number


class Phones:
    """All phones. `on_change` is told whenever one has to be kept.

    With `auto_contacts`, a number that nobody knows becomes a contact when a client asks for it.
    """

    def __init__(self, known: list[Phone], on_change: Callable[[Phone], None], *, auto_contacts: bool = False) -> None:
        self.changed = on_change
        self._auto_contacts = auto_contacts
        self.duplicating: set[str] = set()
        """Numbers whose devices get every message twice."""
        self.reordering: set[str] = set()
        """Numbers whose devices get each message after the one that follows it."""
        self._held: dict[tuple[str, int], Node] = {}
        self._by_user: dict[str, Phone] = {}
        for phone in known:
            self._add(phone)

    def __iter__(self) -> Iterator[Phone]:
        return iter({id(phone): phone for phone in self._by_user.values()}.values())

    def _add(self, phone: Phone) -> None:
        self._by_user[phone.jid.user] = self._by_user[phone.lid.user] = phone

    def get(self, number: str, name: str | None = None) -> Phone:
        """The phone with this number (digits), made if there is none."""
        phone = self._by_user.get(number)
        if phone is None:
            phone = Phone(number, name or f"User {number[-4:]}")
            self._add(phone)
            self.changed(phone)
        elif name and name != phone.name:
            phone.name = name
            self.changed(phone)
        return phone

    def find(self, jid: Jid) -> Phone | None:
        """The phone behind an address of either kind, whatever the device."""
        return self._by_user.get(jid.user)

    def known(self, jid: Jid) -> Phone | None:
        """The phone that a client asks for by address."""
        phone = self.find(jid)
        if phone is None and self._auto_contacts and jid.server == "s.whatsapp.net" and jid.user.isdecimal():
            return self.get(jid.user)
        return phone

    async def deliver(self, phone: Phone, device: Device, node: Node) -> bool:
        """Send a stanza to a linked device, or keep it until that connects. Returns whether it was sent."""
        if not device.is_active:
            device.waiting.append(node)
            self.changed(phone)
            return False
        for each in self._disturbed(phone, device, node):
            await device.hand(each)
        return True

    def _disturbed(self, phone: Phone, device: Device, node: Node) -> list[Node]:
        """What arrives in the place of a stanza that is sent now."""
        if node.tag != "message":
            return [node]
        nodes, place = [node], (phone.number, id(device))
        if phone.number in self.reordering:
            held = self._held.pop(place, None)
            if held is None:
                self._held[place] = node
                return []
            nodes.append(held)
        return [each for each in nodes for _ in range(2 if phone.number in self.duplicating else 1)]
