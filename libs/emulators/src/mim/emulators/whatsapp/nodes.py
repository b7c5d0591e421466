"""Binary nodes: WhatsApp's XML-like stanzas and their wire format (whatsmeow's binary package).

The decoder understands everything a client sends, tokens included; the encoder writes every string in full, which the
format allows.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mim.emulators.whatsapp.tokens import tokens

_EMPTY = 0
_FIRST_DICTIONARY, _LAST_DICTIONARY = 236, 239
_DEVICE_JID, _LIST_8, _LIST_16, _JID = 247, 248, 249, 250
_HEX, _BINARY_8, _BINARY_20, _BINARY_32, _NIBBLES = 251, 252, 253, 254, 255
_COMPRESSED = 2
_DOMAINS = {"s.whatsapp.net": 0, "lid": 1, "hosted": 128, "hosted.lid": 129}
_DOMAIN_NAMES = {number: name for name, number in _DOMAINS.items()}
_ODD_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Jid:
    """An address: a phone number (`s.whatsapp.net`) or hidden id (`lid`), and one of its devices; 0 is the phone."""

    user: str
    server: str = "s.whatsapp.net"
    device: int = 0

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}" if self.user else self.server


SERVER = Jid("")
"""The messenger's own address, sender and receiver of queries."""

Value = str | Jid
Attributes = Mapping[str, Value | None]
"""Attributes by name; one that is None or empty is left out on the wire."""


def now() -> str:
    """The present time as stanzas carry it: whole seconds since 1970."""
    return str(int(time.time()))


class MalformedNodeError(ValueError):
    """A frame that is no binary node."""


@dataclass(slots=True)
class Node:
    """One stanza: a tag, attributes, and either children or data."""

    tag: str
    attributes: Attributes = field(default_factory=dict)
    content: list[Node] | bytes | str | Jid | None = None

    @property
    def children(self) -> list[Node]:
        """The child nodes; empty if the content is data."""
        return self.content if isinstance(self.content, list) else []

    @property
    def data(self) -> bytes:
        """The content as bytes; empty if it is children."""
        match self.content:
            case bytes():
                return self.content
            case str() | Jid():
                return str(self.content).encode()
            case _:
                return b""

    def find(self, *path: str) -> Node | None:
        """The first node along a path of tags, or None."""
        node: Node | None = self
        for tag in path:
            node = next((child for child in node.children if child.tag == tag), None) if node else None
        return node

    def child(self, *path: str) -> Node:
        """The first node along a path of tags. Raises: MalformedNodeError if there is none."""
        node = self.find(*path)
        if node is None:
            raise MalformedNodeError(f"<{self.tag}> has no {'/'.join(path)}")
        return node

    def text(self, name: str) -> str:
        """An attribute as text; empty if it is missing."""
        return str(self.attributes.get(name) or "")

    def jid(self, name: str) -> Jid:
        """An attribute that is an address. Raises: MalformedNodeError if it is not."""
        value = self.attributes.get(name)
        if not isinstance(value, Jid):
            raise MalformedNodeError(f"<{self.tag}> has no address {name}")
        return value


def decode(frame: bytes) -> Node:
    """Read one frame. Raises: MalformedNodeError."""
    try:
        body = zlib.decompress(frame[1:]) if frame[0] & _COMPRESSED else frame[1:]
        reader = _Reader(body)
        node = reader.node()
    except (IndexError, UnicodeDecodeError, KeyError, zlib.error) as error:
        raise MalformedNodeError(f"not a binary node: {error}") from None
    if not reader.at_end:
        raise MalformedNodeError("bytes left over after a binary node")
    return node


def encode(node: Node) -> bytes:
    """Write one frame, uncompressed."""
    return b"\0" + _node(node)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def _take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise MalformedNodeError("a binary node ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def _number(self, size: int = 1) -> int:
        return int.from_bytes(self._take(size), "big")

    def node(self) -> Node:
        size = self._list_size(self._number())
        tag = self._text()
        attributes: dict[str, Value | None] = {}
        for _ in range((size - 1) // 2):
            name = self._text()
            value = self._value()
            attributes[name] = value if isinstance(value, str | Jid) else None
        return Node(tag, attributes, self._value(raw=True) if size % 2 == 0 else None)

    def _text(self) -> str:
        value = self._value()
        if not isinstance(value, str):
            raise MalformedNodeError("a word was expected")
        return value

    def _list_size(self, mark: int) -> int:
        if mark == _EMPTY:
            return 0
        if mark in (_LIST_8, _LIST_16):
            return self._number(1 if mark == _LIST_8 else 2)
        raise MalformedNodeError(f"{mark} opens no list")

    def _value(self, *, raw: bool = False) -> list[Node] | bytes | str | Jid | None:
        mark = self._number()
        if mark == _EMPTY:
            return None
        if mark in (_LIST_8, _LIST_16):
            return [self.node() for _ in range(self._list_size(mark))]
        if mark in (_BINARY_8, _BINARY_20, _BINARY_32):
            data = self._take(self._binary_size(mark))
            return data if raw else data.decode()
        if _FIRST_DICTIONARY <= mark <= _LAST_DICTIONARY:
            return tokens().double[mark - _FIRST_DICTIONARY][self._number()]
        if mark in (_NIBBLES, _HEX):
            return self._packed("0123456789-.\0\0\0\0" if mark == _NIBBLES else "0123456789ABCDEF")
        if mark == _JID:
            user = self._value()
            return Jid(str(user or ""), self._text())
        if mark == _DEVICE_JID:
            domain, device = self._number(), self._number()
            return Jid(self._text(), _DOMAIN_NAMES[domain], device)
        return tokens().single[mark]

    def _binary_size(self, mark: int) -> int:
        if mark == _BINARY_8:
            return self._number()
        return self._number(3) & 0xFFFFF if mark == _BINARY_20 else self._number(4)

    def _packed(self, alphabet: str) -> str:
        head = self._number()
        text = "".join(alphabet[byte >> 4] + alphabet[byte & 15] for byte in self._take(head & 127))
        return text[:-1] if head & _ODD_LENGTH else text


def _node(node: Node) -> bytes:
    attributes = {name: value for name, value in node.attributes.items() if value not in (None, "")}
    parts = [_list(1 + 2 * len(attributes) + (node.content is not None)), _data(node.tag.encode())]
    for name, value in attributes.items():
        parts += [_data(name.encode()), _value(value)]
    if node.content is not None:
        parts.append(_value(node.content))
    return b"".join(parts)


def _value(value: list[Node] | bytes | str | Jid | None) -> bytes:
    match value:
        case None:
            return bytes([_EMPTY])
        case Jid(user, server, device) if device or server in ("hosted", "hosted.lid"):
            return bytes([_DEVICE_JID, _DOMAINS[server], device]) + _data(user.encode())
        case Jid(user, server):
            return bytes([_JID]) + (_data(user.encode()) if user else bytes([_EMPTY])) + _data(server.encode())
        case bytes():
            return _data(value)
        case str():
            return _data(value.encode())
        case list():
            return _list(len(value)) + b"".join(map(_node, value))


def _data(data: bytes) -> bytes:
    size = len(data)
    if size < 1 << 8:
        return bytes([_BINARY_8, size]) + data
    if size < 1 << 20:
        return bytes([_BINARY_20]) + size.to_bytes(3, "big") + data
    return bytes([_BINARY_32]) + size.to_bytes(4, "big") + data


def _list(size: int) -> bytes:
    if size == 0:
        return bytes([_EMPTY])
    return bytes([_LIST_8, size]) if size < 1 << 8 else bytes([_LIST_16]) + size.to_bytes(2, "big")
