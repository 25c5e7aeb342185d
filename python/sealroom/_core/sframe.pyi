"""SFrame (RFC 9605)."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NoReturn, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from . import BytesLike, WritableBytesLike

_Sizes: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.uint32]
_Frames: TypeAlias = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]

AES_128_CTR_HMAC_SHA256_80: Final = 1
AES_128_CTR_HMAC_SHA256_64: Final = 2
AES_128_CTR_HMAC_SHA256_32: Final = 3
AES_128_GCM_SHA256_128: Final = 4
AES_256_GCM_SHA512_128: Final = 5
MAX_METADATA_SIZE: Final = 1024
MAX_OVERHEAD: Final = 33

class PendingFrames:
    """Frames whose key has not come yet, held until it does. Nothing about them is
    authenticated, so all is bounded: each key id has a share of `max_frames_per_key` frames
    and `max_bytes_per_key` bytes (metadata counts) in which the oldest makes room, there are
    `max_key_ids` shares, for the key ids nearest above `newest_key_id`, and what is older
    than `max_age` seconds is dropped by each call that is told the time. Thread-safe.
    """
    def __init__(
        self,
        *,
        max_key_ids: int = 4,
        max_frames_per_key: int = 64,
        max_bytes_per_key: int = 1048576,
        max_age: float = 2.0,
    ) -> None: ...
    def hold(
        self,
        frame: BytesLike,
        metadata: BytesLike = b"",
        *,
        now: float,
        key_id: int | None = None,
    ) -> bool:
        """Copies a frame that unprotect refused with KeyNotFoundError; False if it was itself
        dropped. A frame of unprotect_frame comes with the `key_id` of that error, since its
        front may be its codec's; without one the SFrame header is read there. `now` is the
        time in seconds on any clock that does not go back. Raises MalformedError.
        """
    def take(self, key_id: int, *, now: float | None = None) -> list[tuple[bytes, bytes]]:
        """The frames under a key id, oldest first, as `(frame, metadata)`; they are held no
        longer. With `now` none that is older than max_age.
        """
    def expire(self, now: float) -> int:
        """Drops what is older than max_age; how many."""
    def set_newest_key_id(self, key_id: int) -> None:
        """The key id that others are measured against where they are too many; 0 at first."""
    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int:
        """Bytes held."""
    @property
    def dropped(self) -> int:
        """Frames that found no room or grew too old, so far."""

def parse_header(frame: BytesLike) -> tuple[int, int, int]:
    """Key id, counter and size in bytes of the SFrame header at the front of `frame` (RFC 9605
    section 4.3). None of it is authenticated. Raises MalformedError.
    """

def ratchet_key_id(generation: int, step: int, bits: int) -> int:
    """(generation << bits) + step % 2**bits, the key id of a ratchet (RFC 9605 section 5.1). Raises
    InvalidArgumentError for bits that are not 1 to 32 or a generation that needs more than the
    others.
    """

class MlsKeyIdLayout:
    """Key ids under MLS (RFC 9605 section 5.2): context, sender's leaf index, low bits of the
    epoch. Raises InvalidArgumentError for widths that do not fit 64 bits.
    """
    def __init__(self, *, epoch_bits: int, sender_bits: int) -> None: ...
    def encode(self, *, sender: int, epoch: int, context: int = 0) -> int:
        """The key id. Raises InvalidArgumentError for what does not fit."""
    def decode(self, key_id: int) -> tuple[int, int, int]:
        """Context, sender, and the low bits of the epoch."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def epoch_bits(self) -> int:
        """Low bits of the epoch."""
    @property
    def sender_bits(self) -> int:
        """Bits of the leaf index."""

def key_commitment(*, suite: int, key_id: int, base_key: BytesLike) -> bytes:
    """32 bytes that bind a base key to its suite and key id without telling it, for
    Receiver.add_key: frames do not bind their key, so whoever hands out two keys under one key id
    could make a frame that two receivers open to different contents. No part of RFC 9605. Raises
    InvalidArgumentError for an empty key, UnsupportedError for an unknown suite.
    """

def ratchet_base_key(*, suite: int, base_key: BytesLike) -> bytes:
    """The base key of the next ratchet step (RFC 9605 section 5.1): for who hands out the key of a
    later step. Sender.ratchet and Receiver.add_ratchet do this by themselves. Raises
    InvalidArgumentError for an empty key, UnsupportedError for an unknown suite.
    """

class Sender:
    """Encrypts frames under one key (RFC 9605 section 4.4.3). `base_key` is secret and random, at
    least as long as the key of the suite's cipher, 16 or 32 bytes; it is stretched, so that a short
    one is taken and is weak. With `ratchet_bits` the key may ratchet (section 5.1). Counters run
    from `first_counter` up to, without, `counter_limit`. `backend` is one of
    sealroom.native_info().crypto_backends. Thread-safe; a process that forks must use a sender in
    one of the two only, as both would spend the same counters. Raises InvalidArgumentError for an
    empty key or a number out of its range, UnsupportedError for an unknown suite or back end.
    """
    def __init__(
        self,
        *,
        suite: int,
        key_id: int,
        base_key: BytesLike,
        first_counter: int = 0,
        counter_limit: int | None = None,
        ratchet_bits: int = 0,
        backend: str | None = None,
    ) -> None: ...
    def protect(self, plaintext: BytesLike, metadata: BytesLike = b"") -> bytes:
        """Header, ciphertext and tag. `metadata`, at most 1024 bytes, is authenticated and not part
        of the result. Raises KeyExhaustedError at the counter limit, InvalidArgumentError for more
        metadata.
        """
    def protect_into(
        self, plaintext: BytesLike, out: WritableBytesLike, metadata: BytesLike = b""
    ) -> int:
        """As protect, into a writable buffer that shares no memory with the arguments; the size
        written. MAX_OVERHEAD bytes more than the plaintext are enough. Raises
        BufferTooSmallError, which spends no counter, and InvalidArgumentError.
        """
    @overload
    def protect_many(
        self,
        plaintexts: Sequence[BytesLike],
        metadata: Sequence[BytesLike] | None = None,
        *,
        return_errors: Literal[False] = False,
    ) -> list[bytes]:
        """As protect for each of a sequence, with as many `metadata` or None. A refused frame does
        not stop the others: its place holds its exception, or without `return_errors` the first
        one is raised in the end.
        """
    @overload
    def protect_many(
        self,
        plaintexts: Sequence[BytesLike],
        metadata: Sequence[BytesLike] | None = None,
        *,
        return_errors: bool,
    ) -> list[Any]: ...
    def protect_batch(
        self,
        data: BytesLike,
        sizes: _Sizes,
        metadata: BytesLike | None = None,
        metadata_sizes: _Sizes | None = None,
        *,
        errors: dict[int, Exception] | None = None,
    ) -> _Frames:
        """As protect for frames that lie back to back in `data` (uint8), `sizes` (int32 or uint32)
        long; so may `metadata` and `metadata_sizes`. Returns new arrays of the same kind, uint8 and
        int32. The size of a refused frame is -1 and its exception goes into the dict `errors` under
        its index; without one the first is raised in the end. Raises InvalidArgumentError where
        sizes do not add up.
        """
    def ratchet(self) -> None:
        """One step on (RFC 9605 section 5.1): the next base key under the next key id, counter 0;
        the key so far is wiped, so that a member who joins cannot open what was sent before.
        Raises InvalidArgumentError for a sender without `ratchet_bits`.
        """
    @property
    def key_id(self) -> int:
        """The key id (KID) of the next frame."""
    @property
    def next_counter(self) -> int:
        """The counter of the next frame."""
    @property
    def suite(self) -> int:
        """The number of the cipher suite."""
    @property
    def backend(self) -> str:
        """The crypto library: "ipsec_mb" or "openssl"."""
    def __reduce__(self) -> NoReturn: ...

class Receiver:
    """Decrypts frames of one sender (RFC 9605 section 4.4.4). `backend` is one of
    sealroom.native_info().crypto_backends. Thread-safe. Raises UnsupportedError for an unknown
    suite or back end.
    """
    def __init__(self, *, suite: int, backend: str | None = None) -> None: ...
    def add_key(
        self, key_id: int, base_key: BytesLike, commitment: BytesLike | None = None
    ) -> None:
        """With a `commitment` (key_commitment) another key is refused with KeyCommitmentError.
        Raises InvalidArgumentError for a key id that has a key, whose replay window must not
        be forgotten, and LimitExceededError (64 keys); then nothing has changed.
        """
    def add_ratchet(
        self,
        key_id: int,
        base_key: BytesLike,
        *,
        bits: int = 8,
        max_steps_ahead: int = 8,
        kept_steps: int = 1,
        commitment: BytesLike | None = None,
    ) -> None:
        """Follows a sender that ratchets (RFC 9605 section 5.1), from the step of `key_id` on. A
        frame up to `max_steps_ahead` of the newest authentic step is tried, and moves it if it
        authenticates; what lies further raises KeyNotFoundError. `kept_steps` behind it are
        still taken. Raises InvalidArgumentError for a generation that is there already,
        LimitExceededError (4 generations), KeyCommitmentError.
        """
    def add_mls_epoch(
        self,
        layout: MlsKeyIdLayout,
        *,
        sender: int,
        epoch: int,
        base_key: BytesLike,
        context: int = 0,
        commitment: BytesLike | None = None,
    ) -> None:
        """The key of an MLS epoch (RFC 9605 section 5.2). Takes the place of an older epoch with
        the same key id, whose frames are then refused. Raises InvalidArgumentError for an epoch
        that is not newer, otherwise as add_key.
        """
    def remove_key(self, key_id: int) -> bool:
        """Forgets a key, or the ratchet that a key id is of; whether there was one. What it has
        seen is forgotten too: were the same key added again, every frame of it could be replayed.
        """
    @property
    def key_ids(self) -> list[int]:
        """The key ids that have a key, and of each ratchet that of its newest authentic step."""
    @property
    def suite(self) -> int:
        """The number of the cipher suite."""
    @property
    def backend(self) -> str:
        """The crypto library: "ipsec_mb" or "openssl"."""
    def __reduce__(self) -> NoReturn: ...
    def has_key(self, key_id: int) -> bool:
        """Whether a frame of this key id would be tried."""
    def ratchet_position(self, key_id: int) -> int:
        """The key id of the newest authentic step of the ratchet that `key_id` is of. Raises
        KeyNotFoundError.
        """
    def unprotect(self, frame: BytesLike, metadata: BytesLike = b"") -> bytes:
        """The plaintext. Raises MalformedError, KeyNotFoundError (whose `key_id` is the frame's),
        ReplayError (TooOldError behind the window of 1024 frames), AuthenticationError; after each
        of them the state is as before.
        """
    def unprotect_into(
        self, frame: BytesLike, out: WritableBytesLike, metadata: BytesLike = b""
    ) -> int:
        """As unprotect, into a writable buffer that shares no memory with the arguments; the size
        written. As many bytes as the frame are enough. Raises BufferTooSmallError and
        InvalidArgumentError.
        """
    @overload
    def unprotect_many(
        self,
        frames: Sequence[BytesLike],
        metadata: Sequence[BytesLike] | None = None,
        *,
        return_errors: Literal[False] = False,
    ) -> list[bytes]:
        """As unprotect for each of a sequence; see Sender.protect_many."""
    @overload
    def unprotect_many(
        self,
        frames: Sequence[BytesLike],
        metadata: Sequence[BytesLike] | None = None,
        *,
        return_errors: bool,
    ) -> list[Any]: ...
    def unprotect_batch(
        self,
        data: BytesLike,
        sizes: _Sizes,
        metadata: BytesLike | None = None,
        metadata_sizes: _Sizes | None = None,
        *,
        errors: dict[int, Exception] | None = None,
    ) -> _Frames:
        """As unprotect for frames back to back in `data` (uint8), `sizes` (int32 or uint32) long;
        results, errors and metadata as in Sender.protect_batch.
        """

def protect_frame(sender: Sender, format: str, frame: BytesLike) -> bytes:
    """Encrypts a whole encoded frame by SFrame (RFC 9605) and leaves readable, authenticated, what
    packetizers, SFUs and receivers of its codec look for (docs/wire.md). `format` is "opus", "vp8",
    "vp9", "h264" (a byte stream with start codes, Annex B) or "av1" (a temporal unit of OBUs). An
    H.264 frame of an MP4 file, with lengths in place of start codes, is sealed whole, and
    nobody on the way sees a key frame in it: run the bitstream filter h264_mp4toannexb first. Any
    frame of at least 1 byte comes back from unprotect_frame byte for byte. Raises
    InvalidArgumentError for an empty frame, UnsupportedError for another format, and for bytes that
    are no valid VP8 frame where the SFrame header would make them look like a key frame,
    KeyExhaustedError at the counter limit.
    """

def unprotect_frame(receiver: Receiver, format: str, frame: BytesLike) -> bytes:
    """The encoded frame that protect_frame was given (RFC 9605 section 4.4.4). Errors as of
    Receiver.unprotect; what has not the form that protect_frame gives is a MalformedError. After
    any of them the frames that follow need this one: call VideoJitterBuffer.require_key_frame().
    """
