"""The server's half of the two-factor password check: SRP-6a as Telegram has it. Pure.

Source: https://core.telegram.org/api/srp.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from mim.emulators.mtproto.crypto import KEY_BYTES, G, P, is_safe_share, sha256, xor

_ITERATIONS = 100_000


class WrongShareError(Exception):
    """The client's `A` is not a share of an honest client."""


def _number(value: int) -> bytes:
    return value.to_bytes(KEY_BYTES, "big")


_P, _G = _number(P), _number(G)
_K = int.from_bytes(sha256(_P, _G), "big")


@dataclass(frozen=True)
class Verifier:
    """What the server keeps of a password. Making one costs some 50 ms."""

    salt1: bytes
    salt2: bytes
    value: int = field(repr=False)

    @classmethod
    def of(cls, password: str, salt1: bytes, salt2: bytes) -> Verifier:
        """The verifier of a password."""
        inner = sha256(salt2, sha256(salt1, password.encode(), salt1), salt2)
        slow = hashlib.pbkdf2_hmac("sha512", inner, salt1, _ITERATIONS)
        return cls(salt1, salt2, pow(G, int.from_bytes(sha256(salt2, slow, salt2), "big"), P))


@dataclass(frozen=True)
class Challenge:
    """One offer to prove the password: good for one attempt. `secret` is the server's random exponent."""

    id: int
    verifier: Verifier
    secret: int = field(repr=False)

    @property
    def share(self) -> bytes:
        """`B`, which the client gets."""
        return _number((_K * self.verifier.value + pow(G, self.secret, P)) % P)

    def is_met(self, client_share: bytes, proof: bytes) -> bool:
        """Whether `M1` proves that the client knows the password.

        Raises: WrongShareError if `A` could make the result predictable: 0 modulo p, or outside the safe range.
        """
        value = int.from_bytes(client_share, "big")
        if len(client_share) > KEY_BYTES or value % P == 0 or not is_safe_share(value):
            raise WrongShareError
        scramble = int.from_bytes(sha256(_number(value), self.share), "big")
        common = pow(value * pow(self.verifier.value, scramble, P), self.secret, P)
        salts = sha256(self.verifier.salt1), sha256(self.verifier.salt2)
        expected = sha256(xor(sha256(_P), sha256(_G)), *salts, _number(value), self.share, sha256(_number(common)))
        return expected == proof
