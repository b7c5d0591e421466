"""The file with a login's keys, which the library reads in the clear while it runs."""

from __future__ import annotations

from pathlib import Path

DATABASE = "session.sqlite3"


def provide(folder: Path) -> Path:
    """The file, for its owner's eyes only before the library first opens it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    database = folder / DATABASE
    database.touch(mode=0o600)
    database.chmod(0o600)
    return database


def remove(database: Path) -> None:
    """Forget a login that is worth nothing any more."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
