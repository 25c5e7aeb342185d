"""Writing a private file wholly or not at all, and one program at a time."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from sealroom.errors import SealroomError


class LockError(SealroomError):
    """The lock beside a file cannot be made."""

    code = "lock"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock beside a file, so that no other program changes it meanwhile.

    Raises:
        LockError: the folder or the lock cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise LockError(f"cannot lock {path}: {error.strerror}") from error
    with lock:
        if os.name == "posix":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path` with mode 0600; on any error the file is as it was.

    Raises:
        FileExistsError: the file exists and `overwrite` is false.
        OSError: the system refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - created with its mode above
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if overwrite:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, fails when the name is taken
    finally:
        temporary.unlink(missing_ok=True)
