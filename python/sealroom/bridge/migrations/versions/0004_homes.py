"""Bridges that share a database, and the rooms that live at each."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; rooms that are open live nowhere from now on."""
    op.create_table(
        "bridges",
        sa.Column("bridge_id", sa.String(64), primary_key=True),
        sa.Column("public_url", sa.String(512), nullable=False, unique=True),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "room_homes",
        sa.Column("room_id", sa.String(64), primary_key=True),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    )
    op.create_index("room_homes_by_instance", "room_homes", ["instance_id"])
    op.add_column("rooms", sa.Column("empty_since", sa.BigInteger, nullable=True))
    rooms = sa.table("rooms", sa.column("state"), sa.column("empty_since"))
    now = time.time_ns() // 1_000_000
    op.execute(sa.update(rooms).where(rooms.c.state == "open").values(empty_since=now))


def downgrade() -> None:
    """Drop what `upgrade` added."""
    op.drop_column("rooms", "empty_since")
    op.drop_index("room_homes_by_instance", "room_homes")
    op.drop_table("room_homes")
    op.drop_table("bridges")
