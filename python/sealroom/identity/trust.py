"""Which public identity belongs to which user: the application's decision, not the Bridge's.

A `UserVerifier` is asked before a key is believed: for every member of a room record and for every
publisher. What it refuses is refused as a whole; there is no "continue anyway".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, Protocol

import msgspec

from sealroom.errors import SealroomError
from sealroom.identity.atomic_file import LockError, locked, write_atomically
from sealroom.identity.keys import FINGERPRINT_BYTES, PublicIdentity, format_fingerprint

_MAX_PIN_FILE_BYTES: Final = 64 * 1024 * 1024


class PinFileError(SealroomError):
    """The file of pinned keys is malformed or cannot be read or written."""

    code = "pin_file"


@dataclass(frozen=True, slots=True)
class UserKey:
    """The claim that a user of a context has the public identity with this fingerprint."""

    user_id: str
    fingerprint: bytes

    @property
    def fingerprint_text(self) -> str:
        """The fingerprint in groups, for people to compare."""
        return format_fingerprint(self.fingerprint)


class UserVerifier(Protocol):
    """Says which claims to believe. Runs in the event loop; may wait, for a person for instance."""

    async def verify(self, context_id: str, users: Sequence[UserKey]) -> Sequence[bool]:
        """Return one verdict per claim, in their order. Anything but True refuses."""
        ...


class TrustOnFirstUse:
    """Believes the first key seen of a user in a context, and from then on only that one.

    Pins live in a JSON file that several programs may share; without a file in memory, which only
    catches a key that changes while the program runs.
    """

    def __init__(self, pin_file: str | PathLike[str] | None = None) -> None:
        self._path = None if pin_file is None else Path(pin_file)
        self._pins: dict[str, dict[str, str]] = {}
        self._mutex = threading.Lock()

    async def verify(self, context_id: str, users: Sequence[UserKey]) -> Sequence[bool]:
        """Pin unknown users and compare known ones.

        Raises:
            PinFileError: the pins cannot be read or saved; then nothing is believed.
        """
        if self._path is None:
            return self._compare(context_id, users)[0]
        return await asyncio.to_thread(self._verify_in_file, self._path, context_id, users)

    def forget(self, context_id: str, user_id: str) -> None:
        """Drop a pin, so that the next key seen is believed: only after asking the user."""
        with self._mutex:
            if self._path is None:
                self._pins.get(context_id, {}).pop(user_id, None)
                return
            with _locked(self._path):
                self._pins = _read_pins(self._path)
                if self._pins.get(context_id, {}).pop(user_id, None) is not None:
                    _write_pins(self._path, self._pins)

    def _verify_in_file(
        self, path: Path, context_id: str, users: Sequence[UserKey]
    ) -> Sequence[bool]:
        with self._mutex, _locked(path):
            self._pins = _read_pins(path)
            verdicts, changed = self._compare(context_id, users)
            if changed:
                _write_pins(path, self._pins)
            return verdicts

    def _compare(self, context_id: str, users: Sequence[UserKey]) -> tuple[list[bool], bool]:
        pins = self._pins.setdefault(context_id, {})
        before = len(pins)
        verdicts = [
            pins.setdefault(one.user_id, one.fingerprint.hex()) == one.fingerprint.hex()
            for one in users
        ]
        return verdicts, len(pins) > before


class AllowList:
    """Believes exactly the listed keys, in every context."""

    def __init__(self, users: Mapping[str, PublicIdentity | str | bytes]) -> None:
        """Take public identities, their text, or fingerprints, by user id.

        Raises:
            IdentityError: a text is not a public identity.
            ValueError: a fingerprint has not 32 bytes.
        """
        self._known = {user_id: _fingerprint_of(value) for user_id, value in users.items()}

    async def verify(self, context_id: str, users: Sequence[UserKey]) -> Sequence[bool]:
        """Compare with the list."""
        return [self._known.get(one.user_id) == one.fingerprint for one in users]


class CallbackVerifier:
    """Asks a function of the application, sync or async: (context id, claim) -> believe it?"""

    def __init__(self, function: Callable[[str, UserKey], bool | Awaitable[bool]]) -> None:
        self._function = function

    async def verify(self, context_id: str, users: Sequence[UserKey]) -> Sequence[bool]:
        """Ask for one user after the other."""
        verdicts = []
        for one in users:
            answer = self._function(context_id, one)
            verdicts.append((answer if isinstance(answer, bool) else await answer) is True)
        return verdicts


def default_pin_file() -> Path:
    """Where pins are kept unless the application says otherwise: the user's data directory."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "sealroom" / "known_users.json"


def _fingerprint_of(value: PublicIdentity | str | bytes) -> bytes:
    if isinstance(value, str):
        value = PublicIdentity.parse(value)
    fingerprint = value.fingerprint if isinstance(value, PublicIdentity) else value
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint has {FINGERPRINT_BYTES} bytes")
    return fingerprint


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Two programs that pin at the same time must not lose each other's pins.
    try:
        with locked(path):
            yield
    except LockError as error:
        raise PinFileError(str(error)) from error


def _read_pins(path: Path) -> dict[str, dict[str, str]]:
    try:
        if path.stat().st_size > _MAX_PIN_FILE_BYTES:
            raise PinFileError(f"{path} is too large")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, str]])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PinFileError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PinFileError(f"{path} is not a file of pinned keys") from error


def _write_pins(path: Path, pins: dict[str, dict[str, str]]) -> None:
    try:
        write_atomically(path, msgspec.json.encode(pins), overwrite=True)
    except OSError as error:
        raise PinFileError(f"cannot write {path}: {error.strerror}") from error
