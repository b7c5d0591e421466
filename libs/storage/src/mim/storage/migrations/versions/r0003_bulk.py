"""Messages to many."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bulks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("per_minute", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_bulks"),
    )
    op.create_table(
        "bulk_items",
        sa.Column("bulk_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("recipient", sa.String(128), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("messenger_id", sa.String(255)),
        sa.Column("code", sa.String(64)),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("bulk_id", "number", name="pk_bulk_items"),
    )
    for table, columns in (
        ("bulks", ["instance_id", "created_at"]),
        ("bulks", ["status", "next_at"]),
        ("bulk_items", ["bulk_id", "status", "number"]),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
