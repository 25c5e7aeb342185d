"""Errors of the media layer."""

from __future__ import annotations

from typing import ClassVar

from sealroom.errors import SealroomError


class MediaError(SealroomError):
    """Base of the errors of negotiation, transport, codecs and tracks."""

    code: ClassVar[str] = "media_error"


class NegotiationError(MediaError):
    """A session description is malformed, over a limit, or does not fit the state of the peer."""

    code: ClassVar[str] = "negotiation_failed"


class TransportError(MediaError):
    """ICE or DTLS failed, timed out or was closed."""

    code: ClassVar[str] = "media_transport_failed"


class AlreadyReadError(MediaError):
    """Somebody else waits for the same frames or messages, and would get half of them."""

    code: ClassVar[str] = "already_read"


class CodecError(MediaError):
    """A source's pictures, sound or packets are none that the track's codec takes."""

    code: ClassVar[str] = "codec_unsuitable"
