"""JSON that came from somebody else, read with one kind of error whatever is wrong with it."""

from typing import Final, TypeVar

import msgspec

_Shape = TypeVar("_Shape")

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec's decoders raise for bytes of somebody else: invalid UTF-8 in a text, and nesting
without end, come out as errors of Python's."""


def decode_json(data: bytes | str | msgspec.Raw, shape: type[_Shape]) -> _Shape:
    """Return the decoded message.

    Raises:
        msgspec.ValidationError: it does not have its shape.
        msgspec.DecodeError: it is no JSON.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"Text is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise msgspec.DecodeError("Nested too deep") from None
