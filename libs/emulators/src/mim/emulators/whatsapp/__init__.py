"""A WhatsApp multi-device server on loopback, for tests and the sandbox.

It speaks the real wire protocol (TLS, websocket, Noise, binary nodes, Signal), so the unmodified client library goes
through its whole life offline: QR or pairing code, login, messages both ways, groups, receipts, resume, remote logout.
Phones and contacts are simulated and really encrypt and decrypt. The protocol is followed as the clients' sources have
it (https://github.com/tulir/whatsmeow): passing here means that client and emulator agree, not that WhatsApp's own
servers would accept it.

Example:

    async with serve(folder) as whatsapp:
        ...  # a client that dials through http://127.0.0.1:{whatsapp.ports.proxy} shows a QR code
        await whatsapp.pairing.scan(qr_text, "+1 555 000 1111")

From a shell: `python -m mim.emulators.whatsapp DIR`, then HTTP POSTs to the control port in `DIR/ports.json`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mim.emulators.whatsapp.server import WhatsAppEmulator, serve

__all__ = ["WhatsAppEmulator", "serve"]


def __getattr__(name: str) -> object:
    """Import the server when it is asked for: `trust` runs in client processes, which must stay small."""
    if name in __all__:
        return getattr(importlib.import_module("mim.emulators.whatsapp.server"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
