"""How two devices of the Signal protocol get their first common key, and the sessions that follow.

Written from the published specification (https://signal.org/docs/specifications/x3dh/), with libsignal's message
format. A `Party` is what a simulated phone knows; its sessions are double ratchets, its `groups` sender keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mim.emulators.whatsapp.curve import KEY_TYPE, Key, derive, verify
from mim.emulators.whatsapp.ratchet import Chain, DecryptionError, Sealed, Session, bytes_field, int_field, pad, unpad
from mim.emulators.whatsapp.sender_keys import GroupKeys
from mim.emulators.whatsapp.varint import read_fields

_PREFIX = b"\xff" * 32


class Bundle(NamedTuple):
    """The public keys with which anyone can start a session with a device."""

    registration: bytes
    identity: bytes
    signed_id: int
    signed: bytes
    signature: bytes
    once_id: int | None = None
    once: bytes | None = None


class Party:
    """The keys of one simulated device and its sessions by the peer's address."""

    def __init__(self, identity: Key | None = None, signed: Key | None = None) -> None:
        self.identity = identity or Key()
        self.signed, self.signed_id = signed or Key(), 1
        self.once: dict[int, Key] = {}
        self.next_once_id = 1
        self.sessions: dict[str, Session] = {}
        self.groups = GroupKeys()

    @property
    def registration(self) -> bytes:
        """The registration id, four bytes of which 14 bits are used."""
        return bytes(2) + bytes([self.identity.public[0] & 0x3F, self.identity.public[1]])

    def bundle(self) -> Bundle:
        """The public keys for one new session; each call gives away another one-time key."""
        number, key = self.next_once_id, Key()
        self.once[number], self.next_once_id = key, number + 1
        signature = self.identity.sign(KEY_TYPE + self.signed.public)
        return Bundle(
            self.registration,
            self.identity.public,
            self.signed_id,
            self.signed.public,
            signature,
            number,
            key.public,
        )

    def open(self, address: str, theirs: Bundle) -> None:
        """Start a session with the device that `theirs` belongs to. Raises: DecryptionError on a bad signature."""
        if not verify(theirs.identity, KEY_TYPE + theirs.signed, theirs.signature):
            raise DecryptionError(f"the keys of {address} are not signed by its identity")
        base = Key()
        secret = self.identity.agree(theirs.signed) + base.agree(theirs.identity) + base.agree(theirs.signed)
        if theirs.once is not None:
            secret += base.agree(theirs.once)
        root, chain = _first_keys(secret)
        session = Session(self.identity.public, theirs.identity, root, Key(), receiving={theirs.signed: Chain(chain)})
        session.start_sending(theirs.signed)
        session.opening = {
            1: theirs.once_id,
            2: KEY_TYPE + base.public,
            3: KEY_TYPE + self.identity.public,
            5: int.from_bytes(self.registration, "big"),
            6: theirs.signed_id,
        }
        self.sessions[address] = session

    def forget(self, address: str) -> None:
        """Start anew with a device that could not read: it gets all keys again."""
        self.sessions.pop(address, None)
        for key in self.groups.own.values():
            key.told.discard(address)

    def encrypt(self, address: str, plain: bytes) -> Sealed:
        """Encrypt for a device to which a session is open."""
        return self.sessions[address].encrypt(pad(plain))

    def decrypt(self, address: str, sealed: Sealed) -> bytes:
        """Decrypt a message from a device, opening the session if it asks so. Raises: DecryptionError."""
        if sealed.kind == "pkmsg":
            fields = read_fields(sealed.body[1:])
            session = self._accept(address, fields)
            message = bytes_field(fields, 4)
        elif (known := self.sessions.get(address)) is not None:
            session, message = known, sealed.body
        else:
            raise DecryptionError(f"no session with {address}")
        return unpad(session.decrypt(message))

    def _accept(self, address: str, fields: Mapping[int, int | bytes]) -> Session:
        base, theirs = bytes_field(fields, 2)[1:], bytes_field(fields, 3)[1:]
        known = self.sessions.get(address)
        if known is not None and known.started_by == base:
            return known
        if int_field(fields, 6) != self.signed_id:
            raise DecryptionError(f"{address} used keys that this phone does not have")
        secret = self.signed.agree(theirs) + self.identity.agree(base) + self.signed.agree(base)
        if once_id := int_field(fields, 1):
            once = self.once.pop(once_id, None)
            if once is None:
                raise DecryptionError(f"{address} used a one-time key twice")
            secret += once.agree(base)
        root, chain = _first_keys(secret)
        session = Session(self.identity.public, theirs, root, self.signed, sending=Chain(chain), started_by=base)
        self.sessions[address] = session
        return session


def _first_keys(secret: bytes) -> tuple[bytes, bytes]:
    keys = derive(_PREFIX + secret, salt=bytes(32), length=64, info=b"WhisperText")
    return keys[:32], keys[32:]
