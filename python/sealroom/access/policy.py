"""Rights, the expressions of a policy, and its yes-or-no entries.

    expression = all-of *("," all-of)          any of them suffices
    all-of     = word *("&" word)              each of them is needed
    word       = "all" / "none" / "user" / "manager" / "owner"

`all` and `user` are every member, `manager` the members with that role, `owner` the author of the
room's first record. Who is not a member has no right at all, whatever the policy says; a member
without the right `get` is treated the same. `update` and `update_policy` never reach beyond the
managers: the record after this one is a manager's word.

A policy is part of the signed record, so nobody but its managers changes it. A context sets
entries that every new room must name (`find_missing_entry`), never ones that apply unsaid.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, Self, TypeAlias

from sealroom.errors import SealroomError
from sealroom.protocol import MAX_POLICY_EXPRESSION_LENGTH, Role


class PolicyError(SealroomError):
    """A policy names an unknown entry or holds a malformed value."""

    code = "policy"

    def __init__(self, entry: str, message: str) -> None:
        super().__init__(message)
        self.entry = entry


class Right(StrEnum):
    """Entry of a policy whose value is an expression."""

    GET = "get"
    UPDATE = "update"
    DELETE = "delete"
    UPDATE_POLICY = "update_policy"
    PUBLISH = "publish"
    UNPUBLISH_OTHERS = "unpublish_others"
    SUBSCRIBE = "subscribe"
    RECORD = "record"
    CLOSE = "close"
    KICK = "kick"
    SEND_CUSTOM_EVENT = "send_custom_event"


class Flag(StrEnum):
    """Entry of a policy whose value is "yes" or "no"."""

    CREATOR_HAS_TO_BE_MANAGER = "creator_has_to_be_manager"
    UPDATER_CAN_BE_REMOVED_FROM_MANAGERS = "updater_can_be_removed_from_managers"
    OWNER_CAN_BE_REMOVED_FROM_MANAGERS = "owner_can_be_removed_from_managers"
    SHARE_HISTORY = "share_history"


Word: TypeAlias = Literal["all", "none", "user", "manager", "owner"]
Expression: TypeAlias = frozenset[frozenset[Word]]
_WORDS: Final[Mapping[str, Word]] = {
    "all": "all",
    "none": "none",
    "user": "user",
    "manager": "manager",
    "owner": "owner",
}
_RIGHTS: Final = {str(right): right for right in Right}
_FLAGS: Final = {str(flag): flag for flag in Flag}
_YES_NO: Final = {"yes": True, "no": False}
_FOR_MANAGERS_ONLY: Final = frozenset({Right.UPDATE, Right.UPDATE_POLICY})

DEFAULT_POLICY: Final[Mapping[Right, str]] = {
    Right.GET: "user",
    Right.UPDATE: "manager",
    Right.DELETE: "manager",
    Right.UPDATE_POLICY: "manager",
    Right.PUBLISH: "user",
    Right.UNPUBLISH_OTHERS: "manager",
    Right.SUBSCRIBE: "user",
    Right.RECORD: "manager",
    Right.CLOSE: "manager",
    Right.KICK: "manager",
    Right.SEND_CUSTOM_EVENT: "user",
}
_DEFAULT_FLAGS: Final[Mapping[Flag, bool]] = {
    Flag.CREATOR_HAS_TO_BE_MANAGER: True,
    Flag.UPDATER_CAN_BE_REMOVED_FROM_MANAGERS: False,
    Flag.OWNER_CAN_BE_REMOVED_FROM_MANAGERS: True,
    Flag.SHARE_HISTORY: False,
}

CAN_OVERWRITE: Final = "can_overwrite_context_policy"
CONTEXT_POLICY_ENTRIES: Final = (*Right, *Flag, CAN_OVERWRITE)


def parse_expression(right: str, text: str) -> Expression:
    """Read an expression; spaces around words do not matter.

    Raises:
        PolicyError: too long, or a word is missing or unknown.
    """
    if len(text) > MAX_POLICY_EXPRESSION_LENGTH:
        raise PolicyError(right, f"An expression has at most {MAX_POLICY_EXPRESSION_LENGTH} signs.")
    terms = []
    for all_of in text.split(","):
        words = [_WORDS.get(word.strip(" ")) for word in all_of.split("&")]
        known = frozenset(word for word in words if word is not None)
        if None in words:
            raise PolicyError(
                right,
                f"{right}: the words are {', '.join(_WORDS)}, joined by & and ,; not {text!r}.",
            )
        terms.append(known)
    return frozenset(terms)


def _parse_flag(flag: str, text: str) -> bool:
    if text not in _YES_NO:
        raise PolicyError(flag, f'{flag}: "yes" or "no", not {text!r}.')
    return _YES_NO[text]


class Policy:
    """Policy of a room: the record's entries over the defaults. Immutable."""

    __slots__ = ("_expressions", "_flags")

    def __init__(self, expressions: Mapping[Right, Expression], flags: Mapping[Flag, bool]) -> None:
        self._expressions = expressions
        self._flags = flags

    @classmethod
    def from_record(cls, entries: Mapping[str, str]) -> Self:
        """Read the policy of a room record.

        Raises:
            PolicyError: an unknown entry or a malformed value.
        """
        texts, flags = dict(DEFAULT_POLICY), dict(_DEFAULT_FLAGS)
        for entry, text in entries.items():
            if (right := _RIGHTS.get(entry)) is not None:
                texts[right] = text
            elif (flag := _FLAGS.get(entry)) is not None:
                flags[flag] = _parse_flag(entry, text)
            else:
                known = ", ".join((*Right, *Flag))
                raise PolicyError(
                    entry, f"There is no entry {entry[:64]!r} in a policy; they are {known}."
                )
        return cls({right: parse_expression(right, text) for right, text in texts.items()}, flags)

    def allows(self, right: Right, *, role: Role, is_owner: bool) -> bool:
        """Tell whether a member has a right."""
        if right in _FOR_MANAGERS_ONLY and role != "manager":
            return False
        held: set[Word] = {"all", "user"}
        if role == "manager":
            held.add("manager")
        if is_owner:
            held.add("owner")
        return any(all_of <= held for all_of in self._expressions[right])

    def grants(self, right: Right, *, role: Role, is_owner: bool) -> bool:
        """Tell whether a member has a right and that to see the room, without which none counts."""
        return all(self.allows(one, role=role, is_owner=is_owner) for one in (Right.GET, right))

    def says(self, flag: Flag) -> bool:
        """Return the value of a yes-or-no entry."""
        return self._flags[flag]


def check_context_policy(entries: Mapping[str, str]) -> None:
    """Return if a context may have this policy: entries of a room's, and `can_overwrite...`.

    Raises:
        PolicyError: an unknown entry or a malformed value.
    """
    if CAN_OVERWRITE in entries:
        _parse_flag(CAN_OVERWRITE, entries[CAN_OVERWRITE])
    Policy.from_record({key: text for key, text in entries.items() if key != CAN_OVERWRITE})


def find_missing_entry(context: Mapping[str, str], room: Mapping[str, str]) -> str | None:
    """Return an entry that a new room's policy must name as its context says, and does not.

    A room names every entry its context sets, so that what is signed is what applies; with
    `can_overwrite_context_policy` "no" it names the same values.
    """
    is_bound = context.get(CAN_OVERWRITE) == "no"
    for entry, text in context.items():
        if entry == CAN_OVERWRITE:
            continue
        if entry not in room or (is_bound and room[entry] != text):
            return entry
    return None
