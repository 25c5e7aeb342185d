"""Tables of the Bridge. A change here needs a migration in `migrations/versions`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from sealroom.protocol import (
    MAX_AUDIT_TEXT_LENGTH,
    MAX_ID_LENGTH,
    MAX_PUBLIC_FIELD_LENGTH,
    MAX_ROOM_TYPE_LENGTH,
    MAX_TITLE_LENGTH,
    MAX_URL_LENGTH,
    MAX_USER_ID_LENGTH,
)

metadata = MetaData()

_id = String(MAX_ID_LENGTH)
_user_id = String(MAX_USER_ID_LENGTH)

bridge_info = Table(
    "bridge_info",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

# Keys are random and long: their plain SHA-256 gives nothing away.
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_hash", LargeBinary(32), primary_key=True),
    Column("title", String(MAX_TITLE_LENGTH), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("key_id", _id, nullable=False, server_default=""),
    Column("scopes", Text, nullable=False, server_default="[]"),  # JSON list, sorted
    Column("created_by", _id, nullable=False, server_default=""),  # key id
    Column("expires_at", BigInteger, nullable=True),
    Column("last_used_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    Index("api_keys_by_id", "key_id", unique=True),
)

contexts = Table(
    "contexts",
    metadata,
    Column("context_id", _id, primary_key=True),
    Column("title", String(MAX_TITLE_LENGTH), nullable=False),
    Column("policy", Text, nullable=False, server_default="{}"),  # JSON object
    Column("created_at", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("context_id", _id, ForeignKey("contexts.context_id"), primary_key=True),
    Column("user_id", _user_id, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("acl", Text, nullable=True),  # see acl.py; NULL allows everything
)

rooms = Table(
    "rooms",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("context_id", _id, ForeignKey("contexts.context_id"), nullable=False),
    Column("author", _user_id, nullable=False),
    Column("record_payload", LargeBinary, nullable=False),
    Column("record_signature", LargeBinary, nullable=False),
    Column("state", String(8), nullable=False),
    Column("empty_room_ttl", Float, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("epoch", BigInteger, nullable=False, server_default="1"),
    Column("room_type", String(MAX_ROOM_TYPE_LENGTH), nullable=False, server_default=""),
    Column("empty_since", BigInteger, nullable=True),  # of an open room that lives nowhere
    Index("rooms_by_context", "context_id", "created_at", "room_id"),
)

# Bridges that share this database, and the rooms that live at each, see homes.py.
bridges = Table(
    "bridges",
    metadata,
    Column("bridge_id", _id, primary_key=True),
    Column("public_url", String(MAX_URL_LENGTH), nullable=False, unique=True),
    Column("instance_id", _id, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
)
room_homes = Table(
    "room_homes",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("instance_id", _id, nullable=False),
    ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    Index("room_homes_by_instance", "instance_id"),
)

# Every record, the newest included, byte by byte. The identity is kept with it, for its author may
# be gone from the context when somebody verifies the history.
room_records = Table(
    "room_records",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("author", _user_id, nullable=False),
    Column("author_identity", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
)

# Fields of public metadata that lists filter on; values as JSON.
room_fields = Table(
    "room_fields",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("name", String(MAX_PUBLIC_FIELD_LENGTH), primary_key=True),
    Column("value", String(MAX_PUBLIC_FIELD_LENGTH), nullable=False),
    ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
)

# What the record says, for lists. The fingerprint keeps a room closed to whoever gets a member's
# user id later; `visible` is the right `get`.
room_members = Table(
    "room_members",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("user_id", _user_id, primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("visible", Boolean, nullable=False),
    ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
    Index("room_members_by_user", "user_id", "room_id"),
)

sealed_secrets = Table(
    "sealed_secrets",
    metadata,
    Column("room_id", _id, primary_key=True),
    Column("user_id", _user_id, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["room_id"], ["rooms.room_id"], ondelete="CASCADE"),
)

# What was done, without foreign keys: entries outlive what they tell of. See audit.py.
audit = Table(
    "audit",
    metadata,
    Column("entry_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("actor_kind", String(8), nullable=False),
    Column("actor_id", String(MAX_AUDIT_TEXT_LENGTH), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object_kind", String(16), nullable=False),
    Column("object_id", String(MAX_AUDIT_TEXT_LENGTH), nullable=False),
    Column("context_id", _id, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Index("audit_by_time", "time", "entry_id"),
    Index("audit_by_context", "context_id", "time"),
)
