"""What simulated phones do with messages, sealing aside: show them, or do what they say to earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from mim.emulators.whatsapp.contents import Deed, answered, deed, is_forwarded, shown
from mim.emulators.whatsapp.media import MediaError, MediaHost
from mim.emulators.whatsapp.nodes import Node
from mim.emulators.whatsapp.phones import Device, Phone, Phones, Readable
from mim.emulators.whatsapp.ratchet import DecryptionError
from mim.emulators.whatsapp.x3dh import Bundle

log = structlog.get_logger(__name__)

# How stanzas say what is inside, for those who may not look (whatsmeow's getTypeFromMessage and EditAttribute).
_MARKS: dict[str, dict[str, str]] = {
    "edit": {"edit": "1"},
    "delete": {"edit": "7"},
    "reaction": {"type": "reaction"},
}


class Reading:
    """The phones' eyes; `phones` keeps what they saw."""

    def __init__(self, phones: Phones, media: MediaHost) -> None:
        self._phones, self._media = phones, media

    def read(self, phone: Phone, sender: Phone, identity: str, to: str, opened: Callable[[], Any]) -> bool:
        """Let a phone read a message, which `opened` decrypts. Returns whether it is new and could be read."""
        if any(message.id == identity for message in phone.inbox):
            return False  # clients repeat a message whose acknowledgement was lost with the connection
        try:
            message = opened()
            if (done := deed(message)) is not None:
                self._do(phone, done)
                return True
            text, more = shown(message)
            media, text = self._media.read(message) or (None, text)
        except (DecryptionError, MediaError) as error:
            log.warning("message_unreadable", phone=phone.number, sender=sender.number, error=str(error))
            return False
        if is_forwarded(message):
            more["forwarded"] = True
        if (reply_to := answered(message)) is not None:
            more["reply_to"] = reply_to
        phone.read(Readable(identity, sender.number, to, text, phone is sender, media, more))
        self._phones.changed(phone)
        return True

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


def address_of(phone: Phone, device: int) -> str:
    """The name under which one device's keys are remembered; 0 is the phone itself."""
    return f"{phone.lid.user}:{device}"


def marks_of(message: Any) -> dict[str, str]:
    """The attributes by which a stanza says that its message does something to another one."""
    done = deed(message)
    return _MARKS[done.kind] if done else {}


def sealed_for(sender: Phone, address: str, bundle: Callable[[], Bundle], plain: bytes) -> Node:
    """What a phone sends to one device alone, whose `bundle` is taken if they have not met yet."""
    if address not in sender.party.sessions:
        sender.party.open(address, bundle())
    sealed = sender.party.encrypt(address, plain)
    return Node("enc", {"v": "2", "type": sealed.kind}, sealed.body)


def bundle_of(device: Device) -> Bundle:
    """Public keys of a linked device for one new session. Raises: LookupError if it has not uploaded any yet."""
    if device.signed is None:
        raise LookupError("the linked device has not uploaded its keys yet: wait until it is connected")
    once_id, once = device.once.popitem() if device.once else (None, None)
    signed = device.signed
    return Bundle(device.registration, device.identity, signed.number, signed.public, signed.signature, once_id, once)
