"""The database, on both engines: opened by many at once, brought up to date, read and written side by side."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Connection, bindparam, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from tests.services.databases import ENGINES, Engine, fresh

from mim.runtime.settings import Settings
from mim.storage import database as module
from mim.storage.database import DatabaseUnusable, open_database
from mim.storage.tables import REVISION, Moment, deliveries, metadata

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STARTERS = 8


@pytest.fixture(params=ENGINES)
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with an empty database of this test's own."""
    engine: Engine = request.param
    async with fresh(engine, tmp_path) as settings:
        yield settings


async def make_old(settings: Settings, revision: str) -> None:
    """Make the database as the program of that revision left it."""
    config = Config()
    config.set_main_option("script_location", str(module._MIGRATIONS))

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    engine = module._engine(settings, "messages")
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


def constraints(connection: Connection) -> list[Any]:
    """The primary keys of all tables."""
    looked = inspect(connection)
    return [looked.get_pk_constraint(name) for name in looked.get_table_names()]


def row(number: int, **more: Any) -> dict[str, Any]:
    times = {"created_at": NOW, "queued_at": NOW, "next_at": NOW}
    names = {"id": f"d{number}", "instance_id": "i", "event_id": f"e{number}", "event": "message.received"}
    return names | times | {"seq": number, "body": "{}", "status": "pending", "tries": 0} | more


@pytest.mark.parametrize("since", [None, "0001", "0002", REVISION])
async def test_an_empty_database_and_an_old_one_come_to_the_tables_that_the_code_knows(
    stored: Settings, since: str | None
) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    if since is not None:
        await make_old(stored, since)
    async with open_database(stored, "messages") as database, database.read() as connection:
        assert await connection.run_sync(differences) == []
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == [REVISION]
        names = await connection.run_sync(lambda found: {each["name"] for each in constraints(found)})
        assert {"pk_deliveries", "alembic_version_pkc"} <= names


def test_the_newest_revision_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(module._MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


async def test_who_starts_together_agrees(stored: Settings) -> None:
    async def start() -> int:
        async with open_database(stored, "messages") as database, database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(deliveries))).scalar() or 0

    assert await asyncio.gather(*(start() for _ in range(STARTERS))) == [0] * STARTERS


async def test_a_new_file_that_another_writes_at_this_moment_is_waited_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "messages.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.3, other.execute, "ROLLBACK")
        async with open_database(Settings(data_dir=tmp_path), "messages") as database, database.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(deliveries))).scalar() == 0


async def test_a_database_of_a_newer_program_is_left_alone(stored: Settings) -> None:
    async with open_database(stored, "messages") as database, database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match="update the program"):
        async with open_database(stored, "messages"):
            pass


async def test_what_is_written_together_is_there_together_or_not_at_all(stored: Settings) -> None:
    async with open_database(stored, "messages") as database:

        async def add_the_same_twice() -> None:
            async with database.write() as connection:
                await connection.execute(insert(deliveries), [row(1), row(2, body="private")])
                await connection.execute(insert(deliveries), [row(3, event_id="e1", body="private")])

        with pytest.raises(IntegrityError) as failed:
            await add_the_same_twice()
        assert "private" not in str(failed.value)
        async with database.read() as connection:
            assert (await connection.execute(select(deliveries))).all() == []


async def test_single_statements_share_a_transaction_and_one_that_is_wrong_spoils_no_other(stored: Settings) -> None:
    new = insert(deliveries).values({name: bindparam(name) for name in row(0)}).returning(deliveries.c.seq)
    async with open_database(stored, "webhooks") as database:
        numbers = [1, 2, 1, *range(3, 300)]  # the second 1 is there already
        outcomes = await asyncio.gather(
            *(database.execute(new, row(number)) for number in numbers), return_exceptions=True
        )
        assert isinstance(outcomes.pop(2), IntegrityError)
        assert [rows[0]["seq"] for rows in outcomes if not isinstance(rows, BaseException)] == list(range(1, 300))
        async with database.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(deliveries))).scalar() == 299


async def test_writers_wait_for_each_other_and_readers_for_nobody(stored: Settings) -> None:
    async with open_database(stored, "messages") as database:

        async def add(number: int) -> None:
            async with database.write() as connection:
                (await connection.execute(select(func.count()).select_from(deliveries))).scalar()
                await connection.execute(insert(deliveries), [row(number)])

        async with database.write() as open_one:
            await open_one.execute(insert(deliveries), [row(0)])
            async with database.read() as connection:
                assert (await connection.execute(select(func.count()).select_from(deliveries))).scalar() == 0
        await asyncio.gather(*(add(number) for number in range(1, 21)))
        async with database.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(deliveries))).scalar() == 21


async def test_times_keep_their_moment_whatever_their_zone(stored: Settings) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    async with open_database(stored, "messages") as database:
        async with database.write() as connection:
            later = NOW + timedelta(microseconds=1)
            await connection.execute(insert(deliveries), [row(1, next_at=NOW.astimezone(east)), row(2, next_at=later)])
        async with database.read() as connection:
            found = (await connection.execute(select(deliveries.c.next_at).order_by(deliveries.c.next_at))).scalars()
            assert [str(value) for value in found] == [str(NOW), str(later)]
            due = select(deliveries.c.id).where(deliveries.c.next_at <= NOW)
            assert (await connection.execute(due)).scalars().all() == ["d1"]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Moment().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type] # noqa: DTZ001


async def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with open_database(settings, "messages") as database:
        async with database.write() as connection:
            await connection.execute(insert(deliveries), [row(1)])
        files = sorted(settings.data_dir.iterdir())
        assert [path.name for path in files] == ["messages.db", "messages.db-shm", "messages.db-wal"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:hush@host/db", "postgresql+nothing"])
async def test_an_address_that_makes_no_sense_is_refused_without_being_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="postgresql://user:password@host/database") as refused:
        async with open_database(Settings(data_dir=tmp_path, database_url=SecretStr(url)), "messages"):
            pass
    assert "hush" not in str(refused.value)
