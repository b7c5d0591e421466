"""The one database of the system: SQLite in the data folder, or PostgreSQL where `MIM_DATABASE_URL` says so.

    async with open_database(settings) as database:
        async with database.write() as connection:      # one transaction, the only writer on SQLite
            await connection.execute(insert(deliveries).values(...))
        async with database.read() as connection: ...   # every statement for itself

Migrations run when it is opened, under a lock, so services may start at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, event, inspect, make_url, text
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

from mim.contracts.errors import Unavailable
from mim.runtime.backoff import BUS_RETRY
from mim.runtime.settings import Settings
from mim.storage.tables import REVISION

log = structlog.get_logger()
Answer = TypeVar("Answer")

FILE = "mim.db"
BUSY_S = 10.0
CONNECT_S = 10.0
POOL = 5
_LOCK = 0x6D696D  # the number of the advisory lock: "mim"
_MIGRATIONS = Path(__file__).with_name("migrations")
# FULL: what was committed survives a power cut, for then the message it came from is acknowledged.
_PRAGMAS = (f"busy_timeout = {BUSY_S * 1000:.0f}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


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


class Database:
    """Made by `open_database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite lets a writer that has to wait sleep for up to 0.1 s at a time, and in no order; here they take turns.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None

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


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database, brought up to date, for the length of the block.

    Raises: DatabaseUnusable if its address makes no sense or a newer program wrote it, what `passes` knows if it is
        away.
    """
    engine = _engine(settings)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        yield Database(engine)
    finally:
        await engine.dispose()


def _engine(settings: Settings) -> AsyncEngine:
    # Parameters are hidden: an error in the log must not hold a message.
    common: dict[str, Any] = {"hide_parameters": True, "pool_size": POOL, "max_overflow": 0}
    if settings.database_url is not None:
        url = _postgresql(settings.database_url.get_secret_value())
        return create_async_engine(url, pool_pre_ping=True, connect_args={"timeout": CONNECT_S}, **common)
    path = settings.data_dir / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the files beside it get the same mode from SQLite
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
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once if another wrote in between; this one waits.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(connection: Connection) -> None:
    """Bring the schema up to date; whoever comes second waits and finds it done. Raises: DatabaseUnusable."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = _revision(connection)
    if found == REVISION:
        return
    # Loaded only for this: Alembic takes longer than all the rest here.
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
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
