"""What applications pass by mistake, refused by name before anything is sent.

Lengths and ranges are checked where they matter; here it is types, so that a `str` for `bytes` is
an `InvalidArgumentError` as any other wrong argument, and not whatever fails first further in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from aiortc import MediaStreamTrack

from sealroom.client.models import StreamSubscription, UserIdentity
from sealroom.errors import InvalidArgumentError


def bytes_of(name: str, value: Any) -> bytes:
    """Returns a bytes-like argument as bytes."""
    if isinstance(value, str):
        raise InvalidArgumentError(f"{name}: bytes, not str; encode it: text.encode()")
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong(name, "bytes", value)
    return bytes(value)


def check_type(name: str, value: Any, *types: type) -> None:
    """Raises InvalidArgumentError unless `value` is of one of the types; bool is no number.

    A text has to be one that can be sent, in UTF-8.
    """
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise _wrong(name, " or ".join("None" if t is _NONE else t.__name__ for t in types), value)
    if isinstance(value, str):
        check_utf8(name, value)


def check_utf8(name: str, text: str) -> None:
    """Raises InvalidArgumentError for lone surrogates, as in names of files that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(
            f"{name}: a lone surrogate, as in the name of a file that is not UTF-8, cannot be sent;"
            ' replace it: text.encode(errors="replace").decode()'
        ) from None


def check_room_id(room_id: Any) -> None:
    """Raises InvalidArgumentError unless it can be the id of a room."""
    check_type("room_id", room_id, str)
    if not room_id:
        raise InvalidArgumentError("room_id: empty; see create_stream_room, list_stream_rooms")


def check_listener(listener: Any) -> None:
    """Raises InvalidArgumentError unless `listener` is a plain function: nobody would await it."""
    if not callable(listener):
        raise _wrong("listener", "a function", listener)
    if inspect.iscoroutinefunction(listener):
        raise InvalidArgumentError(
            "listener: a plain function, not a coroutine function, which nobody would await;"
            " iterate instead (events(), remote_tracks()), or start a task in it and keep that"
        )


def check_host_addresses(addresses: Any) -> None:
    """Raises InvalidArgumentError unless it is a list of IP addresses, a function, or None."""
    if addresses is None or callable(addresses):
        return
    if isinstance(addresses, str):
        raise InvalidArgumentError(f"host_addresses: a list, [{addresses!r}], not str")
    _check_list("host_addresses", addresses, (str,), "IP addresses")
    for index, one in enumerate(addresses):
        try:
            ip_address(one)
        except ValueError:
            raise InvalidArgumentError(
                f"host_addresses[{index}]: an IP address of this machine, not {one!r}"
            ) from None


def check_members(name: str, members: Any) -> None:
    """Raises InvalidArgumentError unless it is a list of user ids and `UserIdentity`s."""
    _check_list(name, members, (str, UserIdentity), "user ids or UserIdentity")


def check_policy(policy: Any) -> None:
    """Raises InvalidArgumentError unless it maps texts to texts."""
    if not isinstance(policy, Mapping) or not all(
        isinstance(one, str) for entry in policy.items() for one in entry
    ):
        raise InvalidArgumentError('policy: texts by entry, such as {"publish": "manager"}')
    for entry in policy.items():
        for one in entry:
            check_utf8("policy", one)


def check_subscriptions(name: str, subscriptions: Any) -> None:
    """Raises InvalidArgumentError unless it is a list of `StreamSubscription`."""
    _check_list(name, subscriptions, (StreamSubscription,), "StreamSubscription(stream_id)")


def check_track(track: Any) -> None:
    """Raises InvalidArgumentError unless it is an aiortc track of audio or video that is live."""
    if not isinstance(track, MediaStreamTrack):
        advice = "push arrays into a sealroom.sources.PictureTrack or SoundTrack"
        if hasattr(track, "video") and hasattr(track, "audio"):
            advice = "add its .video and its .audio, one by one"
        what = type(track).__name__
        raise InvalidArgumentError(f"track: an aiortc MediaStreamTrack, not {what}; {advice}")
    if track.kind not in ("audio", "video"):
        raise InvalidArgumentError(f"track: kind {track.kind!r} is neither audio nor video")
    if track.readyState != "live":
        raise InvalidArgumentError("track: it has ended; open its source again")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises InvalidArgumentError unless `value` is one of the words."""
    if value not in choices:
        words = ", ".join(repr(one) for one in choices)
        raise InvalidArgumentError(f"{name}: one of {words}, not {value!r}")


def check_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Raises InvalidArgumentError unless it is a function, which may be async, or None."""
    if handler is not None and not callable(handler):
        raise _wrong(name, "a function or None", handler)


def _check_list(name: str, values: Any, types: tuple[type, ...], wanted: str) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise _wrong(name, f"a list of {wanted}", values)
    for index, one in enumerate(values):
        if not isinstance(one, types):
            raise _wrong(f"{name}[{index}]", wanted, one)
        if isinstance(one, str):
            check_utf8(f"{name}[{index}]", one)


def _wrong(name: str, wanted: str, value: Any) -> InvalidArgumentError:
    got = "None" if value is None else type(value).__name__
    return InvalidArgumentError(f"{name}: {wanted}, not {got}")


_NONE = type(None)
