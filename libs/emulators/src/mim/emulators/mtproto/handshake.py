"""How a client and the server come to share an authorization key, on the server's side. No I/O.

Source: https://core.telegram.org/mtproto/auth_key and https://core.telegram.org/mtproto/security_guidelines. Whatever
does not fit ends the exchange; the real server says no more about it than this one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import functions, types
from telethon.tl.tlobject import TLObject

from mim.emulators.mtproto.crypto import (
    KEY_BYTES,
    SECRET_BYTES,
    AuthKey,
    CryptoError,
    G,
    P,
    decrypt_ige,
    encrypt_ige,
    handshake_aes,
    is_safe_share,
    rsa_open,
    sha1,
    xor,
)

# Primes far apart: of two of one size Telethon's search finds both at once now and then, and then neither (87 of 20,000
# tries with 15 bits each).
FACTORS = 4_194_319, 1_073_741_827
"""Any two primes do: to factor their product is work that the protocol asks of clients, not a secret. Some clients
read the product as a signed number, so its highest bit is 0."""
_MAX_TRIES = 5


class HandshakeError(Exception):
    """The client broke off the exchange or tried to cheat."""


class ServerKey:
    """The RSA key by which clients know the server."""

    def __init__(self, private: rsa.RSAPrivateKey | None = None) -> None:
        self.private = private or rsa.generate_private_key(65537, KEY_BYTES * 8)
        numbers = self.private.public_key().public_numbers()
        fields = [TLObject.serialize_bytes(_short(number)) for number in (numbers.n, numbers.e)]
        self.fingerprint: int = struct.unpack("<q", sha1(b"".join(fields))[-8:])[0]

    @property
    def public_pem(self) -> str:
        """What `trust` takes: PKCS #1, as Telegram publishes its keys."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


@dataclass(frozen=True)
class Agreed:
    """The outcome: the key, and the first salt that goes with it."""

    key: AuthKey
    salt: int


class Handshake:
    """One exchange. `noise(n)` gives n random bytes, `clock` the time; `is_taken` tells whether a key id is in use."""

    def __init__(
        self,
        server_key: ServerKey,
        noise: Callable[[int], bytes],
        clock: Callable[[], float],
        is_taken: Callable[[int], bool],
    ) -> None:
        self._server_key = server_key
        self._noise = noise
        self._clock = clock
        self._is_taken = is_taken
        self._nonce = self._server_nonce = self._new_nonce = b""
        self._secret = 0
        self._tries = 0
        self.agreed: Agreed | None = None

    def answer(self, request: Any) -> Any:
        """The server's next message. Sets `agreed` with the last. Raises: HandshakeError."""
        if isinstance(request, functions.ReqPqRequest | functions.ReqPqMultiRequest):
            return self._begin(request)
        if not self._nonce or not hasattr(request, "server_nonce"):
            raise HandshakeError("this is no step of the exchange")
        self._check_nonces(request)
        if isinstance(request, functions.ReqDHParamsRequest) and not self._secret:
            return self._offer(request)
        if isinstance(request, functions.SetClientDHParamsRequest) and self._secret and not self.agreed:
            return self._agree(request)
        raise HandshakeError("this step is out of turn")

    def _begin(self, request: Any) -> Any:
        self._nonce, self._server_nonce = _bytes(request.nonce, 16), self._noise(16)
        self._secret, self.agreed = 0, None
        product = _short(_product())
        return types.ResPQ(request.nonce, _number(self._server_nonce), product, [self._server_key.fingerprint])

    def _offer(self, request: Any) -> Any:
        if request.public_key_fingerprint != self._server_key.fingerprint:
            raise HandshakeError("the client knows another server key")
        inner = self._inner_of(request.encrypted_data)
        self._check_nonces(inner)
        claims = [(message.p, message.q) for message in (request, inner)]
        if any(tuple(map(_value, claim)) != FACTORS for claim in claims) or _value(inner.pq) != _product():
            raise HandshakeError("the client did not factor the product")
        self._new_nonce = _bytes(inner.new_nonce, 32)
        self._secret = int.from_bytes(self._noise(SECRET_BYTES), "big")
        share = pow(G, self._secret, P)
        if not is_safe_share(share):
            raise HandshakeError("the server's own random number is unsafe")
        nonces = _number(self._nonce), _number(self._server_nonce)
        prime, now = P.to_bytes(KEY_BYTES, "big"), int(self._clock())
        data = bytes(types.ServerDHInnerData(*nonces, G, prime, share.to_bytes(KEY_BYTES, "big"), now))
        data = sha1(data) + data
        data += self._noise(-len(data) % 16)
        return types.ServerDHParamsOk(*nonces, encrypt_ige(data, *handshake_aes(self._new_nonce, self._server_nonce)))

    def _inner_of(self, block: bytes) -> Any:
        try:
            opened = rsa_open(self._server_key.private, block)
        except CryptoError as error:
            raise HandshakeError(str(error)) from None
        inner, length = _read(opened.data)
        if opened.digest is not None and sha1(opened.data[:length]) != opened.digest:
            raise HandshakeError("the inner data has another SHA-1")
        if not isinstance(inner, types.PQInnerData | types.PQInnerDataDc):
            raise HandshakeError("only permanent keys are made here")
        return inner

    def _agree(self, request: Any) -> Any:
        try:
            plain = decrypt_ige(request.encrypted_data, *handshake_aes(self._new_nonce, self._server_nonce))
        except CryptoError as error:
            raise HandshakeError(str(error)) from None
        inner, length = _read(plain[20:])
        if sha1(plain[20 : 20 + length]) != plain[:20] or not isinstance(inner, types.ClientDHInnerData):
            raise HandshakeError("the client's share has another SHA-1")
        self._check_nonces(inner)
        share = int.from_bytes(inner.g_b, "big")
        key = AuthKey(pow(share, self._secret, P).to_bytes(KEY_BYTES, "big"))
        nonces = _number(self._nonce), _number(self._server_nonce)
        if not is_safe_share(share):
            return types.DhGenFail(*nonces, _number(key.new_nonce_hash(self._new_nonce, 3)))
        if self._is_taken(key.id) and self._tries < _MAX_TRIES:
            self._tries += 1
            return types.DhGenRetry(*nonces, _number(key.new_nonce_hash(self._new_nonce, 2)))
        salt = struct.unpack("<q", xor(self._new_nonce[:8], self._server_nonce[:8]))[0]
        self.agreed = Agreed(key, salt)
        return types.DhGenOk(*nonces, _number(key.new_nonce_hash(self._new_nonce, 1)))

    def _check_nonces(self, message: Any) -> None:
        if (_bytes(message.nonce, 16), _bytes(message.server_nonce, 16)) != (self._nonce, self._server_nonce):
            raise HandshakeError("the nonces are those of another exchange")


def _read(data: bytes) -> tuple[Any, int]:
    """The object at the beginning of data, and its length in bytes."""
    reader = BinaryReader(data)
    try:
        return reader.tgread_object(), reader.tell_position()
    except (TypeNotFoundError, BufferError, ValueError, struct.error):
        raise HandshakeError("what was encrypted is no object of the protocol") from None


def _product() -> int:
    return FACTORS[0] * FACTORS[1]


def _short(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _value(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _bytes(number: int, length: int) -> bytes:
    return number.to_bytes(length, "little", signed=True)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)
