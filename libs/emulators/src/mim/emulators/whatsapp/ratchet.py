"""The double ratchet of the Signal protocol, one to one.

Written from the published specification (https://signal.org/docs/specifications/doubleratchet/); the message format
and the key derivation strings are those of libsignal's version 3 sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mim.emulators.whatsapp.curve import KEY_TYPE, Key, derive
from mim.emulators.whatsapp.varint import read_fields, write_fields

VERSION = b"\x33"
_MAC_SIZE = 8
_LARGEST_GAP = 2000  # libsignal's MAX_FORWARD_JUMPS
_KEPT_CHAINS = 5  # libsignal's MAX_RECEIVER_CHAINS


class DecryptionError(ValueError):
    """A message that this side cannot read."""


class Sealed(NamedTuple):
    """An encrypted message: `pkmsg` carries what is needed to start the session, `msg` does not."""

    kind: str
    body: bytes


def pad(plain: bytes) -> bytes:
    """What WhatsApp puts behind a message before it is sealed: 1 to 15 bytes of the padding's size."""
    size = os.urandom(1)[0] & 15 or 15
    return plain + bytes([size]) * size


def unpad(plain: bytes) -> bytes:
    """Undo `pad`."""
    return plain[: -plain[-1]]


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)


class _MessageKey(NamedTuple):
    cipher: bytes
    mac: bytes
    vector: bytes


@dataclass
class Chain:
    """A symmetric ratchet: one key a message. Keys of messages that are still under way are kept in `skipped`."""

    key: bytes
    count: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)

    def step(self) -> tuple[int, bytes]:
        """The next message's number and seed."""
        seed, number = _hmac(self.key, b"\x01"), self.count
        self.key, self.count = _hmac(self.key, b"\x02"), number + 1
        return number, seed

    def seed(self, number: int) -> bytes:
        """The seed of message `number`, once. Raises: DecryptionError if it is used up or too far ahead."""
        if number < self.count:
            try:
                return self.skipped.pop(number)
            except KeyError:
                raise DecryptionError(f"message {number} was read before") from None
        if number - self.count > _LARGEST_GAP:
            raise DecryptionError(f"message {number} is too far ahead")
        while self.count < number:
            skipped, seed = self.step()
            self.skipped[skipped] = seed
        return self.step()[1]


def _message_key(seed: bytes) -> _MessageKey:
    keys = derive(seed, salt=bytes(32), length=80, info=b"WhisperMessageKeys")
    return _MessageKey(keys[:32], keys[32:64], keys[64:])


@dataclass
class Session:
    """A double ratchet with one device. `mine` and `theirs` are the identity keys that every message is bound to."""

    mine: bytes
    theirs: bytes
    root: bytes
    ratchet: Key
    sending: Chain | None = None
    receiving: dict[bytes, Chain] = field(default_factory=dict)
    previous_count: int = 0
    started_by: bytes | None = None
    """The base key of the peer that opened this session; a repeat of its first message must not open it again."""
    opening: dict[int, int | bytes | None] | None = None
    """What goes before each message until the peer has answered once."""

    def _turn(self, their_key: bytes) -> Chain:
        output = derive(self.ratchet.agree(their_key), salt=self.root, length=64, info=b"WhisperRatchet")
        self.root = output[:32]
        return Chain(output[32:])

    def start_sending(self, their_key: bytes) -> None:
        """Open the sending chain towards the peer's present ratchet key."""
        self.sending = self._turn(their_key)

    def encrypt(self, plain: bytes) -> Sealed:
        """Encrypt one message."""
        if self.sending is None:
            raise RuntimeError("a session cannot send before it has a peer's ratchet key")
        number, seed = self.sending.step()
        key = _message_key(seed)
        padder = padding.PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(key.cipher), modes.CBC(key.vector)).encryptor()
        sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
        fields: dict[int, int | bytes | None] = {
            1: KEY_TYPE + self.ratchet.public,
            2: number,
            3: self.previous_count,
            4: sealed,
        }
        body = VERSION + write_fields(fields)
        message = body + self._mac(key, self.mine, self.theirs, body)
        if self.opening is None:
            return Sealed("msg", message)
        return Sealed("pkmsg", VERSION + write_fields({**self.opening, 4: message}))

    def decrypt(self, message: bytes) -> bytes:
        """Decrypt one message, in whatever order they come. Raises: DecryptionError."""
        body, mac = message[:-_MAC_SIZE], message[-_MAC_SIZE:]
        if body[:1] != VERSION:
            raise DecryptionError("not a version 3 message")
        fields = read_fields(body[1:])
        key = _message_key(self._chain(bytes_field(fields, 1)[1:]).seed(int_field(fields, 2)))
        if not hmac.compare_digest(self._mac(key, self.theirs, self.mine, body), mac):
            raise DecryptionError("the message was changed on its way")
        decryptor = Cipher(algorithms.AES(key.cipher), modes.CBC(key.vector)).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        padded = decryptor.update(bytes_field(fields, 4)) + decryptor.finalize()
        self.opening = None
        return unpadder.update(padded) + unpadder.finalize()

    def _chain(self, their_key: bytes) -> Chain:
        if their_key not in self.receiving:
            self.receiving[their_key] = self._turn(their_key)
            while len(self.receiving) > _KEPT_CHAINS:
                del self.receiving[next(iter(self.receiving))]
            self.previous_count = max(self.sending.count - 1, 0) if self.sending else 0
            self.ratchet = Key()
            self.start_sending(their_key)
        return self.receiving[their_key]

    @staticmethod
    def _mac(key: _MessageKey, sender: bytes, receiver: bytes, body: bytes) -> bytes:
        return _hmac(key.mac, KEY_TYPE + sender + KEY_TYPE + receiver + body)[:_MAC_SIZE]


def bytes_field(fields: Mapping[int, int | bytes], number: int) -> bytes:
    """A field that must be bytes. Raises: DecryptionError."""
    value = fields.get(number)
    if not isinstance(value, bytes):
        raise DecryptionError(f"field {number} is missing")
    return value


def int_field(fields: Mapping[int, int | bytes], number: int) -> int:
    """A field that must be a number; 0 if it is missing. Raises: DecryptionError."""
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise DecryptionError(f"field {number} is not a number")
    return value
