"""What a user of a context may call at all: lines an administrator gives, the last that fits wins.

    line     = ("allow" / "deny") function *(field "=" value)
    function = "all" / "read" / "write" / a method, "room.join" / a family of them, "room.*"

A line with fields fits only a call whose parameters have these fields with these values. Where no
line fits, the call is denied. A user without lines may call everything. What the lines allow, the
policy of a room may still refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Self

from msgspec import inspect

from sealroom.protocol import MAX_ACL_LENGTH, MAX_ACL_LINES, METHODS, ErrorCode, Message

from .errors import RequestError, access_denied

READ: Final = frozenset(
    {
        "context.get",
        "context.users",
        "room.get",
        "room.list",
        "room.history",
        "room.participants",
        "stream.list",
        "events.subscribe",
        "events.subscribe_for",
        "events.unsubscribe",
    }
)
WRITE: Final = frozenset(
    {
        "room.create",
        "room.update",
        "room.delete",
        "room.delete_many",
        "room.close",
        "room.reopen",
        "room.join",
        "room.leave",
        "room.kick",
        "room.ready",
        "room.send_event",
        "stream.publish",
        "stream.update",
        "stream.unpublish",
        "recording.start",
        "recording.stop",
        "subscription.update",
        "media.answer",
        "media.trickle",
        "turn.credentials",
        "media.restart",
        "media.reset",
    }
)
_GROUPS: Final = {"all": READ | WRITE, "read": READ, "write": WRITE}


@dataclass(frozen=True, slots=True)
class _Line:
    allows: bool
    methods: frozenset[str]
    fields: tuple[tuple[str, str], ...]

    def fits(self, method: str, params: Message) -> bool:
        return method in self.methods and all(
            getattr(params, name, None) == value for name, value in self.fields
        )


class Acl:
    """Lines of one user. Immutable."""

    __slots__ = ("_lines", "text")

    def __init__(self, lines: tuple[_Line, ...] | None, text: str | None = None) -> None:
        self._lines = lines
        self.text = text

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read lines; None stands for a user without any.

        Raises:
            RequestError: INVALID_PARAMS, names the line at fault.
        """
        if text is None:
            return cls(None)
        if "\0" in text or len(text) > MAX_ACL_LENGTH or text.count("\n") >= MAX_ACL_LINES:
            raise _malformed(
                "acl", f"at most {MAX_ACL_LENGTH} signs in {MAX_ACL_LINES} lines, no NUL"
            )
        parsed = (
            _parse_line(line.split(), f"acl.line[{number}]")
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        )
        return cls(tuple(parsed), text)

    def require(self, method: str, params: Message) -> None:
        """Return if the user may call a method with these parameters.

        Raises:
            RequestError: ACCESS_DENIED.
        """
        if self._lines is None:
            return
        fitting = (one for one in reversed(self._lines) if one.fits(method, params))
        last = next(fitting, None)
        if last is None or not last.allows:
            raise access_denied()


ANYTHING: Final = Acl(None)
NOTHING: Final = Acl(())


def _parse_line(words: list[str], field: str) -> _Line:
    if len(words) < 2 or words[0].lower() not in ("allow", "deny"):
        raise _malformed(field, "write allow or deny, then a function")
    methods = _GROUPS.get(words[1].lower())
    if methods is None and words[1].endswith(".*"):
        methods = frozenset(one for one in _GROUPS["all"] if one.startswith(words[1][:-1]))
    elif methods is None:
        methods = frozenset({words[1]} & _GROUPS["all"])
    if not methods:
        raise _malformed(field, "the functions are all, read, write, room.* or a method")
    fields = []
    for word in words[2:]:
        name, sign, value = word.partition("=")
        shapes = [METHODS[one][0] for one in methods]
        if not sign or not any(name in shape.__struct_fields__ for shape in shapes):
            raise _malformed(field, "write a parameter of the function and its value, room_id=...")
        if not any(name in _text_fields(shape) for shape in shapes):
            raise _malformed(
                field, f"{name} is no text: lines compare text only, as in room_id=..."
            )
        fields.append((name, value))
    return _Line(words[0].lower() == "allow", methods, tuple(fields))


@cache
def _text_fields(shape: type[Message]) -> frozenset[str]:
    """Return the parameters that can be compared with a word of a line."""
    struct = inspect.type_info(shape)
    assert isinstance(struct, inspect.StructType)
    return frozenset(one.name for one in struct.fields if _is_text(one.type))


def _is_text(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):  # with None
        return any(map(_is_text, kind.types))
    if isinstance(kind, inspect.LiteralType):
        return all(isinstance(value, str) for value in kind.values)
    return isinstance(kind, inspect.StrType)


def _malformed(field: str, remedy: str) -> RequestError:
    return RequestError(ErrorCode.INVALID_PARAMS, field=field, remedy=remedy)
