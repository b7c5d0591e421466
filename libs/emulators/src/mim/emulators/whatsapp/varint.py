"""The protobuf wire format, for Signal's two messages, whose generated classes the client library does not bring.

Numbers are varints, bytes are length-delimited (https://protobuf.dev/programming-guides/encoding/); nothing else is
used there.
"""

from __future__ import annotations

from collections.abc import Mapping

_MORE = 0x80
_NUMBER, _BYTES = 0, 2


def write_fields(fields: Mapping[int, int | bytes | None]) -> bytes:
    """Fields by number, in ascending order; None is left out."""
    parts: list[bytes] = []
    for number, value in sorted(fields.items()):
        if isinstance(value, int):
            parts += [_write(number << 3 | _NUMBER), _write(value)]
        elif value is not None:
            parts += [_write(number << 3 | _BYTES), _write(len(value)), value]
    return b"".join(parts)


def read_fields(data: bytes) -> dict[int, int | bytes]:
    """Fields by number. Raises: ValueError if the bytes are no such message."""
    fields: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _read(data, at)
        number, kind = tag >> 3, tag & 7
        value, at = _read(data, at)
        if kind == _NUMBER:
            fields[number] = value
        elif kind == _BYTES and at + value <= len(data):
            fields[number], at = data[at : at + value], at + value
        else:
            raise ValueError(f"field {number} cannot be read")
    return fields


def _write(value: int) -> bytes:
    out = bytearray()
    while value >= _MORE:
        out.append(value & 0x7F | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < _MORE:
            return value, at
    raise ValueError("a number is cut off")
