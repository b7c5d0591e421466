"""The installed client library as a file: where it is, and how to read its data, without loading it.

The emulator needs two things out of it that nobody should copy into a repository: the token dictionary of the binary
node format and the address of the built-in root key. Only 64-bit ELF files are understood, which is what the library
is on Linux.
"""

from __future__ import annotations

import importlib.util
import platform
import struct
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_RELATIVE = {62: 8, 183: 1027}  # e_machine -> R_X86_64_RELATIVE, R_AARCH64_RELATIVE (the processors' ELF supplements)
_ALLOCATED = 2  # SHF_ALLOC
_NO_BITS = 8  # SHT_NOBITS


class UnsupportedLibraryError(RuntimeError):
    """The client library is missing, or it is not one that the emulator can read."""


def package_folder() -> Path:
    """Where the client library's package lies; found without importing it, for importing it loads the Go code."""
    spec = importlib.util.find_spec("neonize")
    if spec is None or spec.origin is None:
        raise UnsupportedLibraryError("the WhatsApp client library is missing: install neonize")
    return Path(spec.origin).parent


def library_path() -> Path:
    """The shared library for this machine.

    Raises: UnsupportedLibraryError on anything but Linux on x86-64 or arm64.
    """
    system, machine = platform.system(), platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine)
    if system != "Linux" or architecture is None:
        raise UnsupportedLibraryError(
            f"the WhatsApp sandbox runs on Linux on x86-64 or arm64, and this is {system} on {machine}: "
            "run it in the container image"
        )
    path = package_folder() / f"neonize-linux-{architecture}.so"
    if not path.is_file():
        raise UnsupportedLibraryError(f"{path} is missing: reinstall neonize for this processor")
    return path


class _Section(NamedTuple):
    name_at: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int

    @property
    def is_loaded(self) -> bool:
        return bool(self.flags & _ALLOCATED) and self.kind != _NO_BITS


class Elf:
    """One 64-bit ELF file: translates between file offsets and addresses, and knows its relative relocations."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise UnsupportedLibraryError(f"{path} is not a 64-bit little-endian ELF file: reinstall neonize")
        (self._machine,) = struct.unpack_from("<H", self.data, 0x12)
        (table,) = struct.unpack_from("<Q", self.data, 0x28)
        entry_size, count, names = struct.unpack_from("<HHH", self.data, 0x3A)
        headers = [
            _Section(*struct.unpack_from("<IIQQQQ", self.data, table + index * entry_size)) for index in range(count)
        ]
        self._sections = {self._text(headers[names].offset + header.name_at): header for header in headers}

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(b"\0", at)].decode()

    def offset(self, address: int) -> int:
        """Where in the file the byte at `address` lies. Raises: LookupError if it is not in the file."""
        for section in self._sections.values():
            if section.is_loaded and section.address <= address < section.address + section.size:
                return section.offset + address - section.address
        raise LookupError(f"{address:#x} is in no section")

    def address(self, offset: int) -> int:
        """Where the byte at file `offset` is loaded, relative to the load base. Raises: LookupError if nowhere."""
        for section in self._sections.values():
            if section.is_loaded and section.offset <= offset < section.offset + section.size:
                return section.address + offset - section.offset
        raise LookupError(f"offset {offset:#x} is in no section")

    def number(self, address: int) -> int:
        """The 64-bit number at `address`."""
        value: int
        (value,) = struct.unpack_from("<Q", self.data, self.offset(address))
        return value

    @cached_property
    def pointers(self) -> Mapping[int, int]:
        """Every pointer that the loader fills in: its own address and the address it points to."""
        section = self._sections[".rela.dyn"]
        relative = _RELATIVE.get(self._machine)
        raw = self.data[section.offset : section.offset + section.size]
        return {at: target for at, info, target in struct.iter_unpack("<QQq", raw) if info == relative}


@cache
def installed() -> Elf:
    """The client library of this machine, read once (19 MB, 0.1 s)."""
    return Elf(library_path())
