"""Linking a client to a phone: what WhatsApp's servers do for it, and what the phone's owner does.

By QR code, the client shows a reference of the server's with its own keys; the phone that reads it signs them. By
code, the eight characters that the client shows encrypt the exchange of the same keys (whatsmeow's pair.go and
pair-code.go).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.curve import Key, derive, verify
from mim.emulators.whatsapp.nodes import SERVER, Attributes, Jid, Node, now
from mim.emulators.whatsapp.phones import Device, Phone, Phones, digits
from mim.emulators.whatsapp.protobuf import (
    ADVDeviceIdentity,
    ADVSignedDeviceIdentity,
    ADVSignedDeviceIdentityHMAC,
)

_ACCOUNT_SIGNATURE = b"\x06\x00"
_DEVICE_SIGNATURE = b"\x06\x01"
_CODE_ROUNDS = 2 << 16  # whatsmeow: pbkdf2.Key(…, 2<<16, 32, sha256.New)
_ANSWER_WITHIN_S = 10


class PairingError(Exception):
    """The phone could not link a device; the message says why."""


class _QrCode(NamedTuple):
    reference: str
    noise: bytes
    identity: bytes
    secret: bytes


def _parse_qr(text: str) -> _QrCode:
    # Newer codes are a link with the old code behind '#'.
    reference, *keys = text.rpartition("#")[2].split(",")
    try:
        noise, identity, secret = (base64.b64decode(key) for key in keys[:3])
    except (ValueError, binascii.Error):
        raise PairingError("this is no QR code of WhatsApp: pass its whole text") from None
    return _QrCode(reference, noise, identity, secret)


@dataclass
class _Candidate:
    """A client that waits to be linked."""

    connection: Connection
    identity: bytes
    references: list[str]
    code_for: str | None = None
    wrapped_key: bytes = b""
    bundle: asyncio.Future[bytes] | None = None


class Pairing:
    """The clients that wait to be linked; `references` is how many QR codes each gets."""

    def __init__(self, phones: Phones, references: int) -> None:
        self._phones = phones
        self._references = references
        self._waiting: dict[Connection, _Candidate] = {}

    async def offer(self, connection: Connection, payload: Any) -> None:
        """Give a client that is not linked yet its references, one for each QR code it may show."""
        references = [f"2@{os.urandom(12).hex()}" for _ in range(self._references)]
        self._waiting[connection] = _Candidate(connection, payload.devicePairingData.eIdent, references)
        children = [Node("ref", {}, reference.encode()) for reference in references]
        query: Attributes = {"from": SERVER, "type": "set", "id": "pair-device", "xmlns": "md"}
        await connection.send(Node("iq", query, [Node("pair-device", {}, children)]))

    def forget(self, connection: Connection) -> None:
        """The client is gone."""
        self._waiting.pop(connection, None)

    async def scan(self, qr: str, phone: str) -> int:
        """Scan the QR code with the text `qr` with a phone. Returns the number of the new device."""
        code = _parse_qr(qr)
        candidate = self._showing(code)
        if code.noise != candidate.connection.static_key or code.identity != candidate.identity:
            raise PairingError("the keys in the QR code are not those of the client that shows it")
        return await self._link(candidate, self._phones.get(digits(phone)), code.secret)

    async def ask_passkey(self, qr: str) -> None:
        """Scan a QR code with a phone whose account asks for a passkey before it links anything."""
        options = Node("passkey_request_options", {}, json.dumps({"challenge": "", "rpId": "whatsapp.com"}).encode())
        head: Attributes = {"from": SERVER, "type": "passkey_prologue_request", "id": "passkey-1", "t": now()}
        await self._showing(_parse_qr(qr)).connection.send(Node("notification", head, [options]))

    def _showing(self, code: _QrCode) -> _Candidate:
        candidate = next((each for each in self._waiting.values() if code.reference in each.references), None)
        if candidate is None:
            raise PairingError("no client shows this QR code any more: scan the present one")
        return candidate

    async def enter_code(self, code: str, phone: str) -> int:
        """Type a pairing code into a phone. Returns the number of the new device."""
        owner = self._phones.get(digits(phone))
        candidate = next((each for each in self._waiting.values() if each.code_for == owner.number), None)
        if candidate is None:
            raise PairingError(f"no client asked for a pairing code for {owner.number}")
        return await self._link(candidate, owner, await _exchange(candidate, owner, code.replace("-", "").strip()))

    async def code_stage(self, connection: Connection, query: Node) -> None:
        """A step of linking by code that the client asks for."""
        candidate, request = self._waiting[connection], query.children[0]
        if request.text("stage") == "companion_hello":
            candidate.code_for = request.jid("jid").user
            candidate.wrapped_key = request.child("link_code_pairing_wrapped_companion_ephemeral_pub").data
            reference = Node("link_code_pairing_ref", {}, _reference(candidate.code_for))
            await connection.reply(query, Node("link_code_companion_reg", {}, [reference]))
            return
        await connection.reply(query)
        if candidate.bundle is not None and not candidate.bundle.done():
            candidate.bundle.set_result(request.child("link_code_pairing_wrapped_key_bundle").data)

    async def _link(self, candidate: _Candidate, phone: Phone, secret: bytes) -> int:
        """Sign the client's keys with the phone's, have them countersigned, and keep the device."""
        number, phone.next_device = phone.next_device, phone.next_device + 1
        details = ADVDeviceIdentity(rawID=1, timestamp=int(time.time()), keyIndex=number).SerializeToString()
        connection = candidate.connection
        answer = await connection.ask(_pair_success(phone, number, _sign(phone, details, candidate.identity, secret)))
        if answer.text("type") != "result":
            raise PairingError("the client refused to be linked")
        signed = ADVSignedDeviceIdentity.FromString(answer.child("pair-device-sign", "device-identity").data)
        proof = _DEVICE_SIGNATURE + details + candidate.identity + phone.party.identity.public
        if not verify(candidate.identity, proof, signed.deviceSignature):
            raise PairingError("the client's signature is wrong")
        phone.devices[number] = Device(connection.static_key, candidate.identity)
        self._phones.changed(phone)
        await connection.send(Node("stream:error", {"code": "515"}))  # "restart required": it comes back as a device
        connection.expect_close()
        return number


def _sign(phone: Phone, details: bytes, identity: bytes, secret: bytes) -> bytes:
    signed = ADVSignedDeviceIdentity(
        details=details,
        accountSignatureKey=phone.party.identity.public,
        accountSignature=phone.party.identity.sign(_ACCOUNT_SIGNATURE + details + identity),
    ).SerializeToString()
    seal = hmac.digest(secret, signed, hashlib.sha256)
    sealed: bytes = ADVSignedDeviceIdentityHMAC(details=signed, HMAC=seal).SerializeToString()
    return sealed


def _pair_success(phone: Phone, number: int, identity: bytes) -> Node:
    addresses = {"jid": Jid(phone.number, device=number), "lid": Jid(phone.lid.user, "lid", number)}
    children = [
        Node("device-identity", {}, identity),
        Node("biz", {"name": phone.name}),
        Node("device", addresses),
        Node("platform", {"name": "android"}),
    ]
    query: Attributes = {"from": SERVER, "type": "set", "id": "pair-success", "xmlns": "md", "t": now()}
    return Node("iq", query, [Node("pair-success", {}, children)])


def _reference(number: str) -> bytes:
    return b"ref-" + number.encode()


async def _exchange(candidate: _Candidate, owner: Phone, code: str) -> bytes:
    """The phone's side of the exchange that a code protects; returns the secret that seals the device's identity."""
    wrapped, ephemeral = candidate.wrapped_key, Key()
    shared = ephemeral.agree(_code_cipher(code, wrapped[:32], wrapped[32:48], wrapped[48:80]))
    salt, nonce = os.urandom(32), os.urandom(16)
    sealed_key = salt + nonce + _code_cipher(code, salt, nonce, ephemeral.public)
    candidate.bundle = asyncio.get_running_loop().create_future()
    await candidate.connection.send(_primary_hello(owner, sealed_key))
    bundle = await asyncio.wait_for(candidate.bundle, _ANSWER_WITHIN_S)
    key = derive(shared, salt=bundle[:32], length=32, info=b"link_code_pairing_key_bundle_encryption_key")
    try:
        plain = AESGCM(key).decrypt(bundle[32:44], bundle[44:], None)
    except InvalidTag:
        raise PairingError("this is not the code that the client shows") from None
    identity, mine, random = plain[:32], plain[32:64], plain[64:]
    if identity != candidate.identity or mine != owner.party.identity.public:
        raise PairingError("the client sent other keys than its own")
    return derive(shared + owner.party.identity.agree(identity) + random, salt=None, length=32, info=b"adv_secret")


def _primary_hello(owner: Phone, sealed_key: bytes) -> Node:
    steps = [
        Node("link_code_pairing_ref", {}, _reference(owner.number)),
        Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, sealed_key),
        Node("primary_identity_pub", {}, owner.party.identity.public),
    ]
    head: Attributes = {"from": SERVER, "type": "link_code_companion_reg", "id": "code-1", "t": now()}
    return Node("notification", head, [Node("link_code_companion_reg", {"stage": "primary_hello"}, steps)])


def _code_cipher(code: str, salt: bytes, nonce: bytes, data: bytes) -> bytes:
    key = PBKDF2HMAC(SHA256(), 32, salt, _CODE_ROUNDS).derive(code.upper().encode())
    encryptor = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return encryptor.update(data) + encryptor.finalize()
