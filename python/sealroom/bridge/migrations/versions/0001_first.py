"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String(64)
_USER_ID = sa.String(128)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "bridge_info",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "contexts",
        sa.Column("context_id", _ID, primary_key=True),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("context_id", _ID, sa.ForeignKey("contexts.context_id"), primary_key=True),
        sa.Column("user_id", _USER_ID, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "rooms",
        sa.Column("room_id", _ID, primary_key=True),
        sa.Column("context_id", _ID, sa.ForeignKey("contexts.context_id"), nullable=False),
        sa.Column("author", _USER_ID, nullable=False),
        sa.Column("record_payload", sa.LargeBinary, nullable=False),
        sa.Column("record_signature", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("empty_room_ttl", sa.Float, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
    )
    op.create_index("rooms_by_context", "rooms", ["context_id", "created_at", "room_id"])
    op.create_table(
        "room_members",
        sa.Column("room_id", _ID, primary_key=True),
        sa.Column("user_id", _USER_ID, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("visible", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    )
    op.create_index("room_members_by_user", "room_members", ["user_id", "room_id"])
    op.create_table(
        "sealed_secrets",
        sa.Column("room_id", _ID, primary_key=True),
        sa.Column("user_id", _USER_ID, primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "sealed_secrets",
        "room_members",
        "rooms",
        "users",
        "contexts",
        "api_keys",
        "bridge_info",
    ):
        op.drop_table(table)
