"""Make one process trust the emulator: `python -m mim.emulators.whatsapp.trust ROOT_PUB MODULE [ARGS…]`.

Real servers prove themselves by a chain that ends in a key built into the client library. In this process's memory
only, that key is replaced by the emulator's, then MODULE runs as if `python -m MODULE ARGS…` had been called. Nothing
on disk changes, and nothing that ships imports this: a process trusts an emulator only if it was started this way.
"""

from __future__ import annotations

import ctypes
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from mim.emulators.whatsapp.library import UnsupportedLibraryError, library_path

# `WACertPubKey` of whatsmeow's handshake.go.
_BUILT_IN = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


def trust(root_key: bytes) -> None:
    """Replace the built-in root key by `root_key` (32 bytes) in this process.

    Raises: UnsupportedLibraryError if the key is not found exactly once.
    """
    libc = ctypes.CDLL(None)
    libc.memmem.restype = ctypes.c_void_p
    ctypes.CDLL(str(library_path()))  # the client's Python package finds it loaded already
    found = [address for first, last in _mappings() for address in _occurrences(libc, first, last)]
    if len(found) != 1:
        raise UnsupportedLibraryError("no single root key in this version of neonize: install the version pinned")
    ctypes.memmove(found[0], root_key, len(_BUILT_IN))


def _mappings() -> Iterator[tuple[int, int]]:
    """From where to where the library's variables lie in memory, see proc(5)."""
    path = str(library_path().resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, *_, file = line.split(maxsplit=5)
        if file == path and rights.startswith("rw"):
            first, last = addresses.split("-")
            yield int(first, 16), int(last, 16)


def _occurrences(libc: ctypes.CDLL, first: int, last: int) -> Iterator[int]:
    wanted = ctypes.c_size_t(len(_BUILT_IN))
    while at := libc.memmem(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _BUILT_IN, wanted):
        yield at
        first = at + 1


if __name__ == "__main__":
    root_pub, module, *arguments = sys.argv[1:]
    trust(Path(root_pub).read_bytes())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
