"""Secrets at rest: AES-256-GCM, bound to the tenant and the instance.

The owner's `user_id`, the instance id and the secret's name are the associated data: a ciphertext that was moved to
another place does not open. A sealed text is `v2.<key id>.<base64>`, and the id tells nothing of its key.

There are one or two keys: the current one seals, both open, so that a key is replaced while everything runs. They lie
in `<data_dir>/secret.key` (mode 0600), the current one in the first line and the previous one in the second, or in
`MIM_SECRET_KEY` and `MIM_SECRET_KEY_PREVIOUS`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mim.runtime.settings import Settings

log = structlog.get_logger()

KEY_BYTES = 32
API_KEY = "api_key"
LOGIN = "login"
"""Under which name the login of an account that needs no token is sealed: what resumes it."""
"""Under which name an instance's API key is sealed."""
_NONCE_BYTES = 12
_ID_DIGITS = 8
_OLDEST = "v1."  # what was sealed before keys had ids
_VERSION = "v2."


def login_secret(field: str) -> str:
    """Under which name an answer to a login step is sealed on its way to the worker."""
    return f"{LOGIN}_{field}"


def random_api_key() -> str:
    """A new API key: 256 random bits."""
    return "mim_" + token_urlsafe(KEY_BYTES)


class SecretsUnreadable(Exception):
    """A sealed secret does not open: wrong key, wrong place, or damaged."""


class KeyFile:
    """The file with the keys: appears complete or not at all, and may be replaced while services run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = None

    def make(self) -> None:
        """Make the file with one new key; an existing one wins. Raises: OSError."""
        if self.path.exists():
            return
        part = _write_private(self.path, os.urandom(KEY_BYTES).hex())
        try:
            os.link(part, self.path)
        except FileExistsError:
            pass
        finally:
            part.unlink()

    def changed(self) -> bool:
        """Whether the file is another one than at the last look; one that is gone is no other."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        before, self._seen = self._seen, stamp
        return stamp != before

    def read(self) -> tuple[bytes, ...]:
        """The keys, the current one first. Raises: ValueError if it is none, OSError."""
        lines = self.path.read_text(errors="replace").split()
        if not 1 <= len(lines) <= 2:
            raise ValueError(f"{self.path} must hold one key or two, each in a line of its own; restore it")
        return tuple(parse_key(line, str(self.path)) for line in lines)

    def replace(self, keys: tuple[bytes, ...]) -> None:
        """Put other keys into the file, all at once. Raises: OSError, and then nothing has changed."""
        part = _write_private(self.path, "\n".join(key.hex() for key in keys) + "\n")
        part.replace(self.path)
        _flush_folder(self.path.parent)


def parse_key(text: str, where: str) -> bytes:
    """A key from its hex digits. Raises: ValueError that names `where` it stands, never the text."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{where} does not hold a key: one has {2 * KEY_BYTES} hex digits")
    return key


class _Key:
    """One key, ready for use."""

    __slots__ = ("aes", "id", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"the secret key must have {KEY_BYTES} bytes ({2 * KEY_BYTES} hex digits)")
        self.raw = raw
        self.aes = AESGCM(raw)
        self.id = self.derived("key id")[:_ID_DIGITS]

    def derived(self, purpose: str) -> str:
        return HKDF(SHA256(), KEY_BYTES, None, purpose.encode()).derive(self.raw).hex()


class Vault:
    """Seals with its current key, the first, and opens with all. Its repr shows nothing.

    With a `file`, keys that are put there count at once: it is looked at (2 µs) before sealing, and when a text names a
    key that is not known.
    """

    def __init__(self, *keys: bytes, file: KeyFile | None = None, random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = tuple(_Key(key) for key in keys)
        self._file = file
        self._random = random
        self._look()
        if not self._keys:
            raise ValueError("a vault needs a key")

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys that are known now, the current one first."""
        self._look()
        return tuple(key.id for key in self._keys)

    def seal(self, plain: str, *place: str) -> str:
        """Encrypt `plain` for one place, such as (user_id, instance_id, name)."""
        self._look()
        key = self._keys[0]
        nonce = self._random(_NONCE_BYTES)
        sealed = base64.b64encode(nonce + key.aes.encrypt(nonce, plain.encode(), _bind(place))).decode()
        return f"{_VERSION}{key.id}.{sealed}"

    def open(self, sealed: str, *place: str) -> str:
        """Decrypt what was sealed for the same place.

        Raises: SecretsUnreadable if key or place differ, or it is damaged.
        """
        keys = self._fitting(sealed)
        try:
            raw = base64.b64decode(sealed.rpartition(".")[2], validate=True)
        except ValueError:
            keys = ()
        for key in keys:
            try:
                return key.aes.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bind(place)).decode()
            except (InvalidTag, ValueError):
                continue
        raise SecretsUnreadable(
            "a stored secret does not open; was MIM_SECRET_KEY or the file secret.key changed or lost?"
        )

    def is_current(self, sealed: str) -> bool:
        """Whether a sealed text names the current key."""
        return key_of(sealed) == self.key_ids[0]

    def derived(self, purpose: str, key_id: str | None = None) -> str:
        """A key for another purpose as 64 hex digits, from which this one cannot be found; by default of the current
        key. Raises: LookupError if the vault does not have the key."""
        for key in self._keys:
            if key_id in (None, key.id):
                return key.derived(purpose)
        raise LookupError(f"there is no key {key_id}")

    def _fitting(self, sealed: str) -> tuple[_Key, ...]:
        wanted = key_of(sealed)
        if wanted is None:
            return self._keys if sealed.startswith(_OLDEST) and sealed.count(".") == 1 else ()
        if wanted not in {key.id for key in self._keys}:
            self._look()
        return tuple(key for key in self._keys if key.id == wanted)

    def _look(self) -> None:
        """Take over what the file holds since it changed. A file that cannot be read changes nothing."""
        if self._file is None or not self._file.changed():
            return
        try:
            self._keys = tuple(_Key(key) for key in self._file.read())
        except (OSError, ValueError) as error:
            if not self._keys:
                raise
            log.warning("key_file_unreadable", reason=str(error), action="the keys known so far stay in use")


def key_of(sealed: str) -> str | None:
    """The id of the key that a sealed text names; None if it names none."""
    version, _, rest = sealed.partition(".")
    key_id, dot, _ = rest.partition(".")
    return key_id if dot and f"{version}." == _VERSION else None


def _bind(place: tuple[str, ...]) -> bytes:
    return b"\0".join(part.encode() for part in place)


def load_vault(settings: Settings) -> Vault:
    """The vault of this installation; makes the key file on first use.

    Raises: ValueError if a key has the wrong form, OSError if the file cannot be made or read.
    """
    given = {"MIM_SECRET_KEY": settings.secret_key, "MIM_SECRET_KEY_PREVIOUS": settings.secret_key_previous}
    if settings.secret_key is not None:
        return Vault(*(parse_key(key.get_secret_value(), name) for name, key in given.items() if key is not None))
    if settings.secret_key_previous is not None:
        raise ValueError("MIM_SECRET_KEY_PREVIOUS needs MIM_SECRET_KEY beside it")
    file = key_file(settings)
    file.make()
    return Vault(file=file)


def key_lines(settings: Settings) -> bytes:
    """What a key file must hold for another process to open and seal the same. Raises: ValueError, OSError."""
    given = [key.get_secret_value() for key in (settings.secret_key, settings.secret_key_previous) if key is not None]
    return "\n".join(given or [key.hex() for key in key_file(settings).read()]).encode()


def key_file(settings: Settings) -> KeyFile:
    """Where the keys lie if they are not in variables."""
    return KeyFile(settings.data_dir / "secret.key")


def _write_private(path: Path, text: str) -> Path:
    """Write a file of mode 0600 beside `path`, flushed to the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.unlink(missing_ok=True)  # of a process that was killed
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return part


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
