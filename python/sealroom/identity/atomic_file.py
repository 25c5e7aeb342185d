"""Writing a private file wholly or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


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
