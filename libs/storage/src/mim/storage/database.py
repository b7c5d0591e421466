"""The database: SQLite, a file in the data folder for each service, or one PostgreSQL where `MIM_DATABASE_URL` says so.

    async with open_database(settings, "webhooks") as database:
        async with database.write() as connection:      # one transaction, the only writer on SQLite
            await connection.execute(insert(deliveries).values(...))
        async with database.read() as connection: ...   # every statement for itself
        await database.execute(update(deliveries)...)   # together with what others write at the same moment

Migrations run when it is opened, under a lock, so services may start at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import (
    Column,
    Connection,
    Executable,
    MetaData,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from mim.contracts.errors import Unavailable
from mim.runtime.backoff import BUS_RETRY
from mim.runtime.settings import Settings
from mim.storage.tables import REVISION, metadata

log = structlog.get_logger()
Answer = TypeVar("Answer")

BUSY_S = 10.0
CONNECT_S = 10.0
POOL, SQLITE_POOL = 5, 3
"""How many connections. Each of SQLite's is a thread of this process, with memory of its own; one of them writes."""
TOGETHER = 200
"""So many single statements at most share a transaction."""
_LOCK = 0x6D696D  # the number of the advisory lock: "mim"
# As Alembic makes it.
_versions = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_MIGRATIONS = Path(__file__).with_name("migrations")
CACHE_KB = 512
STATEMENTS = 16
"""How many prepared statements a connection keeps. Several rows at once are a statement for each number of rows: the
driver's 128 filled for hours, which took 1 MB more for each connection, and was no faster."""
_LOCKED_TRIES, _LOCKED_S = 50, 0.1
# FULL: what was committed survives a power cut, for then the message it came from is acknowledged. The cache is filled
# by whatever reads many rows, and given up as soon as another connection has written; the kernel has the pages anyway.
_PRAGMAS = (
    f"busy_timeout = {BUSY_S * 1000:.0f}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    f"cache_size = -{CACHE_KB}",
)


class DatabaseUnusable(Exception):
    """The database cannot be used at all; the message says why, without its password."""


def passes(error: Exception) -> bool:
    """Whether an error of the engine may be gone at the next try: it is away, busy or full, and not asked wrongly."""
    if isinstance(error, IntegrityError | ProgrammingError | DataError | NotSupportedError):
        return False
    return isinstance(error, DBAPIError | PoolTimeout | OSError)


async def surely(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat an act that is harmless to repeat until database and bus take it."""
    attempt = 0
    while True:
        try:
            return await act()
        except Exception as error:
            if not (isinstance(error, Unavailable) or passes(error)):
                raise
            attempt += 1
            if attempt == 1:
                log.warning("waits", error=type(error).__name__, reason=getattr(error, "message", None))
            await asyncio.sleep(BUS_RETRY.wait_s(attempt, 0, random.random()) or 2.0)  # noqa: S311


@dataclass(slots=True)
class _Write:
    """A statement that waits to be executed."""

    statement: Executable
    values: Mapping[str, Any]
    done: asyncio.Future[Sequence[RowMapping]]

    def answer(self, rows: Sequence[RowMapping]) -> None:
        """Hand over what came of it, if anybody still waits for it."""
        if not self.done.done():
            self.done.set_result(rows)

    def fail(self, error: Exception) -> None:
        """Tell whoever still waits for it."""
        if not self.done.done():
            self.done.set_exception(error)


class Database:
    """Made by `open_database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite lets a writer that has to wait sleep for up to 0.1 s at a time, and in no order; here they take turns.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        self._waiting: deque[_Write] = deque()
        self._writing: asyncio.Task[None] | None = None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection without a transaction. Raises: what `passes` knows, while the database is away."""
        async with self._reads.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; an exception rolls it back. Raises: as `read` does."""
        async with self._turn or nullcontext(), self._engine.begin() as connection:
            yield connection

    async def execute(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[RowMapping]:
        """Write with one statement and return its rows, once it is committed.

        What is written at the same moment shares a transaction: a commit waits for the disk, and a hundred writers wait
        no longer than one. Raises: as `read` does.
        """
        write = _Write(statement, values, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        return await write.done

    async def _write_waiting(self) -> None:
        while self._waiting:
            together = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            try:
                await self._write_together(together)
            except Exception as error:  # noqa: BLE001 - told to those who wait for it
                if passes(error) or len(together) == 1:
                    for write in together:
                        write.fail(error)
                else:  # one of them is wrong, and the others shall not pay for it
                    for write in together:
                        await self._write_alone(write)

    async def _write_alone(self, write: _Write) -> None:
        try:
            await self._write_together([write])
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            write.fail(error)

    async def _write_together(self, writes: Sequence[_Write]) -> None:
        async with self.write() as connection:
            answers = []
            for write in writes:
                result = await connection.execute(write.statement, write.values)
                answers.append(result.mappings().all() if result.returns_rows else ())
        for write, rows in zip(writes, answers, strict=True):
            write.answer(rows)


@asynccontextmanager
async def open_database(settings: Settings, name: str) -> AsyncIterator[Database]:
    """The database, brought up to date, for the length of the block; on SQLite it is the file `<name>.db`.

    SQLite has one writer a file, and who waits for another process looks again at growing intervals: with one file for
    both, webhooks were delivered seconds late under 100 messages a second, because the message store wrote.

    Raises: DatabaseUnusable if its address makes no sense or a newer program wrote it, what `passes` knows if it is
        away.
    """
    engine = _engine(settings, name)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        yield Database(engine)
    finally:
        await engine.dispose()


def _engine(settings: Settings, name: str) -> AsyncEngine:
    # Parameters are hidden: an error in the log must not hold a message.
    common: dict[str, Any] = {"hide_parameters": True, "max_overflow": 0}
    if settings.database_url is not None:
        url = _postgresql(settings.database_url.get_secret_value())
        common |= {"pool_size": POOL, "pool_pre_ping": True, "connect_args": {"timeout": CONNECT_S}}
        return create_async_engine(url, **common)
    path = settings.data_dir / f"{name}.db"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the files beside it get the same mode from SQLite
    common |= {"pool_size": SQLITE_POOL, "pool_use_lifo": True, "connect_args": {"cached_statements": STATEMENTS}}
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), **common)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _postgresql(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise DatabaseUnusable("MIM_DATABASE_URL must be like postgresql://user:password@host/database") from None
    return url.set(drivername="postgresql+asyncpg")


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        _execute(cursor, f"PRAGMA {pragma}")
    cursor.close()


def _execute(cursor: Any, statement: str) -> None:
    """Whoever gives a new file its journal does not wait for another that does the same: it is locked at once."""
    for tries_left in reversed(range(_LOCKED_TRIES)):
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or not tries_left:
                raise
            await_only(asyncio.sleep(_LOCKED_S))
        else:
            return


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once if another wrote in between; this one waits.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(connection: Connection) -> None:
    """Bring the schema up to date; whoever comes second waits and finds it done. Raises: DatabaseUnusable."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = _revision(connection)
    if found is None:  # nothing to bring up to date, which spares loading Alembic: 20 MB, and half of a start
        metadata.create_all(connection, checkfirst=False)
        _versions.create(connection)
        connection.execute(_versions.insert(), {"version_num": REVISION})
    elif found != REVISION:
        _upgrade(connection, found)


def _upgrade(connection: Connection, found: str) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it takes SQLite's transactions for none
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseUnusable(
            f"the database is at revision {found}, which this program does not know ({error}): update the program"
        ) from None


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_versions.name):
        return None
    return connection.execute(select(_versions.c.version_num)).scalar()
