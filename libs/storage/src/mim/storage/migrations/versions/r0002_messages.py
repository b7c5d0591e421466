"""Messages, chats and contacts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
INDEXES = {
    "messages": (
        ("instance_id", "timestamp", "seq"),
        ("instance_id", "chat_id", "timestamp", "seq"),
        ("instance_id", "messenger_id"),
        ("timestamp",),
    ),
    "chats": (("instance_id", "last_at"),),
    "contacts": (("instance_id", "last_seen"),),
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "messages",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("chat_id", sa.String(255), nullable=False),
        sa.Column("messenger_id", sa.String(255), nullable=False),
        sa.Column("message_id", sa.String(64)),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("timestamp", MOMENT, nullable=False),
        sa.Column("from_me", sa.Boolean, nullable=False),
        sa.Column("is_group", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("contact_id", sa.String(255)),
        sa.Column("contact_name", sa.Text),
        sa.Column("reply_to", sa.String(255)),
        sa.Column("forwarded", sa.Boolean, nullable=False),
        sa.Column("media", sa.JSON),
        sa.Column("reactions", sa.JSON),
        sa.Column("edited_at", MOMENT),
        sa.Column("deleted_at", MOMENT),
        sa.PrimaryKeyConstraint("instance_id", "chat_id", "messenger_id", name="pk_messages"),
    )
    op.create_table(
        "chats",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("chat_id", sa.String(255), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("is_group", sa.Boolean, nullable=False),
        sa.Column("last_message", sa.Text, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("last_from_me", sa.Boolean, nullable=False),
        sa.Column("unread", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "chat_id", name="pk_chats"),
    )
    op.create_table(
        "contacts",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("contact_id", sa.String(255), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("username", sa.Text),
        sa.Column("phone_number", sa.Text),
        sa.Column("lid", sa.Text),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "contact_id", name="pk_contacts"),
    )
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
