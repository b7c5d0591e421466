"""Which message a session tries to send, in a file: this outlives a process that is killed.

The count of deliveries, by which the outbox knows the same, does not always: nats-server 2.15.1 writes it some 100 ms
later, and not at all while the disk is full.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from mim.contracts.errors import ErrorCode, NotReady

NOTHING = b"-" * 64


class Tried:
    """The note of one instance, in the folder of its session. Each call is one small write or read of a cached page."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tried"

    def note(self, message_id: str) -> None:
        """From here on the message may have been sent. Raises: NotReady (STORAGE_FULL) if that cannot be noted."""
        try:
            self._write(os.O_CREAT, _mark(message_id))
        except OSError as error:
            text = f"what is sent cannot be noted ({error.strerror}); see to the data folder"
            raise NotReady(ErrorCode.STORAGE_FULL, text) from None

    def settle(self) -> None:
        """The messenger did not take it, or its outcome is stored."""
        with suppress(OSError):
            self._write(0, NOTHING)

    def holds(self, message_id: str) -> bool:
        """Whether this message may have been sent, by this process or an earlier one, and nobody has told so."""
        try:
            with self._file(os.O_RDONLY) as file:
                return os.pread(file, len(NOTHING) + 1, 0) == _mark(message_id)
        except OSError:
            return False

    def _write(self, flag: int, mark: bytes) -> None:
        # In place, and always of one length: a full disk has room for that.
        with self._file(os.O_WRONLY | flag) as file:
            os.pwrite(file, mark, 0)

    @contextmanager
    def _file(self, flags: int) -> Iterator[int]:
        # Not Python's files, which cost each message 40 µs.
        file = os.open(self._path, flags, 0o600)
        try:
            yield file
        finally:
            os.close(file)


def _mark(message_id: str) -> bytes:
    return sha256(message_id.encode()).hexdigest().encode()
