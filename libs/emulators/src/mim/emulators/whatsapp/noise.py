"""The server's side of the Noise handshake, and the transport cipher it ends in.

`Noise_XX_25519_AESGCM_SHA256` (https://noiseprotocol.org/noise.html) with WhatsApp's payloads: the server's static key
comes with a chain of two certificates that ends in a root key known to the client (whatsmeow's handshake.go).
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mim.emulators.whatsapp.curve import Key, derive
from mim.emulators.whatsapp.protobuf import CertChain, ClientPayload, HandshakeMessage

_PROTOCOL = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
_HOUR = 3600
_VALIDITY = 30 * 24 * _HOUR


class Authority:
    """The root key, and a server key that it vouches for. The server key and its chain are made at each start."""

    def __init__(self, root: Key) -> None:
        self.root = root
        self.server = Key()
        intermediate = Key()
        certificate = CertChain.NoiseCertificate
        upper = _details(serial=1, issuer=0, key=intermediate)
        lower = _details(serial=2, issuer=1, key=self.server)
        self.chain: bytes = CertChain(
            intermediate=certificate(details=upper, signature=root.sign(upper)),
            leaf=certificate(details=lower, signature=intermediate.sign(lower)),
        ).SerializeToString()


def _details(*, serial: int, issuer: int, key: Key) -> bytes:
    now = int(time.time())
    details: bytes = CertChain.NoiseCertificate.Details(
        serial=serial, issuerSerial=issuer, key=key.public, notBefore=now - _HOUR, notAfter=now + _VALIDITY
    ).SerializeToString()
    return details


class Cipher:
    """AES-GCM with a counter as nonce, one direction of a connection."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(12, "big")
        self._count += 1
        return nonce

    def encrypt(self, plain: bytes, bound: bytes = b"") -> bytes:
        """Encrypt; `bound` is authenticated with it."""
        return self._aead.encrypt(self._nonce(), plain, bound)

    def decrypt(self, sealed: bytes, bound: bytes = b"") -> bytes:
        """Decrypt. Raises: InvalidTag if anything was changed."""
        return self._aead.decrypt(self._nonce(), sealed, bound)


class Handshake:
    """One handshake. `header` is what the client sent before its first frame; both sides bind it in."""

    def __init__(self, authority: Authority, header: bytes) -> None:
        self._authority = authority
        self._ephemeral = Key()
        self._hash = self._chaining_key = _PROTOCOL
        self._cipher = Cipher(_PROTOCOL)
        self.client_static = b""
        self._mix_hash(header)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        output = derive(secret, salt=self._chaining_key, length=64)
        self._chaining_key, self._cipher = output[:32], Cipher(output[32:])

    def _seal(self, plain: bytes) -> bytes:
        sealed = self._cipher.encrypt(plain, self._hash)
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = self._cipher.decrypt(sealed, self._hash)
        self._mix_hash(sealed)
        return plain

    def answer(self, client_hello: bytes) -> bytes:
        """The server's hello to the client's."""
        theirs = HandshakeMessage.FromString(client_hello).clientHello.ephemeral
        self._mix_hash(theirs)
        self._mix_hash(self._ephemeral.public)
        self._mix_key(self._ephemeral.agree(theirs))
        static = self._seal(self._authority.server.public)
        self._mix_key(self._authority.server.agree(theirs))
        hello = HandshakeMessage.ServerHello(
            ephemeral=self._ephemeral.public, static=static, payload=self._seal(self._authority.chain)
        )
        sent: bytes = HandshakeMessage(serverHello=hello).SerializeToString()
        return sent

    def finish(self, client_finish: bytes) -> tuple[Any, Cipher, Cipher]:
        """Read the client's last message: who it is, the cipher for what it sends and the one for what it gets."""
        message = HandshakeMessage.FromString(client_finish).clientFinish
        self.client_static = self._open(message.static)
        self._mix_key(self._ephemeral.agree(self.client_static))
        payload = ClientPayload.FromString(self._open(message.payload))
        keys = derive(b"", salt=self._chaining_key, length=64)
        return payload, Cipher(keys[:32]), Cipher(keys[32:])
