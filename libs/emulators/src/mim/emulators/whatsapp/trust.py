"""Make one process trust the emulator: `python -m mim.emulators.whatsapp.trust ROOT_PUB MODULE [ARGS…]`.

Real servers prove themselves by a chain that ends in a key built into the client library. In this process's memory
only, that key is replaced by the emulator's, then MODULE runs as if `python -m MODULE ARGS…` had been called. Nothing
on disk changes, and nothing that ships imports this: a process trusts an emulator only if it was started this way.
"""

from __future__ import annotations

import ctypes
import runpy
import sys
from pathlib import Path

from mim.emulators.whatsapp.library import UnsupportedLibraryError, installed, library_path

# `WACertPubKey` of whatsmeow's handshake.go.
_BUILT_IN = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


def trust(root_key: bytes) -> None:
    """Replace the built-in root key by `root_key` (32 bytes) in this process.

    Raises: UnsupportedLibraryError if the key is not found exactly once.
    """
    ctypes.CDLL(str(library_path()))  # the client's Python package finds it loaded already
    elf = installed()
    at = elf.data.find(_BUILT_IN)
    if at < 0 or elf.data.find(_BUILT_IN, at + 1) >= 0:
        raise UnsupportedLibraryError("no single root key in this version of neonize: install the version pinned")
    address = _load_base() + elf.address(at)
    if ctypes.string_at(address, len(_BUILT_IN)) != _BUILT_IN:
        raise UnsupportedLibraryError("the root key is not where the library file says: is it loaded twice?")
    ctypes.memmove(address, root_key, len(_BUILT_IN))
    installed.cache_clear()  # 19 MB that the process has no further use for


def _load_base() -> int:
    path = str(library_path().resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if fields[-1] == path and fields[2] == "00000000":
            return int(fields[0].split("-")[0], 16)
    raise UnsupportedLibraryError("neonize did not load its library")


if __name__ == "__main__":
    root_pub, module, *arguments = sys.argv[1:]
    trust(Path(root_pub).read_bytes())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
