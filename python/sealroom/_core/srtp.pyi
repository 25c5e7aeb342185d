"""SRTP and SRTCP (RFC 3711, RFC 7714)."""

import enum
from typing import Literal, TypeVar, overload

from sealroom.errors import SealroomError

from . import BytesLike

_Packet = TypeVar("_Packet", bound=BytesLike)  # a list of one kind of bytes-like

class Profile(enum.IntEnum):
    AES128_CM_SHA1_80 = 1
    AES128_CM_SHA1_32 = 2
    AEAD_AES_128_GCM = 7
    AEAD_AES_256_GCM = 8

class Sender:
    """Protects the packets of one direction. `master` is master key followed by master salt;
    `backend` is a name of crypto.available_backends(). Thread-safe.
    """
    def __init__(self, *, profile: int, master: BytesLike, backend: str | None = None) -> None: ...
    def protect_rtcp(self, packet: BytesLike) -> bytes:
        """The protected compound packet, always encrypted. Raises as protect_rtp."""
    def protect_rtp(self, packet: BytesLike) -> bytes:
        """The protected packet. A sequence number sent before must come with the same bytes.
        Raises MalformedError, LimitExceededError (4096 streams), KeyExhaustedError.
        """
    @overload
    def protect_rtp_many(
        self, packets: list[_Packet], *, return_errors: Literal[False] = False
    ) -> list[bytes]:
        """As protect_rtp for each packet. A refused packet does not stop the others: its place
        holds its exception, or without `return_errors` the first one is raised in the end.
        """
    @overload
    def protect_rtp_many(
        self, packets: list[_Packet], *, return_errors: bool
    ) -> list[bytes | SealroomError]: ...
    def remove_stream(self, ssrc: int) -> None:
        """Forgets a stream that will never be sent again under this key."""
    @property
    def backend(self) -> str: ...
    @property
    def profile(self) -> Profile: ...

class Receiver:
    """Opens the packets of one direction. `replay_window` is in packets, 64 to 32768. A packet
    that is refused changes nothing. Thread-safe.
    """
    def __init__(
        self,
        *,
        profile: int,
        master: BytesLike,
        replay_window: int = 1024,
        backend: str | None = None,
    ) -> None: ...
    def remove_stream(self, ssrc: int) -> None:
        """Forgets a stream: its old packets would be accepted again."""
    def roll_over_counter(self, ssrc: int) -> int:
        """Wraps of the sequence number so far. Raises UnknownStreamError before the first one."""
    def set_roll_over_counter(self, ssrc: int, roll_over_counter: int) -> None:
        """Tells where a stream stands, before its first packet (RFC 3711 section 3.3.1). Raises
        InvalidArgumentError after it, LimitExceededError.
        """
    def unprotect_rtcp(self, packet: BytesLike) -> bytes:
        """The compound packet in clear. Raises as unprotect_rtp, and NotEncryptedError."""
    def unprotect_rtp(self, packet: BytesLike) -> bytes:
        """The packet in clear. Raises AuthenticationError, ReplayError (TooOldError behind the
        window), MalformedError, LimitExceededError (4096 streams), KeyExhaustedError.
        """
    @overload
    def unprotect_rtp_many(
        self, packets: list[_Packet], *, return_errors: Literal[False] = False
    ) -> list[bytes]:
        """As unprotect_rtp for each packet; see Sender.protect_rtp_many for refused ones."""
    @overload
    def unprotect_rtp_many(
        self, packets: list[_Packet], *, return_errors: bool
    ) -> list[bytes | SealroomError]: ...
    @property
    def backend(self) -> str: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def stream_count(self) -> int:
        """SSRCs that have authenticated."""

def master_size(profile: int) -> tuple[int, int]:
    """Bytes of master key and of master salt."""
