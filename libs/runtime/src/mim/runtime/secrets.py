"""Secrets at rest: AES-256-GCM, bound to the tenant and the instance.

The owner's `user_id`, the instance id and the secret's name are the associated data: a ciphertext that was moved to
another place does not open. The key lies in `<data_dir>/secret.key` (mode 0600) or in `MIM_SECRET_KEY`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mim.runtime.settings import Settings

KEY_BYTES = 32
API_KEY = "api_key"
"""Under which name an instance's API key is sealed."""
_NONCE_BYTES = 12
_VERSION = "v1."


def random_api_key() -> str:
    """A new API key: 256 random bits."""
    return "mim_" + token_urlsafe(KEY_BYTES)


class SecretsUnreadable(Exception):
    """A sealed secret does not open: wrong key, wrong place, or damaged."""


class Vault:
    """Seals and opens secrets with one key. Its repr shows nothing."""

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the secret key must have {KEY_BYTES} bytes ({2 * KEY_BYTES} hex digits)")
        self._key = key
        self._aes = AESGCM(key)
        self._random = random

    def seal(self, plain: str, *place: str) -> str:
        """Encrypt `plain` for one place, such as (user_id, instance_id, name)."""
        nonce = self._random(_NONCE_BYTES)
        return _VERSION + base64.b64encode(nonce + self._aes.encrypt(nonce, plain.encode(), _bind(place))).decode()

    def open(self, sealed: str, *place: str) -> str:
        """Decrypt what was sealed for the same place.

        Raises: SecretsUnreadable if key or place differ, or it is damaged.
        """
        try:
            raw = base64.b64decode(sealed.removeprefix(_VERSION), validate=True)
            return self._aes.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bind(place)).decode()
        except (InvalidTag, ValueError):
            raise SecretsUnreadable(
                "a stored secret does not open; was MIM_SECRET_KEY or the file secret.key changed or lost?"
            ) from None

    def derived(self, purpose: str) -> str:
        """A key for another purpose as 64 hex digits, from which this one cannot be found."""
        return HKDF(SHA256(), KEY_BYTES, None, purpose.encode()).derive(self._key).hex()


def _bind(place: tuple[str, ...]) -> bytes:
    return b"\0".join(part.encode() for part in place)


def load_vault(settings: Settings) -> Vault:
    """The vault of this installation; makes the key file on first use.

    Raises: ValueError if the key has the wrong form, OSError if the file cannot be made or read.
    """
    if settings.secret_key is not None:
        return Vault(bytes.fromhex(settings.secret_key.get_secret_value()))
    path = settings.data_dir / "secret.key"
    if not path.exists():
        _create_private(path, os.urandom(KEY_BYTES).hex())
    return Vault(bytes.fromhex(path.read_text().strip()))


def _create_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that appears complete or not at all; an existing one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
