"""SRTP and SRTCP (RFC 3711, RFC 7714, RFC 6188)."""

import enum
from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

from sealroom.errors import SealroomError

from . import BytesLike, WritableBytesLike

_Packet = TypeVar("_Packet", bound=BytesLike)  # a sequence of one kind of bytes-like
_Sizes: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.uint32]

class Profile(enum.IntEnum):
    """Protection profiles under the numbers of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714 section
    14.2). AES-256 in counter mode (RFC 6188), which has none there, has numbers of our own.
    """

    AES128_CM_SHA1_80 = 1
    AES128_CM_SHA1_32 = 2
    AEAD_AES_128_GCM = 7
    AEAD_AES_256_GCM = 8
    AES256_CM_SHA1_80 = 65537
    AES256_CM_SHA1_32 = 65538

class PacketStatus(enum.IntEnum):
    """What became of a packet of unprotect_rtp_batch: OK, or the error that unprotect_rtp (RFC 3711
    section 3.3) would have raised. The numbers do not change.
    """

    OK = 0
    TRUNCATED = 1
    MALFORMED = 2
    AUTHENTICATION_FAILED = 3
    REPLAYED = 4
    TOO_OLD = 5
    UNKNOWN_KEY_ID = 6
    KEY_EXHAUSTED = 7
    LIMIT_EXCEEDED = 8
    FAILED = 9

class KeyUsage:
    """Packets that went under a master key, and what is left until its limits (RFC 3711 section
    9.2): re-key in time.
    """
    @property
    def rtp_packets(self) -> int:
        """RTP packets sealed or opened under the key."""
    @property
    def rtcp_packets(self) -> int:
        """RTCP packets sealed or opened under the key."""
    @property
    def remaining_rtp_packets(self) -> int:
        """RTP packets until KeyExhaustedError."""
    @property
    def remaining_rtcp_packets(self) -> int:
        """RTCP packets until KeyExhaustedError."""

class Sender:
    """Protects the packets of one direction (RFC 3711 section 3.3, RFC 7714). `master` is master
    key followed by master salt. With an `mki` (1 to 128 bytes) every packet carries it. The limits
    hold for each master key and are at most the RFC's. A sequence number is sealed once under a
    key: twice would be the same key stream. `allow_repeats` leaves that to the caller, whose
    second packet must be the first, byte by byte. `backend` is a name of
    native_info().crypto_backends. Thread-safe. Raises InvalidArgumentError for wrong sizes,
    UnsupportedError for an unknown profile or back end.
    """
    def __init__(
        self,
        *,
        profile: int,
        master: BytesLike,
        mki: BytesLike = b"",
        max_rtp_packets: int = ...,
        max_rtcp_packets: int = 2147483648,
        allow_repeats: bool = False,
        backend: str | None = None,
    ) -> None: ...
    def key_usage(self) -> KeyUsage:
        """What is used and what is left of the master key."""
    def protect_rtcp(self, packet: BytesLike) -> bytes:
        """The protected compound packet, always encrypted. Raises as protect_rtp."""
    def protect_rtp(self, packet: BytesLike) -> bytes:
        """The protected packet, `rtp_overhead` bytes longer. Raises ReplayError for a sequence
        number sent before and TooOldError for one 1024 (with `allow_repeats` 16384) or more
        behind the newest, MalformedError, LimitExceededError (4096 streams),
        KeyExhaustedError.
        """
    def protect_rtp_batch(
        self, data: BytesLike, sizes: _Sizes
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Packets back to back in `data` (uint8), with their `sizes` (int32), which must add up to
        its length: `(data, sizes)` of the protected packets, uint8 and int32, shapes (bytes,) and
        (packets,). Each is rtp_overhead bytes longer. Raises TruncatedError or MalformedError,
        naming the packet, and KeyExhaustedError before any is sealed; ReplayError, TooOldError or
        LimitExceededError when it comes to that: the numbers of the packets before are spent then.
        """
    def protect_rtp_batch_into(
        self,
        data: BytesLike,
        sizes: _Sizes,
        out: WritableBytesLike,
        out_sizes: npt.NDArray[np.int32],
    ) -> int:
        """As protect_rtp_batch, into `out` (uint8, may be longer) and `out_sizes` (int32, as many
        as `sizes`); no two of `data` and these share memory. Returns the bytes written. Raises also
        BufferTooSmallError and InvalidArgumentError, before anything is written.
        """
    @overload
    def protect_rtp_many(
        self, packets: Sequence[_Packet], *, return_errors: Literal[False] = False
    ) -> list[bytes]:
        """As protect_rtp for each packet. A refused packet does not stop the others: its place
        holds its exception, or without `return_errors` the first one is raised in the end.
        """
    @overload
    def protect_rtp_many(
        self, packets: Sequence[_Packet], *, return_errors: bool
    ) -> list[bytes | SealroomError]: ...
    def remove_stream(self, ssrc: int) -> None:
        """Forgets the stream of an SSRC that will never be sent again under this key."""
    def set_key(self, master: BytesLike, mki: BytesLike = b"") -> None:
        """Re-keying: from now on packets go under this master key. Roll-over counters and indices
        go on (RFC 3711 section 3.2.1), the key's lifetime begins anew. Never a key used before.
        Raises InvalidArgumentError for a wrong size or the key in use; the old key then stays.
        """
    @property
    def backend(self) -> str:
        """The crypto library: "ipsec_mb" or "openssl"."""
    @property
    def profile(self) -> Profile:
        """The Profile."""
    @property
    def rtcp_overhead(self) -> int:
        """Bytes that protection adds to an RTCP packet."""
    @property
    def rtp_overhead(self) -> int:
        """Bytes that protection adds to an RTP packet: tag and MKI."""

class Receiver:
    """Opens the packets of one direction (RFC 3711 section 3.3, RFC 7714). `replay_window` is in
    packets, 64 to 32768. With an `mki` every packet must carry one of that size, which names its
    master key; see set_key. A packet that is refused changes nothing. Thread-safe. Raises
    InvalidArgumentError for wrong sizes, UnsupportedError for an unknown profile or back end.
    """
    def __init__(
        self,
        *,
        profile: int,
        master: BytesLike,
        replay_window: int = 1024,
        mki: BytesLike = b"",
        max_rtp_packets: int = ...,
        max_rtcp_packets: int = 2147483648,
        backend: str | None = None,
    ) -> None: ...
    def key_usage(self, mki: BytesLike = b"") -> KeyUsage:
        """What is used and what is left of a master key. Raises KeyNotFoundError."""
    def remove_key(self, mki: BytesLike) -> None:
        """Forgets a master key. Raises KeyNotFoundError."""
    def remove_stream(self, ssrc: int) -> None:
        """Forgets a stream: its old packets would be accepted again."""
    def roll_over_counter(self, ssrc: int) -> int:
        """Wraps of the sequence number so far. Raises UnknownStreamError before the first one."""
    def set_key(self, master: BytesLike, mki: BytesLike = b"") -> None:
        """Adds a master key, or replaces the one with this MKI (without MKIs: the only one, at
        once). Roll-over counters go on, the key's replay windows and lifetime begin anew: never
        a key that was here before. Raises InvalidArgumentError (sizes, or a key that is here),
        LimitExceededError (16 keys); nothing changes then.
        """
    def set_roll_over_counter(self, ssrc: int, roll_over_counter: int) -> None:
        """Tells where a stream stands, before its first packet (RFC 3711 section 3.3.1). Raises
        InvalidArgumentError after it, LimitExceededError.
        """
    def unprotect_rtcp(self, packet: BytesLike) -> bytes:
        """The compound packet in clear. Raises as unprotect_rtp, and NotEncryptedError."""
    def unprotect_rtp(self, packet: BytesLike) -> bytes:
        """The packet in clear. Raises AuthenticationError, ReplayError (TooOldError behind the
        window), MalformedError, KeyNotFoundError (its MKI is of no master key here),
        LimitExceededError (4096 streams), KeyExhaustedError.
        """
    def unprotect_rtp_batch(
        self, data: BytesLike, sizes: _Sizes
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
        """Packets back to back in `data` (uint8), with their `sizes` (int32), which must add up to
        its length: `(data, sizes, statuses)`. Every packet keeps its place, rtp_overhead bytes
        shorter; `statuses` (uint8, shape (packets,)) has its PacketStatus. A refused packet raises
        nothing and stops no other: its place is zeros. Raises InvalidArgumentError for wrong sizes.
        """
    def unprotect_rtp_batch_into(
        self,
        data: BytesLike,
        sizes: _Sizes,
        out: WritableBytesLike,
        out_sizes: npt.NDArray[np.int32],
        statuses: WritableBytesLike,
    ) -> int:
        """As unprotect_rtp_batch, into `out` (uint8, may be longer), `out_sizes` (int32) and
        `statuses` (uint8), both as many as `sizes`; no two of `data` and these share memory.
        Returns how many were accepted. Raises BufferTooSmallError and InvalidArgumentError, before
        anything is written.
        """
    @overload
    def unprotect_rtp_many(
        self, packets: Sequence[_Packet], *, return_errors: Literal[False] = False
    ) -> list[bytes]:
        """As unprotect_rtp for each packet; see Sender.protect_rtp_many for refused ones."""
    @overload
    def unprotect_rtp_many(
        self, packets: Sequence[_Packet], *, return_errors: bool
    ) -> list[bytes | SealroomError]: ...
    @property
    def backend(self) -> str:
        """The crypto library: "ipsec_mb" or "openssl"."""
    @property
    def key_count(self) -> int:
        """Master keys it has, at most 16."""
    @property
    def profile(self) -> Profile:
        """The Profile."""
    @property
    def rtcp_overhead(self) -> int:
        """Bytes that protection adds to an RTCP packet."""
    @property
    def rtp_overhead(self) -> int:
        """Bytes that protection adds to an RTP packet: tag and MKI."""
    @property
    def stream_count(self) -> int:
        """SSRCs that have authenticated."""

def master_size(profile: int) -> tuple[int, int]:
    """Bytes of master key and of master salt (RFC 3711 section 3.2.1, RFC 7714, RFC 6188). Raises
    UnsupportedError for an unknown profile.
    """
