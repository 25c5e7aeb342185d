"""API keys get ids, scopes and ends; those there are can do everything, as before."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.String(64)


def upgrade() -> None:
    """Add the columns and fill them."""
    op.add_column("api_keys", sa.Column("key_id", _ID, nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("scopes", sa.Text, nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("created_by", _ID, nullable=False, server_default=""))
    for name in ("expires_at", "last_used_at", "revoked_at"):
        op.add_column("api_keys", sa.Column(name, sa.BigInteger, nullable=True))
    connection = op.get_bind()
    keys = sa.table("api_keys", sa.column("key_hash"), sa.column("key_id"), sa.column("scopes"))
    for key_hash in connection.scalars(sa.select(keys.c.key_hash)).all():
        connection.execute(
            sa.update(keys)
            .where(keys.c.key_hash == key_hash)
            .values(key_id=uuid4().hex, scopes='["*"]')
        )
    op.create_index("api_keys_by_id", "api_keys", ["key_id"], unique=True)


def downgrade() -> None:
    """Drop the columns; keys that could not be used any more go, lest they can again."""
    op.execute(
        "DELETE FROM api_keys"
        " WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL OR scopes <> '[\"*\"]'"
    )
    op.drop_index("api_keys_by_id", "api_keys")
    for name in ("key_id", "scopes", "created_by", "expires_at", "last_used_at", "revoked_at"):
        op.drop_column("api_keys", name)
