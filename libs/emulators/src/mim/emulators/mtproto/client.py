"""What a process does to talk to the emulator instead of Telegram. Imports nothing of the server.

    trust((folder / "server.pub").read_text())
    client = TelegramClient(session_at(port), 1, "any", flood_sleep_threshold=0)

`api_id` and `api_hash` may be anything. A session that was saved remembers the address, so one that is resumed needs
only `trust`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from telethon.crypto import AuthKey, rsa
from telethon.sessions import StringSession

DC = 2
"""The data centre that the emulator says it is."""


def trust(pem: str | bytes) -> None:
    """Let every Telethon client of this process accept the server with this RSA key (PEM: PKCS #1 or X.509).

    Raises: ValueError if it is no such key.
    """
    key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    rsa.add_key(key.public_bytes(Encoding.PEM, PublicFormat.PKCS1), old=False)


def session_at(port: int, saved: str | None = None) -> Any:
    """A Telethon session, new or `saved` before (`StringSession.save()`), at the emulator on this port of loopback."""
    session = StringSession(saved)
    session.set_dc(DC, "127.0.0.1", port)
    return session


def saved_session(port: int, key: bytes) -> str:
    """A session with an authorization key, as `StringSession.save()` gives it."""
    session = session_at(port)
    session.auth_key = AuthKey(key)
    return str(session.save())
