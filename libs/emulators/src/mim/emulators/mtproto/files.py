"""Files on the server: parts that come in, whole files that go out in chunks. No I/O.

Source: https://core.telegram.org/api/files.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.people import RpcError

MAX_PART_BYTES = 1 << 19
MAX_PARTS = 4_000
MAX_CHUNK_BYTES = 1 << 20
MAX_KEPT_BYTES = 1 << 29
"""All files and uploads together; the oldest go."""
_FINE, _COARSE = 1 << 10, 1 << 12

_MAGIC = (
    (b"\xff\xd8\xff", types.storage.FileJpeg),
    (b"\x89PNG", types.storage.FilePng),
    (b"GIF8", types.storage.FileGif),
    (b"%PDF", types.storage.FilePdf),
)


@dataclass(eq=False)
class Upload:
    """Parts of a file by number. `announced` is how many a big file has."""

    parts: dict[int, bytes] = field(default_factory=dict)
    announced: int | None = None


@dataclass(frozen=True)
class Stored:
    """A whole file and what clients must show to get it."""

    id: int
    access_hash: int
    reference: bytes
    name: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The digest of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def is_meant(self, identity: Any) -> bool:
        """Whether an input with id, hash and reference means this file. Raises: RpcError if the reference is old."""
        if identity.access_hash != self.access_hash:
            return False
        if identity.file_reference != self.reference:
            raise RpcError(400, "FILE_REFERENCE_EXPIRED")
        return True


class Files:
    """All files; `noise(n)` gives n random bytes."""

    def __init__(self, noise: Callable[[int], bytes]) -> None:
        self._noise = noise
        self._uploads: OrderedDict[tuple[int, int], Upload] = OrderedDict()
        self._stored: OrderedDict[int, Stored] = OrderedDict()
        self._kept_bytes = 0

    def save_part(self, owner: int, file_id: int, number: int, part: bytes, parts: int | None = None) -> None:
        """Keep a part; `parts` is the number of all, which a big file's come with. Raises: RpcError."""
        if not part:
            raise RpcError(400, "FILE_PART_EMPTY")
        if len(part) > MAX_PART_BYTES:
            raise RpcError(400, "FILE_PART_TOO_BIG")
        if not 0 <= number < (parts or MAX_PARTS) or (parts or 1) > MAX_PARTS:
            raise RpcError(400, "FILE_PART_INVALID")
        if len(part) % _FINE and number != (parts or number + 1) - 1:
            raise RpcError(400, "FILE_PART_SIZE_INVALID")
        upload = self._uploads.setdefault((owner, file_id), Upload())
        self._kept_bytes += len(part) - len(upload.parts.get(number, b""))
        upload.parts[number], upload.announced = part, parts
        self._make_room()

    def assemble(self, owner: int, file: Any) -> bytes:
        """The file whose parts were sent. Raises: RpcError."""
        upload = self._uploads.get((owner, file.id))
        if upload is None or file.parts < 1:
            raise RpcError(400, "FILE_PARTS_INVALID")
        missing = next((number for number in range(file.parts) if number not in upload.parts), None)
        if missing is not None:
            raise RpcError(400, f"FILE_PART_{missing}_MISSING")
        if upload.announced not in (None, file.parts):
            raise RpcError(400, "FILE_PARTS_INVALID")
        content = b"".join(upload.parts[number] for number in range(file.parts))
        checksum = getattr(file, "md5_checksum", "")
        if checksum and hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum.lower():
            raise RpcError(400, "MD5_CHECKSUM_INVALID")
        self._forget_upload((owner, file.id))
        return content

    def store(self, name: str, content: bytes) -> Stored:
        """Keep a whole file."""
        identity, access_hash = (int.from_bytes(self._noise(8), "little", signed=True) for _ in range(2))
        stored = Stored(identity, access_hash, self._noise(25), name, content)
        self._stored[identity] = stored
        self._kept_bytes += len(content)
        self._make_room()
        return stored

    def get(self, identity: int) -> Stored | None:
        """The file with this id."""
        return self._stored.get(identity)

    def chunk(self, location: Any, offset: int, limit: int, *, precise: bool) -> tuple[Stored, bytes]:
        """A part of a file, by an `InputFileLocation`. Raises: RpcError."""
        step = _FINE if precise else _COARSE
        if offset < 0 or offset % step:
            raise RpcError(400, "OFFSET_INVALID")
        same_chunk = offset // MAX_CHUNK_BYTES == (offset + limit - 1) // MAX_CHUNK_BYTES
        if not 0 < limit <= MAX_CHUNK_BYTES or limit % step or not same_chunk:
            raise RpcError(400, "LIMIT_INVALID")
        if not isinstance(location, types.InputDocumentFileLocation | types.InputPhotoFileLocation):
            raise RpcError(400, "LOCATION_INVALID")
        stored = self._stored.get(location.id)
        if stored is None or not stored.is_meant(location):
            raise RpcError(400, "FILE_ID_INVALID")
        return stored, stored.content[offset : offset + limit]

    def _forget_upload(self, key: tuple[int, int]) -> None:
        self._kept_bytes -= sum(map(len, self._uploads.pop(key).parts.values()))

    def _make_room(self) -> None:
        while self._kept_bytes > MAX_KEPT_BYTES and len(self._stored) + len(self._uploads) > 1:
            if self._stored:
                self._kept_bytes -= len(self._stored.popitem(last=False)[1].content)
            else:
                self._forget_upload(next(iter(self._uploads)))


def kind_of(content: bytes) -> Any:
    """What a file is by its first bytes, as `upload.getFile` tells."""
    return next((kind() for magic, kind in _MAGIC if content.startswith(magic)), types.storage.FileUnknown())


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF or JPEG; None if it is none."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content.startswith((b"GIF87a", b"GIF89a")) and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    return _jpeg_size(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """The size in the frame header, `SOF0` to `SOF15` without the three markers between them that are none."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = content[position + 5 : position + 7], content[position + 7 : position + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        position += 2 + max(length, 2)
    return None
