"""Bytes of messages to objects and back, where Telethon's own reader would trust the sender too much. No I/O."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader

_CONTAINER, _GZIP, _VECTOR = 0x73F1F8DC, 0x3072CFA1, 0x1CB5C415
_RPC_RESULT, _TRUE, _FALSE = 0xF35C6D01, 0x997275B5, 0xBC799737
_ITEM = struct.Struct("<qii")
MAX_ITEMS = 1020
MAX_INFLATED_BYTES = 1 << 22


class MalformedError(Exception):
    """The bytes are no message."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a container."""

    msg_id: int
    seq_no: int
    body: bytes


def is_container(body: bytes) -> bool:
    """Whether a message's body is a container."""
    return _constructor(body) == _CONTAINER


def items(body: bytes) -> list[Item]:
    """The messages in a container. Raises: MalformedError."""
    if len(body) < 8:
        raise MalformedError("a container without a count")
    count, position, found = struct.unpack_from("<i", body, 4)[0], 8, []
    if not 0 <= count <= MAX_ITEMS:
        raise MalformedError(f"a container of {count} messages")
    for _ in range(count):
        if position + _ITEM.size > len(body):
            raise MalformedError("a container that ends within a message's head")
        msg_id, seq_no, length = _ITEM.unpack_from(body, position)
        position += _ITEM.size
        if not 4 <= length <= len(body) - position:
            raise MalformedError(f"a message of {length} bytes in a container")
        found.append(Item(msg_id, seq_no, body[position : position + length]))
        position += length
    return found


def read(body: bytes) -> Any:
    """The object in a message's body, gzipped or not. Raises: MalformedError."""
    if _constructor(body) == _GZIP:
        body = _inflate(body)
    try:
        return BinaryReader(body).tgread_object()
    except TypeNotFoundError as error:
        raise MalformedError(f"no object of this layer: {error.invalid_constructor_id:08x}") from None
    except (BufferError, RuntimeError, ValueError, TypeError, IndexError, struct.error, OverflowError):
        raise MalformedError("an object that ends too early or has a wrong part") from None


def write(value: Any) -> bytes:
    """An object, bool or vector of objects as bytes."""
    if isinstance(value, bool):
        return struct.pack("<I", _TRUE if value else _FALSE)
    if isinstance(value, list):
        return struct.pack("<Ii", _VECTOR, len(value)) + b"".join(write(item) for item in value)
    return bytes(value)


def rpc_result(msg_id: int, result: bytes) -> bytes:
    """The answer to the request with this identifier."""
    return struct.pack("<Iq", _RPC_RESULT, msg_id) + result


def _constructor(body: bytes) -> int:
    return int.from_bytes(body[:4], "little")


def _inflate(body: bytes) -> bytes:
    try:
        inflate = zlib.decompressobj(wbits=31)
        inflated = inflate.decompress(BinaryReader(body[4:]).tgread_bytes(), MAX_INFLATED_BYTES)
    except (zlib.error, BufferError, struct.error):
        raise MalformedError("something gzipped that is not") from None
    if not inflate.eof:
        raise MalformedError(f"something gzipped of more than {MAX_INFLATED_BYTES} bytes, or cut off")
    return inflated
