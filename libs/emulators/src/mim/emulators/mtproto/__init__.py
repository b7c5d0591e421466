"""A Telegram server for user accounts on loopback, for tests and the sandbox: MTProto 2.0 over TCP.

The unmodified Telethon client logs in to it and works with it: key exchange, QR, phone code and two-factor logins,
messages, media and groups, updates and what was missed while away. It is built from the published protocol
(https://core.telegram.org/mtproto, https://core.telegram.org/api) on Telethon's own classes for serialising, so it
proves that client and emulator agree, not that Telegram's servers would.

In-process:

    async with serve() as telegram:
        trust(telegram.public_pem)
        client = TelegramClient(session_at(telegram.port), 1, "any", flood_sleep_threshold=0)
        ...  # qr = await client.qr_login(); waiting = asyncio.create_task(qr.wait())
        telegram.world.scan(qr.token, telegram.world.people.add(phone="+1 555 000 1111", name="Anna"))

As a process: `python -m mim.emulators.mtproto DIR`; see `__main__`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mim.emulators.mtproto.client import session_at, trust
    from mim.emulators.mtproto.faults import Fault
    from mim.emulators.mtproto.server import MTProtoEmulator, serve
    from mim.emulators.mtproto.world import World

__all__ = ["Fault", "MTProtoEmulator", "World", "serve", "session_at", "trust"]

_HOMES = {
    "Fault": "faults",
    "MTProtoEmulator": "server",
    "World": "world",
    "serve": "server",
    "session_at": "client",
    "trust": "client",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: a client process needs `trust` and nothing of the server."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"mim.emulators.mtproto.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
