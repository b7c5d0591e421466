"""Databases for tests: SQLite always, PostgreSQL where `MIM_TEST_POSTGRES` names a server.

The URL's role must be allowed to make databases; each test has one of its own. `REQUIRE_POSTGRES=1` makes the absence
of a server a failure.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from mim.runtime.settings import Settings

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")
SERVER = os.environ.get("MIM_TEST_POSTGRES", "")


@asynccontextmanager
async def fresh(engine: Engine, folder: Path, **more: object) -> AsyncIterator[Settings]:
    """Settings with an empty database, which is gone at the end."""
    if engine == "sqlite":
        yield Settings(data_dir=folder / "data", **more)  # type: ignore[arg-type]
        return
    if not SERVER:
        if os.environ.get("REQUIRE_POSTGRES") == "1":
            pytest.fail("REQUIRE_POSTGRES is set, but MIM_TEST_POSTGRES names no server")
        pytest.skip("no PostgreSQL: set MIM_TEST_POSTGRES to the URL of a server")
    name = f"mim_{uuid4().hex}"
    await _order(f"CREATE DATABASE {name}")
    try:
        url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        yield Settings(data_dir=folder / "data", database_url=SecretStr(url), **more)  # type: ignore[arg-type]
    finally:
        await _order(f"DROP DATABASE {name} WITH (FORCE)")


async def _order(statement: str) -> None:
    engine = create_async_engine(make_url(SERVER).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
