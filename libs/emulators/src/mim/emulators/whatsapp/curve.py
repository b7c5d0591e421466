"""Curve25519 keys that agree on secrets and sign, as the Signal protocol uses one key for both.

Signatures are XEdDSA (https://signal.org/docs/specifications/xeddsa/). The private key is made from an Ed25519 seed,
so an ordinary Ed25519 signature with the public key's sign bit moved into its last byte is a valid XEdDSA signature.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_TYPE = b"\x05"
"""Prefix of a Curve25519 public key wherever Signal serialises one (libsignal calls it DJB_TYPE)."""

_PRIME = 2**255 - 19
_SIGN_BIT = 0x80


class Key:
    """A key pair. `seed` (32 bytes) is all there is to keep of it."""

    def __init__(self, seed: bytes | None = None) -> None:
        self.seed = seed or os.urandom(32)
        self._signer = Ed25519PrivateKey.from_private_bytes(self.seed)
        self._agreement = X25519PrivateKey.from_private_bytes(hashlib.sha512(self.seed).digest()[:32])
        self.public = self._agreement.public_key().public_bytes_raw()
        self._sign_bit = self._signer.public_key().public_bytes_raw()[31] & _SIGN_BIT

    def agree(self, public: bytes) -> bytes:
        """The secret shared with the owner of `public` (X25519)."""
        return self._agreement.exchange(X25519PublicKey.from_public_bytes(public))

    def sign(self, message: bytes) -> bytes:
        """An XEdDSA signature, 64 bytes."""
        signature = bytearray(self._signer.sign(message))
        signature[63] |= self._sign_bit
        return bytes(signature)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made by the owner of the X25519 key `public`."""
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    if (u + 1) % _PRIME == 0 or len(signature) != 64:
        return False
    y = (u - 1) * pow(u + 1, -1, _PRIME) % _PRIME
    edwards = bytearray(y.to_bytes(32, "little"))
    edwards[31] |= signature[63] & _SIGN_BIT
    plain = bytearray(signature)
    plain[63] &= ~_SIGN_BIT & 0xFF
    try:
        Ed25519PublicKey.from_public_bytes(bytes(edwards)).verify(bytes(plain), message)
    except InvalidSignature:
        return False
    return True


def derive(secret: bytes, *, salt: bytes | None, length: int, info: bytes = b"") -> bytes:
    """HKDF-SHA-256 (RFC 5869)."""
    return HKDF(SHA256(), length, salt, info).derive(secret)
