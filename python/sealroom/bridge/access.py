"""Who may do what in a room: rights, and the expressions of a policy.

    expression = all-of *("," all-of)          any of them suffices
    all-of     = word *("&" word)              each of them is needed
    word       = "all" / "none" / "user" / "manager" / "owner"

`all` and `user` are every member, `manager` the members with that role, `owner` the author of the
room's first record. Who is not a member has no right at all, whatever the policy says; a member
without the right `get` is treated the same.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, Self, TypeAlias

from sealroom.errors import SealroomError
from sealroom.protocol import MAX_POLICY_EXPRESSION_LENGTH, Role


class PolicyError(SealroomError):
    """A policy names an unknown right or holds a malformed expression."""

    code = "policy"

    def __init__(self, right: str, message: str) -> None:
        super().__init__(message)
        self.right = right


class Right(StrEnum):
    """Entry of a policy."""

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


Word: TypeAlias = Literal["all", "none", "user", "manager", "owner"]
Expression: TypeAlias = frozenset[frozenset[Word]]
_WORDS: Final[Mapping[str, Word]] = {
    "all": "all",
    "none": "none",
    "user": "user",
    "manager": "manager",
    "owner": "owner",
}

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
            raise PolicyError(right, f"The words are {', '.join(_WORDS)}, joined by & and ,.")
        terms.append(known)
    return frozenset(terms)


class Policy:
    """Policy of a room: the record's entries over the defaults. Immutable."""

    __slots__ = ("_expressions",)

    def __init__(self, expressions: Mapping[Right, Expression]) -> None:
        self._expressions = expressions

    @classmethod
    def from_record(cls, entries: Mapping[str, str]) -> Self:
        """Read the policy of a room record.

        Raises:
            PolicyError: an unknown right or a malformed expression.
        """
        texts = dict(DEFAULT_POLICY)
        for right, text in entries.items():
            try:
                texts[Right(right)] = text
            except ValueError:
                raise PolicyError(right, f"The rights are {', '.join(Right)}.") from None
        return cls({right: parse_expression(right, text) for right, text in texts.items()})

    def allows(self, right: Right, *, role: Role, is_owner: bool) -> bool:
        """Tell whether a member has a right."""
        held: set[Word] = {"all", "user"}
        if role == "manager":
            held.add("manager")
        if is_owner:
            held.add("owner")
        return any(all_of <= held for all_of in self._expressions[right])
