"""Who may do what in a room, and which record may follow which: the same code at both ends.

`policy` reads the rights of a signed record, `succession` the rules between two records,
`stream_changes` those between two announcements of a stream. The Bridge refuses what breaks them,
and clients, who do not take its word, check again.
"""

from .policy import (
    CONTEXT_POLICY_ENTRIES,
    DEFAULT_POLICY,
    Flag,
    Policy,
    PolicyError,
    Right,
    check_context_policy,
    find_missing_entry,
    parse_expression,
)
from .stream_changes import StreamChangeError, TrackChanges, find_track_changes
from .succession import (
    FIRST_EPOCH,
    Rule,
    Violation,
    find_first_violation,
    find_violation,
    has_lost_member,
    member_may,
    owner_of,
    record_hash,
)

__all__ = [
    "CONTEXT_POLICY_ENTRIES",
    "DEFAULT_POLICY",
    "FIRST_EPOCH",
    "Flag",
    "Policy",
    "PolicyError",
    "Right",
    "Rule",
    "StreamChangeError",
    "TrackChanges",
    "Violation",
    "check_context_policy",
    "find_first_violation",
    "find_missing_entry",
    "find_track_changes",
    "find_violation",
    "has_lost_member",
    "member_may",
    "owner_of",
    "parse_expression",
    "record_hash",
]
