"""The tables. A change here needs a file in `migrations/versions/`, and `REVISION` names it; a test compares both."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

REVISION = "0001"
"""The newest revision: a database that is there already is not even looked at by Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A time with its zone, kept as UTC; SQLite has no zones, so there it is text without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As the database takes it. Raises: ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone")
        found = value.astimezone(UTC)
        return found.replace(tzinfo=None) if dialect.name == "sqlite" else found

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As the code sees it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("instance_id", String(36), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event in its stream: the order
    Column("body", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Moment, nullable=True),
    Column("created_at", Moment, nullable=False),
    Column("queued_at", Moment, nullable=False),  # when it began to wait, the first time or once more
    Column("tried_at", Moment, nullable=True),
    Column("done_at", Moment, nullable=True),
    Column("status_code", Integer, nullable=True),
    Column("error", Text, nullable=True),
    Column("response", Text, nullable=True),
    Column("duration_ms", Float, nullable=True),
    UniqueConstraint("instance_id", "event_id"),
    Index(None, "instance_id", "status", "next_at", "seq"),
    Index(None, "instance_id", "seq"),
    Index(None, "status", "done_at"),
)
"""One row for each event and instance that a webhook asked for: status pending, delivered or failed."""
