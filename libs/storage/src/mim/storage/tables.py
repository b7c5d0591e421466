"""The tables. A change here needs a file in `migrations/versions/`, and `REVISION` names it; a test compares both."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

REVISION = "0003"
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

messages = Table(
    "messages",
    metadata,
    Column("instance_id", String(36), primary_key=True),
    Column("chat_id", String(255), primary_key=True),
    Column("messenger_id", String(255), primary_key=True),
    Column("message_id", String(64), nullable=True),  # ours, of what was sent through us
    Column("seq", BigInteger, nullable=False),  # of the event in its stream: the order within a second
    Column("timestamp", Moment, nullable=False),
    Column("from_me", Boolean, nullable=False),
    Column("is_group", Boolean, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("search", Text, nullable=False),  # the body as it is searched: neither engine folds the case of all scripts
    Column("status", String(16), nullable=False),
    Column("contact_id", String(255), nullable=True),
    Column("contact_name", Text, nullable=True),
    Column("reply_to", String(255), nullable=True),
    Column("forwarded", Boolean, nullable=False),
    Column("media", JSON(none_as_null=True), nullable=True),
    Column("reactions", JSON(none_as_null=True), nullable=True),
    Column("edited_at", Moment, nullable=True),
    Column("deleted_at", Moment, nullable=True),
    Index(None, "instance_id", "timestamp", "seq"),
    Index(None, "instance_id", "chat_id", "timestamp", "seq"),
    Index(None, "instance_id", "messenger_id"),
    Index(None, "timestamp"),
)
"""Every message that came in or went out, as it is now."""

chats = Table(
    "chats",
    metadata,
    Column("instance_id", String(36), primary_key=True),
    Column("chat_id", String(255), primary_key=True),
    Column("name", Text, nullable=True),
    Column("is_group", Boolean, nullable=False),
    Column("last_message", Text, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("last_from_me", Boolean, nullable=False),
    Column("unread", Integer, nullable=False),
    Index(None, "instance_id", "last_at"),
)
"""Where messages came from or went to."""

contacts = Table(
    "contacts",
    metadata,
    Column("instance_id", String(36), primary_key=True),
    Column("contact_id", String(255), primary_key=True),
    Column("name", Text, nullable=True),
    Column("username", Text, nullable=True),
    Column("phone_number", Text, nullable=True),
    Column("lid", Text, nullable=True),
    Column("last_seen", Moment, nullable=False),
    Index(None, "instance_id", "last_seen"),
)
"""Everybody who wrote."""

bulks = Table(
    "bulks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("instance_id", String(36), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),  # a SendMessage as JSON, to be sent to each
    Column("per_minute", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("done_at", Moment, nullable=True),
    Index(None, "instance_id", "created_at"),
    Index(None, "status", "next_at"),
)
"""Messages to many."""

bulk_items = Table(
    "bulk_items",
    metadata,
    Column("bulk_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recipient", String(128), nullable=False),
    Column("status", String(16), nullable=False),
    Column("messenger_id", String(255), nullable=True),
    Column("code", String(64), nullable=True),
    Column("error", Text, nullable=True),
    Index(None, "bulk_id", "status", "number"),
)
"""What became of each of them."""
