"""Names of local files for FFmpeg."""

from __future__ import annotations

import os


def file_url(path: str | os.PathLike[str]) -> str:
    """Returns a name that FFmpeg takes for a file: "2026-11-26T14:30.mkv" alone is a protocol."""
    return f"file:{os.fspath(path)}"
