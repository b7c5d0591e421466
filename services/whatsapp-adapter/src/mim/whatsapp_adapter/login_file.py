"""The file with a login's keys, which the library reads in the clear while it runs, and the copy of it that is kept.

The copy lets the account go on at another worker without a new scan. While the library is connected, it changes how it
encrypts to each contact with every message. Somebody who went on from older states of that would repeat numbers that
the contacts have seen, and their phones drop such messages without a word. So a copy that is made meanwhile leaves
these conversations out: they begin anew, for which the messenger has keys. Only a session that has ended in order hands
over everything; whoever connects next first replaces that by a copy that will still be right if all is lost suddenly.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import zlib
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from mim.contracts.errors import MimError
from mim.runtime.session import MOST_LOGIN_BYTES, SessionContext

DATABASE = "session.sqlite3"
EPOCH = "session.epoch"
_SIDES = ("", "-wal", "-shm", "-journal")

_CONVERSATIONS = ("whatsmeow_sessions", "whatsmeow_retry_buffer")
# What is left out of a copy that is too large, in this order: what opens votes and edits of older messages, the
# conversations, and at last what WhatsApp tells again.
_LEAST_NEEDED = (
    ("whatsmeow_message_secrets", "whatsmeow_event_buffer"),
    _CONVERSATIONS,
    ("whatsmeow_app_state_mutation_macs", "whatsmeow_app_state_version", "whatsmeow_contacts", "whatsmeow_lid_map"),
)
_FIRST_S, _EVERY_S = 60.0, 900.0
_HAND_OVER_S = 2.0
_PIECE_BYTES = 4096
# One for all sessions: two copies at a time take 2 MB more, which malloc does not give back.
_KEEPING = ThreadPoolExecutor(1, "keep login")


class LoginFile:
    """The login of one session. Its folder's `session.epoch` says in which run the file was used last."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._folder = context.data_dir
        self.database = self._folder / DATABASE
        self._epoch = self._folder / EPOCH

    async def open(self) -> bool:
        """Make the file ready for the library: this folder's, or the kept one if a later run than the last here kept
        it. Returns whether an account is logged in. Raises: NotReady if yet another run has begun."""
        context, kept = self._context, self._context.secrets.get("login")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        if kept is not None and self._last_epoch() < context.login_epoch:
            await asyncio.to_thread(_restore, self.database, kept)
            context.log.info("login_taken_over", bytes=len(kept))
        for file in (self.database, self._epoch):
            file.touch(mode=0o600)
            file.chmod(0o600)
        self._epoch.write_text(str(context.epoch))
        return await self._keep(whole=False)

    async def keep(self) -> None:
        """Keep what resumes the login should everything here be lost. Raises: NotReady if another run has begun."""
        await self._keep(whole=False, executor=_KEEPING)

    async def keep_on(self) -> None:
        """`keep` now and then, for ever: other contacts and fresh keys come to it slowly."""
        wait_s = _FIRST_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = _EVERY_S
            try:
                await self.keep()
            except sqlite3.Error as error:
                self._context.log.warning("login_not_kept", why=str(error))

    async def hand_over(self) -> None:
        """Keep all of it, once the library has closed the file, for whoever is next. Gives up after 2 s."""
        try:
            async with asyncio.timeout(_HAND_OVER_S):
                await self._keep(whole=True)
        except (MimError, TimeoutError, sqlite3.Error) as error:
            why = str(error) or type(error).__name__
            self._context.log.warning("login_not_handed_over", why=why, action="an earlier copy is kept")

    def forget(self) -> None:
        """Remove a login that is worth nothing any more."""
        self._epoch.unlink(missing_ok=True)
        _remove(self.database)

    async def _keep(self, *, whole: bool, executor: Executor | None = None) -> bool:
        """Whether there is a login."""
        copying = partial(copied, self.database, whole=whole)
        try:
            copy = await asyncio.get_running_loop().run_in_executor(executor, copying)
        except ValueError as error:
            self._context.log.warning("login_not_kept", why=str(error))
            return True
        if copy is not None:
            await self._context.keep_login(copy)
        return copy is not None

    def _last_epoch(self) -> int:
        try:
            return int(self._epoch.read_text()) if self.database.exists() else 0
        except (FileNotFoundError, ValueError):
            return 0


def copied(database: Path, *, whole: bool, most_bytes: int = MOST_LOGIN_BYTES) -> str | None:
    """A consistent copy of a file that may be in use, as text; None if nobody is logged in. `whole`: with the
    conversations. Raises: ValueError if it is larger than `most_bytes` with the least that is needed."""
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(database)) as source:
            source.backup(copy)
        if not _rows(copy, "whatsmeow_device", "jid, lid"):
            return None
        if not whole:
            _leave_out(copy, _CONVERSATIONS)
        for least in (*_LEAST_NEEDED, None):
            copy.execute("VACUUM")
            data = zlib.compress(copy.serialize(), 1)
            size_bytes = -(-len(data) * 5 // 4)  # as text
            if size_bytes <= most_bytes:
                return as_text(data)
            if least is not None:
                _leave_out(copy, least)
    raise ValueError(f"the file is too large for a copy: {size_bytes} bytes")


def as_text(data: bytes) -> str:
    """Base85, a piece at a time: `base64` makes objects of every four bytes, 30 MB of them for the largest login."""
    return "".join(base64.b85encode(data[at : at + _PIECE_BYTES]).decode() for at in range(0, len(data), _PIECE_BYTES))


def as_bytes(text: str) -> bytes:
    """What `as_text` was given. Raises: ValueError if this is no base85."""
    step = _PIECE_BYTES // 4 * 5
    return b"".join(base64.b85decode(text[at : at + step]) for at in range(0, len(text), step))


def _leave_out(copy: sqlite3.Connection, tables: tuple[str, ...]) -> None:
    for table in tables:
        if _has(copy, table):
            copy.execute(f"DELETE FROM {table}")  # noqa: S608 - a name from above
    if tables is _CONVERSATIONS:
        for names in _rows(copy, "whatsmeow_device", "jid, lid"):
            for name in filter(None, names):
                # What the others encrypt with in groups goes on; what this account does must not be repeated.
                user, device = _signal_name(name)
                mine = (f"{user}:{device}", f"{user}_*:{device}")
                copy.execute("DELETE FROM whatsmeow_sender_keys WHERE sender_id GLOB ? OR sender_id GLOB ?", mine)
    copy.commit()


def _signal_name(address: str) -> tuple[str, str]:
    """`15550001111:7@lid` as the library names a sender: user and device."""
    user, _, device = address.partition("@")[0].partition(":")
    return user.partition(".")[0], device or "0"


def _rows(copy: sqlite3.Connection, table: str, columns: str) -> list[tuple[str, ...]]:
    return copy.execute(f"SELECT {columns} FROM {table}").fetchall() if _has(copy, table) else []  # noqa: S608


def _has(copy: sqlite3.Connection, table: str) -> bool:
    return bool(copy.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone())


def _restore(database: Path, kept: str) -> None:
    part = database.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_bytes(zlib.decompress(as_bytes(kept)))
    _remove(database)  # with what a process that was killed left beside it
    part.rename(database)


def _remove(database: Path) -> None:
    for suffix in _SIDES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
