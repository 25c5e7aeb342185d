"""What people write in options, as the API takes it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sealroom.cli.errors import CommandError
from sealroom.protocol import PublicValue


def policy_entries(texts: Iterable[str] | None) -> dict[str, str]:
    """Returns entries of a policy written as `record=user`.

    Raises:
        CommandError: one is written otherwise.
    """
    return dict(_pair("--policy", one, "record=user") for one in texts or ())


def field_filter(texts: Iterable[str] | None) -> dict[str, PublicValue]:
    """Returns fields and their values written as `kind=lecture` or `year=2026`.

    A value that is JSON's for a number, true, false or null is that, anything else is text.

    Raises:
        CommandError: one is written otherwise.
    """
    return {
        name: _value(text)
        for name, text in (_pair("--where", one, "kind=lecture") for one in texts or ())
    }


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise CommandError(f"{option} {text} is no entry. Remedy: write it as {example}.")
    return name, value


def _value(text: str) -> PublicValue:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if value is None or isinstance(value, str | int | float | bool) else text
