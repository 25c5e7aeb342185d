"""The URLs of Bridges that share a database: which of them to try."""

from __future__ import annotations

from collections.abc import Sequence

from sealroom.errors import InvalidArgumentError

MAX_URLS = 8

SAME_URL_TRIES = 3
"""Attempts to come back to one of several URLs before the next is tried: the session is there."""


def url_to_try(urls: Sequence[str], last: str, attempts: int) -> str:
    """Returns where to go after so many attempts in vain, the last of them at `last`."""
    if len(urls) == 1 or attempts % SAME_URL_TRIES:
        return last
    return urls[(urls.index(last) + 1) % len(urls)]


def check_urls(url: object) -> Sequence[str]:
    """Returns the URLs that an application gave. Raises InvalidArgumentError."""
    urls = tuple(url) if isinstance(url, list | tuple) else (url,)
    if not 1 <= len(urls) <= MAX_URLS:
        raise InvalidArgumentError(f"url: 1 to {MAX_URLS}")
    for one in urls:
        if not (isinstance(one, str) and one.startswith(("ws://", "wss://"))):
            raise InvalidArgumentError(f"url: ws://host:port or wss://host:port, not {one!r}")
    return urls
