"""The token dictionary of the binary node format, read at run time from the installed client library.

WhatsApp replaces frequent words of its stanzas by one or two bytes. The tables are Go string slices in the client
library (`SingleByteTokens` and `DoubleByteTokens` of whatsmeow's binary/token package); a Go string is a pointer and
a length, a Go slice a pointer, a length and a capacity, 8 bytes each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mim.emulators.whatsapp.library import Elf, UnsupportedLibraryError, installed

_SINGLE_COUNT = 236
_DOUBLE_TABLES = 4
_STRING_SIZE = 16
_SLICE_SIZE = 24


class Tokens(NamedTuple):
    """Words by their one-byte number, and by table and number."""

    single: list[str]
    double: list[list[str]]


@cache
def tokens() -> Tokens:
    """The dictionary of the installed library.

    Raises: UnsupportedLibraryError if this version of the library keeps it in another way.
    """
    elf = installed()
    return Tokens(_single(elf), _double(elf))


def _single(elf: Elf) -> list[str]:
    for second in _strings_equal_to(elf, "xmlstreamstart"):
        try:
            words = _read(elf, second - _STRING_SIZE, _SINGLE_COUNT)
        except (LookupError, UnicodeDecodeError):
            continue
        if words[3] == "s.whatsapp.net":
            return words
    raise UnsupportedLibraryError("no token table in this version of neonize: install the version that is pinned")


def _double(elf: Elf) -> list[list[str]]:
    for first in _strings_equal_to(elf, "read-self"):
        for head in [at for at, target in elf.pointers.items() if target == first]:
            try:
                return [_slice(elf, head + index * _SLICE_SIZE) for index in range(_DOUBLE_TABLES)]
            except (LookupError, UnicodeDecodeError):
                continue
    raise UnsupportedLibraryError("no second token table in this version of neonize: install the version pinned")


def _slice(elf: Elf, at: int) -> list[str]:
    length, capacity = elf.number(at + 8), elf.number(at + 16)
    if length != capacity or not 200 < length <= 256:
        raise LookupError(f"no token table at {at:#x}")
    return _read(elf, elf.pointers[at], length)


def _read(elf: Elf, at: int, count: int) -> list[str]:
    return [_string(elf, at + index * _STRING_SIZE) for index in range(count)]


def _string(elf: Elf, at: int) -> str:
    length = elf.number(at + 8)
    if not length:
        return ""
    start = elf.offset(elf.pointers[at])
    return elf.data[start : start + length].decode()


def _strings_equal_to(elf: Elf, word: str) -> Iterator[int]:
    """Addresses of the Go strings that are `word`: pointers to its bytes with its length behind them."""
    wanted = word.encode()
    texts = set(_occurrences(elf, wanted))
    for at, target in elf.pointers.items():
        if target in texts and elf.number(at + 8) == len(wanted):
            yield at


def _occurrences(elf: Elf, wanted: bytes) -> Iterator[int]:
    at = elf.data.find(wanted)
    while at >= 0:
        with contextlib.suppress(LookupError):  # in a part of the file that is never loaded
            yield elf.address(at)
        at = elf.data.find(wanted, at + 1)
