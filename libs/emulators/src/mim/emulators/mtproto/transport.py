"""TCP transports of MTProto: how packets follow each other in a stream.

The client chooses by its first bytes: `ef` is abridged, `eeeeeeee` intermediate, anything else the length of the first
packet of full (https://core.telegram.org/mtproto/mtproto-transports). Obfuscated transports are not spoken.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Protocol

MAX_PACKET_BYTES = 1 << 21
"""A part of a file is 512 KiB at most, a message container 1 MiB."""

AUTH_KEY_NOT_FOUND = -404
"""The transport error for a key that the server does not know, and for what cannot be decrypted by it."""


class TransportError(Exception):
    """The client broke the transport's rules; the connection cannot go on."""


class Transport(Protocol):
    """One direction-independent packet format with its counters."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """The next packet's payload. Raises: TransportError, asyncio.IncompleteReadError at the stream's end."""
        ...

    def encode(self, payload: bytes) -> bytes:
        """A packet around the payload, whose size is a multiple of four."""
        ...


class Full:
    """Length, sequence number, payload and CRC-32."""

    def __init__(self, first: bytes = b"") -> None:
        self._first = first
        self._received = 0
        self._sent = 0

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """See `Transport`."""
        first, self._first = self._first, b""
        head = first + await reader.readexactly(8 - len(first))
        length, number = struct.unpack("<ii", head)
        payload_bytes = _checked(length - 12, "full")
        if number != self._received:
            raise TransportError(f"packet {number} came where {self._received} was due")
        body = await reader.readexactly(payload_bytes + 4)
        if zlib.crc32(head + body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            raise TransportError(f"packet {number} has a wrong checksum")
        self._received += 1
        return body[:-4]

    def encode(self, payload: bytes) -> bytes:
        """See `Transport`."""
        packet = struct.pack("<ii", len(payload) + 12, self._sent) + payload
        self._sent += 1
        return packet + struct.pack("<I", zlib.crc32(packet))


class Abridged:
    """One or four bytes of length in words, then the payload."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """See `Transport`."""
        words = (await reader.readexactly(1))[0]
        if words == 0x7F:
            words = int.from_bytes(await reader.readexactly(3), "little")
        return await reader.readexactly(_checked(words * 4, "abridged"))

    def encode(self, payload: bytes) -> bytes:
        """See `Transport`."""
        words = len(payload) // 4
        head = bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")
        return head + payload


class Intermediate:
    """Four bytes of length, then the payload."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """See `Transport`."""
        length = struct.unpack("<i", await reader.readexactly(4))[0]
        return await reader.readexactly(_checked(length, "intermediate"))

    def encode(self, payload: bytes) -> bytes:
        """See `Transport`."""
        return struct.pack("<i", len(payload)) + payload


async def choose(reader: asyncio.StreamReader) -> Transport:
    """The transport that the client's first bytes ask for. Raises: asyncio.IncompleteReadError."""
    first = await reader.readexactly(1)
    if first == b"\xef":
        return Abridged()
    first += await reader.readexactly(3)
    return Intermediate() if first == b"\xee" * 4 else Full(first)


def _checked(payload_bytes: int, name: str) -> int:
    if not 0 < payload_bytes <= MAX_PACKET_BYTES or payload_bytes % 4:
        raise TransportError(f"{payload_bytes} bytes are no payload of the {name} transport")
    return payload_bytes
