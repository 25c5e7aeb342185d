"""One process for each SQLite file: a second Bridge on it would undo what the first one does.

The lock is one of SQLite's own, on an empty database beside the file. The operating system drops it
with the process that holds it, however that ends, and no child process inherits it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar

from .errors import BridgeError

LOCK_SUFFIX = "-lock"


class DatabaseInUseError(BridgeError):
    """Another Bridge runs on this SQLite file."""

    code: ClassVar[str] = "database_in_use"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The database {path} is in use by another Bridge. Remedy: end that one, or give this"
            " one a file of its own; several Bridges for the same rooms need PostgreSQL."
        )
        self.path = path


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold an SQLite file for this process, or for this part of it, until the end.

    Raises:
        DatabaseInUseError: somebody else holds it.
        sqlite3.Error, OSError: the lock beside it cannot be made.
    """
    file = path.resolve()  # one lock, whatever links lead there
    lock = file.with_name(file.name + LOCK_SUFFIX)
    lock.touch(mode=0o600)
    connection = sqlite3.connect(lock, timeout=0, isolation_level=None, check_same_thread=False)
    with closing(connection):
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise DatabaseInUseError(file) from None
            raise
        yield
