"""Room history, searchable public metadata, policies of contexts, access lines of users."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.String(64)
_USER_ID = sa.String(128)


def upgrade() -> None:
    """Add columns and tables, and begin each room's history with the record it has."""
    op.add_column("contexts", sa.Column("policy", sa.Text, nullable=False, server_default="{}"))
    op.add_column("users", sa.Column("acl", sa.Text, nullable=True))
    for name in ("version", "epoch"):
        op.add_column("rooms", sa.Column(name, sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("rooms", sa.Column("room_type", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "room_records",
        sa.Column("room_id", _ID, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("author", _USER_ID, nullable=False),
        sa.Column("author_identity", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    )
    op.create_table(
        "room_fields",
        sa.Column("room_id", _ID, primary_key=True),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    )
    # An author whose identity is not registered any more cannot be verified.
    op.execute(
        "INSERT INTO room_records"
        " (room_id, version, epoch, author, author_identity, payload, signature)"
        " SELECT rooms.room_id, 1, 1, rooms.author, COALESCE(users.identity, 'gone'),"
        " rooms.record_payload, rooms.record_signature FROM rooms LEFT JOIN users"
        " ON users.context_id = rooms.context_id AND users.user_id = rooms.author"
    )


def downgrade() -> None:
    """Drop what `upgrade` added; rooms keep their newest record only."""
    op.drop_table("room_fields")
    op.drop_table("room_records")
    for column in ("room_type", "epoch", "version"):
        op.drop_column("rooms", column)
    op.drop_column("users", "acl")
    op.drop_column("contexts", "policy")
