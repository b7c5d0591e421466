"""The host for files of messages, and what a phone does to read one.

A client asks where to upload to, encrypts the file with a key of its own and posts it there; the message carries the
key, the hashes and the path (whatsmeow's mediaconn.go, upload.go and download.go). The host cannot read what it keeps.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from mim.emulators.whatsapp.curve import derive
from mim.emulators.whatsapp.nodes import Attributes, Node

HOST = "mmg.whatsapp.net"

# Field of `Message`: kind, and what its key is derived for (whatsmeow's download.go, `MediaType`).
_PARTS = {
    "imageMessage": ("image", b"WhatsApp Image Keys"),
    "documentMessage": ("document", b"WhatsApp Document Keys"),
    "audioMessage": ("audio", b"WhatsApp Audio Keys"),
    "videoMessage": ("video", b"WhatsApp Video Keys"),
    "stickerMessage": ("sticker", b"WhatsApp Image Keys"),
}
_AUTH = "sandbox-"
_TTL_S = 300
_SEAL_BYTES = 10
_LARGEST_UPLOAD = 256 << 20
_BLOCK = 1 << 18

Json = dict[str, Any]


class MediaError(Exception):
    """A file that a phone cannot show; the message says why."""


class MediaHost:
    """Keeps encrypted files in `folder`, by the hash of what was posted. `refuse` by phone number: the status that
    the uploads of an account are answered with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.refuse: dict[str, int] = {}

    def connection(self, number: str) -> Node:
        """Where the client of an account may upload to: the answer to its question `media_conn`."""
        # The permission names the account itself, so that one from before a restart is still good.
        head: Attributes = {"auth": _AUTH + number, "ttl": str(_TTL_S), "auth_ttl": str(_TTL_S), "max_buckets": "12"}
        return Node("media_conn", head, [Node("host", {"hostname": HOST})])

    async def take(self, request: web.Request) -> web.Response:
        """`POST /mms/{kind}/{token}`: an encrypted file, named by the base64 of its SHA-256."""
        auth, token = request.query.get("auth", ""), request.match_info["token"]
        if not auth.startswith(_AUTH) or request.query.get("token") != token:
            return web.Response(status=401)
        refused = self.refuse.get(auth.removeprefix(_AUTH))
        if refused is not None:
            return web.Response(status=refused)
        blob = bytearray()
        async for block in request.content.iter_chunked(_BLOCK):
            blob += block
            if len(blob) > _LARGEST_UPLOAD:
                return web.Response(status=413)
        digest = hashlib.sha256(blob)
        if base64.urlsafe_b64encode(digest.digest()).decode() != token:
            return web.Response(status=400)
        await asyncio.to_thread((self._folder / digest.hexdigest()).write_bytes, blob)
        path = f"/v/t62.0-0/{digest.hexdigest()}.enc?ccb=11-4&oh=sandbox"
        return web.json_response({"url": f"https://{HOST}{path}", "direct_path": path, "handle": token})

    async def give(self, request: web.Request) -> web.Response:
        """`GET /v/t62.0-0/{name}.enc`: what was posted, or was put there for a person."""
        found = re.fullmatch(r"([0-9a-f]{64})\.enc", request.match_info["name"])
        path = self._folder / found[1] if found else None
        if path is None or not path.is_file():
            return web.Response(status=404)
        return web.Response(body=await asyncio.to_thread(path.read_bytes))

    def put(
        self, message: Any, kind: str, content: bytes, content_type: str, name: str = "", caption: str = ""
    ) -> None:
        """Put a person's file into a message, encrypted as a phone does it, and keep it here. Raises: ValueError."""
        as_kind = "audio" if kind == "voice" else kind
        field = next((field for field, (known, _) in _PARTS.items() if known == as_kind), None)
        if field is None:
            raise ValueError(f"there is no kind {kind}: use voice, {', '.join(known for known, _ in _PARTS.values())}")
        part, key = getattr(message, field), os.urandom(32)
        start, cipher_key, seal_key = _keys(key, _PARTS[field][1])
        encryptor, padder = Cipher(algorithms.AES(cipher_key), modes.CBC(start)).encryptor(), PKCS7(128).padder()
        sealed = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
        blob = sealed + hmac.digest(seal_key, start + sealed, hashlib.sha256)[:_SEAL_BYTES]
        digest = hashlib.sha256(blob)
        (self._folder / digest.hexdigest()).write_bytes(blob)
        part.directPath = f"/v/t62.0-0/{digest.hexdigest()}.enc?ccb=11-4&oh=sandbox"
        part.URL, part.mediaKey, part.fileEncSHA256 = f"https://{HOST}{part.directPath}", key, digest.digest()
        part.fileSHA256, part.fileLength, part.mimetype = hashlib.sha256(content).digest(), len(content), content_type
        for attribute, value in (("fileName", name), ("caption", caption), ("PTT", kind == "voice")):
            if value and hasattr(part, attribute):
                setattr(part, attribute, value)

    def read(self, message: Any) -> tuple[Json, str] | None:
        """What a phone shows of a message with a file, and its caption; None for a message without one.

        Raises: MediaError if the file is not there or is not what the message says.
        """
        if message.HasField("documentWithCaptionMessage"):
            message = message.documentWithCaptionMessage.message
        field = next((field for field in _PARTS if message.HasField(field)), None)
        if field is None:
            return None
        kind, purpose = _PARTS[field]
        part = getattr(message, field)
        plain = _open(part, self._blob(part), purpose)
        described = {
            "kind": "voice" if getattr(part, "PTT", False) else kind,
            "file_name": getattr(part, "fileName", "") or None,
            "content_type": part.mimetype,
            "size_bytes": len(plain),
            "sha256": hashlib.sha256(plain).hexdigest(),
        }
        return described, getattr(part, "caption", "")

    def _blob(self, part: Any) -> bytes:
        found = re.fullmatch(r"/v/t62\.0-0/([0-9a-f]{64})\.enc\?.*", part.directPath)
        try:
            return (self._folder / found[1]).read_bytes() if found else b""
        except FileNotFoundError:
            return b""


def _open(part: Any, blob: bytes, purpose: bytes) -> bytes:
    """Check and decrypt a file. Raises: MediaError."""
    start, cipher_key, seal_key = _keys(part.mediaKey, purpose)
    sealed, seal = blob[:-_SEAL_BYTES], blob[-_SEAL_BYTES:]
    if hashlib.sha256(blob).digest() != part.fileEncSHA256:
        raise MediaError("the file was not uploaded, or is not the one that was")
    if not hmac.compare_digest(hmac.digest(seal_key, start + sealed, hashlib.sha256)[:_SEAL_BYTES], seal):
        raise MediaError("the file's seal is broken")
    decryptor, unpadder = Cipher(algorithms.AES(cipher_key), modes.CBC(start)).decryptor(), PKCS7(128).unpadder()
    try:
        plain = unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise MediaError("the file cannot be decrypted") from None
    if hashlib.sha256(plain).digest() != part.fileSHA256 or len(plain) != part.fileLength:
        raise MediaError("the file is not the one that was sent")
    return plain


def _keys(media_key: bytes, purpose: bytes) -> tuple[bytes, bytes, bytes]:
    """Start vector, key of the cipher and key of the seal of one file."""
    keys = derive(media_key, salt=None, length=112, info=purpose)
    return keys[:16], keys[16:48], keys[48:80]
