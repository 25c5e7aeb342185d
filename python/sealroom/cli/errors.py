"""One sentence per failure, with what to do about it."""

from __future__ import annotations

from typing import ClassVar

from sealroom.client.errors import (
    AccessDeniedError,
    ConnectionClosedError,
    LoginFailedError,
    RequestTimeoutError,
)
from sealroom.crypto.errors import MemberKeyMismatchError, VerificationError
from sealroom.errors import SealroomError
from sealroom.identity import IdentityFilePermissionsError, PassphraseError


class CommandError(SealroomError):
    """A command cannot do what it was told; the text says what to do instead."""

    code: ClassVar[str] = "command"


_REMEDIES: dict[type[Exception], str] = {
    LoginFailedError: (
        "check --context, --user and --identity, and that an administrator ran"
        " 'sealroom context add-user'"
    ),
    AccessDeniedError: "check the room id with 'sealroom room list', or ask a manager of the room",
    RequestTimeoutError: "see whether the Bridge is busy or the network slow, then try again",
    IdentityFilePermissionsError: "chmod 600 the file if nobody else can have read it",
    PassphraseError: "set SEALROOM_PASSPHRASE, or run in a terminal to be asked for it",
    MemberKeyMismatchError: (
        "ask that user for the fingerprint ('sealroom identity show'); if the key really changed,"
        " take the old one out of the file of known users"
    ),
    VerificationError: "do not use this room: the Bridge or a member is not telling the truth",
}

# What the Bridge tells programs to look at, as a command.
_COMMANDS = {
    "admin.context_list": "'sealroom context list'",
    "admin.user_list": "'sealroom context users'",
    "admin.room_list": "'sealroom admin room list'",
    "admin.key_list": "'sealroom key list'",
    "room.participants": "'sealroom room participants'",
}

_KEY_REMEDY = (
    "give the key that 'sealroom bridge' showed when it first started with its present database"
)


def describe(error: Exception) -> str:
    """Returns a line for a person."""
    if isinstance(error, CommandError):
        return str(error)
    text = _first_line(error)
    if isinstance(error, LoginFailedError) and error.field == "api_key":
        return _with_remedy("the Bridge does not know this API key", _KEY_REMEDY)
    if isinstance(error, ConnectionClosedError) and "cannot reach" in text:
        return _with_remedy(text, "start one with 'sealroom bridge', or give its address by --url")
    for kind, remedy in _REMEDIES.items():
        if isinstance(error, kind):
            # The Bridge's own remedy is for programs.
            return _with_remedy(text.partition(" Remedy: ")[0], remedy)
    return text


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    for method, command in _COMMANDS.items():
        text = text.replace(f"see {method}", f"see {command}")
    return text


def _with_remedy(text: str, remedy: str) -> str:
    return f"{text.rstrip('.')}. Remedy: {remedy}."
