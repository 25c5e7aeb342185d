"""Numbers that people compare, aloud or on paper, to know that they have each other's true keys.

    SHA-512("sealroom/1 safety number" 0x00, kind, context, room, then per user in order of user id:
    user id, fingerprint), each field after its length in 4 bytes; its last 60 decimal digits

Both sides get the same number, and whoever would put himself between them with keys of his own
needs about 2^99 tries for two numbers that agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from sealroom.identity.keys import FINGERPRINT_BYTES

_DIGITS: Final = 60
_GROUP: Final = 5


def pair_safety_number(context_id: str, users: Mapping[str, bytes]) -> str:
    """Return the number of two users of a context; `users` maps their ids to fingerprints.

    Raises:
        ValueError: not two users, or a fingerprint has not 32 bytes.
    """
    if len(users) != 2:
        raise ValueError("a pair is two users")
    return _number("pair", context_id, "", users)


def room_safety_number(context_id: str, room_id: str, members: Mapping[str, bytes]) -> str:
    """Return the number of all members of a room; it changes whenever one comes, goes or changes.

    Raises:
        ValueError: no member, or a fingerprint has not 32 bytes.
    """
    if not members:
        raise ValueError("a room has members")
    return _number("room", context_id, room_id, members)


def _number(kind: str, context_id: str, room_id: str, users: Mapping[str, bytes]) -> str:
    fields = [kind.encode(), context_id.encode(), room_id.encode()]
    for user_id in sorted(users):
        if len(users[user_id]) != FINGERPRINT_BYTES:
            raise ValueError(f"a fingerprint has {FINGERPRINT_BYTES} bytes")
        fields += [user_id.encode(), users[user_id]]
    data = b"sealroom/1 safety number\0"
    data += b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    number = int.from_bytes(hashlib.sha512(data).digest(), "big") % 10**_DIGITS
    digits = f"{number:0{_DIGITS}}"
    return " ".join(digits[at : at + _GROUP] for at in range(0, _DIGITS, _GROUP))
