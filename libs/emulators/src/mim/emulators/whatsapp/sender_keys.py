"""Sender keys of the Signal protocol: one key a member and group, told to each device in private, sealing for all.

The message formats and derivation strings are libsignal's version 3 (go.mau.fi/libsignal: groups, protocol).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mim.emulators.whatsapp.curve import KEY_TYPE, Key, derive, verify
from mim.emulators.whatsapp.ratchet import VERSION, Chain, DecryptionError, bytes_field, int_field, pad, unpad
from mim.emulators.whatsapp.varint import read_fields, write_fields

_SIGNATURE_SIZE = 64
_MOST_IDS = 16380  # as for registration ids
_KEPT_KEYS = 5  # libsignal's maxStates


class SendingKey:
    """A member's own key in a group; `told` are the addresses of the devices that have it."""

    def __init__(self, number: int | None = None, signer: Key | None = None, chain: Chain | None = None) -> None:
        self.number = number if number is not None else int.from_bytes(os.urandom(2), "big") % _MOST_IDS + 1
        self.signer = signer or Key()
        self.chain = chain or Chain(os.urandom(32))
        self.told: set[str] = set()

    def distribution(self) -> bytes:
        """What lets a device read all messages from the next one on (SenderKeyDistributionMessage)."""
        public = KEY_TYPE + self.signer.public
        return VERSION + write_fields({1: self.number, 2: self.chain.count, 3: self.chain.key, 4: public})

    def encrypt(self, plain: bytes) -> bytes:
        """Seal one message for the whole group (SenderKeyMessage)."""
        count, seed = self.chain.step()
        padder = block_padding.PKCS7(128).padder()
        encryptor = _cipher(seed).encryptor()
        sealed = encryptor.update(padder.update(pad(plain)) + padder.finalize()) + encryptor.finalize()
        body = VERSION + write_fields({1: self.number, 2: count, 3: sealed})
        return body + self.signer.sign(body)


class HeardKey(NamedTuple):
    """Another member's key: who signs with it, and where its chain stands."""

    signer: bytes
    chain: Chain


@dataclass
class GroupKeys:
    """All sender keys of one simulated phone: its own by group, the others' by group and device and key number."""

    own: dict[str, SendingKey] = field(default_factory=dict)
    heard: dict[tuple[str, str], dict[int, HeardKey]] = field(default_factory=dict)

    def sending(self, group: str) -> SendingKey:
        """The own key in a group, made when it is first needed."""
        return self.own.setdefault(group, SendingKey())

    def renew(self, group: str) -> None:
        """Use another key from the next message on: somebody left who knows the present one."""
        self.own.pop(group, None)

    def learn(self, group: str, address: str, distribution: bytes) -> None:
        """Remember the key that a device told of itself. Raises: DecryptionError, ValueError if it is none."""
        if distribution[:1] != VERSION:
            raise DecryptionError("not a version 3 sender key")
        fields = read_fields(distribution[1:])
        number, count = int_field(fields, 1), int_field(fields, 2)
        keys = self.heard.setdefault((group, address), {})
        if (known := keys.get(number)) is not None and known.chain.count >= count:
            return  # a repeat, which must not make keys that are used up good again
        keys[number] = HeardKey(bytes_field(fields, 4)[1:], Chain(bytes_field(fields, 3), count))
        while len(keys) > _KEPT_KEYS:
            del keys[next(iter(keys))]

    def decrypt(self, group: str, address: str, message: bytes) -> bytes:
        """Open what a device wrote to a group, once, in whatever order it comes. Raises: DecryptionError."""
        body, signature = message[:-_SIGNATURE_SIZE], message[-_SIGNATURE_SIZE:]
        if body[:1] != VERSION:
            raise DecryptionError("not a version 3 sender key message")
        fields = read_fields(body[1:])
        key = self.heard.get((group, address), {}).get(int_field(fields, 1))
        if key is None:
            raise DecryptionError(f"{address} did not tell this key for the group")
        if not verify(key.signer, body, signature):
            raise DecryptionError("the message is not signed by its sender")
        decryptor = _cipher(key.chain.seed(int_field(fields, 2))).decryptor()
        padded = decryptor.update(bytes_field(fields, 3)) + decryptor.finalize()
        unpadder = block_padding.PKCS7(128).unpadder()
        return unpad(unpadder.update(padded) + unpadder.finalize())


def _cipher(seed: bytes) -> Cipher[modes.CBC]:
    keys = derive(seed, salt=bytes(32), length=48, info=b"WhisperGroup")
    return Cipher(algorithms.AES(keys[16:]), modes.CBC(keys[:16]))
