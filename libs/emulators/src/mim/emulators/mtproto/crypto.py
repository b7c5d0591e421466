"""Encryption of MTProto 2.0 as the server sees it. Pure: keys and randomness come from the caller.

Sources: https://core.telegram.org/mtproto/description (messages), https://core.telegram.org/mtproto/auth_key (RSA).
AES-IGE is Telethon's, which is cryptg's.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from telethon.crypto import AES

G = 3
P = int(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F"
    "48198A0AA7C14058229493D22530F4DBFA336F6E0AC925139543AED44CCE7C37"
    "20FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4"
    "A4A695811051907E162753B56B0F6B410DBA74D8A84B2A14B3144E0EF1284754"
    "FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F"
    "0D8115F635B105EE2E4E15D04B2454BF6F4FADF034B10403119CD8E3B92FCC5B",
    16,
)
"""The prime that Telegram's own servers use; clients know it to be safe, so none spends seconds on proving it."""

KEY_BYTES = 256
SECRET_BYTES = 64
"""Of the server's random exponents: enough for the group's strength, and fast."""
_SAFE = 1 << (2048 - 64)
_FROM_CLIENT, _FROM_SERVER = 0, 8  # the `x` of the description
_HEAD = struct.Struct("<qqqii")


class CryptoError(Exception):
    """What came cannot have been sent by the holder of the key."""


def sha1(data: bytes) -> bytes:
    """SHA-1, which the protocol prescribes in places."""
    return hashlib.sha1(data, usedforsecurity=False).digest()


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def xor(one: bytes, other: bytes) -> bytes:
    """Both, bit by bit, as long as the shorter."""
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def is_safe_share(share: int) -> bool:
    """Whether a Diffie-Hellman share is in the range that the security guidelines prescribe."""
    return _SAFE <= share <= P - _SAFE


def encrypt_ige(plain: bytes, key: bytes, iv: bytes) -> bytes:
    """AES-IGE over whole blocks."""
    sealed: bytes = AES.encrypt_ige(plain, key, iv)
    return sealed


def decrypt_ige(sealed: bytes, key: bytes, iv: bytes) -> bytes:
    """AES-IGE over whole blocks. Raises: CryptoError if they are not whole."""
    if not sealed or len(sealed) % 16:
        raise CryptoError(f"{len(sealed)} bytes are no whole AES blocks")
    plain: bytes = AES.decrypt_ige(sealed, key, iv)
    return plain


@dataclass(frozen=True, slots=True)
class Plain:
    """A message as it is inside the encryption."""

    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    body: bytes


@dataclass(frozen=True, slots=True, repr=False)
class AuthKey:
    """The 2,048-bit key that a client and the server share."""

    raw: bytes

    @property
    def id(self) -> int:
        """How packets name it: the lower 64 bits of its SHA-1."""
        return int.from_bytes(sha1(self.raw)[12:], "little")

    def new_nonce_hash(self, new_nonce: bytes, number: int) -> bytes:
        """What proves to the client that the server has the key: 1 it is accepted, 2 try again, 3 it failed."""
        return sha1(new_nonce + bytes([number]) + sha1(self.raw)[:8])[4:]

    def open(self, packet: bytes, direction: int = _FROM_CLIENT) -> Plain:
        """Decrypt a packet. Raises: CryptoError if it was not made with this key or is malformed."""
        msg_key = packet[8:24]
        plain = decrypt_ige(packet[24:], *self._aes(msg_key, direction))
        if sha256(self.raw[88 + direction : 120 + direction], plain)[8:24] != msg_key:
            raise CryptoError("the message key does not fit the message")
        if len(plain) < _HEAD.size:
            raise CryptoError("the message has no head")
        salt, session_id, msg_id, seq_no, length = _HEAD.unpack(plain[: _HEAD.size])
        padding_bytes = len(plain) - _HEAD.size - length
        if length < 4 or length % 4 or not 12 <= padding_bytes <= 1024:
            raise CryptoError(f"a length of {length} does not fit the message")
        return Plain(salt, session_id, msg_id, seq_no, plain[_HEAD.size : _HEAD.size + length])

    def seal(self, message: Plain, noise: bytes, direction: int = _FROM_SERVER) -> bytes:
        """Encrypt a message as a packet; `noise` are at least 27 random bytes to pad with."""
        head = _HEAD.pack(message.salt, message.session_id, message.msg_id, message.seq_no, len(message.body))
        plain = head + message.body
        plain += noise[: 12 + -(len(plain) + 12) % 16]
        msg_key = sha256(self.raw[88 + direction : 120 + direction], plain)[8:24]
        return struct.pack("<Q", self.id) + msg_key + encrypt_ige(plain, *self._aes(msg_key, direction))

    def _aes(self, msg_key: bytes, direction: int) -> tuple[bytes, bytes]:
        one = sha256(msg_key, self.raw[direction : direction + 36])
        two = sha256(self.raw[direction + 40 : direction + 76], msg_key)
        return one[:8] + two[8:24] + one[24:32], two[:8] + one[8:24] + two[24:32]


def handshake_aes(new_nonce: bytes, server_nonce: bytes) -> tuple[bytes, bytes]:
    """Key and iv that protect the Diffie-Hellman exchange."""
    one, two, three = sha1(new_nonce + server_nonce), sha1(server_nonce + new_nonce), sha1(new_nonce * 2)
    return one + two[:12], two[12:] + three + new_nonce[:4]


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What was encrypted to the server's key, with random padding behind it.

    `digest` is the SHA-1 that the data without its padding must have, if that was not checked by SHA-256 already.
    """

    data: bytes
    digest: bytes | None


def rsa_open(private: rsa.RSAPrivateKey, block: bytes) -> Opened:
    """Decrypt what a client sealed for the server. Raises: CryptoError."""
    numbers = private.private_numbers()
    value = int.from_bytes(block, "big")
    if len(block) != KEY_BYTES or value >= numbers.public_numbers.n:
        raise CryptoError("this is no block of the server's key")
    # By the Chinese remainder theorem, which takes a quarter of the time.
    one, other = pow(value, numbers.dmp1, numbers.p), pow(value, numbers.dmq1, numbers.q)
    decrypted = other + numbers.q * (numbers.iqmp * (one - other) % numbers.p)
    return rsa_unpad(decrypted.to_bytes(KEY_BYTES, "big"))


def rsa_unpad(decrypted: bytes) -> Opened:
    """Take off either layout: `RSA_PAD`, which is today's, or `0 | SHA-1 | data | padding`, which Telethon uses.

    Raises: CryptoError if it has neither.
    """
    sealed = decrypted[32:]
    temp_key = xor(decrypted[:32], sha256(sealed))
    with_hash = decrypt_ige(sealed, temp_key, bytes(32))
    padded = with_hash[:192][::-1]
    if sha256(temp_key, padded) == with_hash[192:]:
        return Opened(padded, None)
    if decrypted[0] == 0:
        return Opened(decrypted[21:], decrypted[1:21])
    raise CryptoError("the block has no layout that the server knows")


def rsa_pad(data: bytes, temp_key: bytes, noise: bytes) -> bytes:
    """A client's half of `RSA_PAD`, before RSA: `temp_key` are 32 random bytes, `noise` fills up to 192."""
    padded = data + noise[: 192 - len(data)]
    sealed = encrypt_ige(padded[::-1] + sha256(temp_key, padded), temp_key, bytes(32))
    return xor(temp_key, sha256(sealed)) + sealed
