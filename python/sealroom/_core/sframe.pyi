"""SFrame (RFC 9605)."""

from typing import Final

from . import BytesLike, WritableBytesLike

AES_128_CTR_HMAC_SHA256_80: Final = 1
AES_128_CTR_HMAC_SHA256_64: Final = 2
AES_128_CTR_HMAC_SHA256_32: Final = 3
AES_128_GCM_SHA256_128: Final = 4
AES_256_GCM_SHA512_128: Final = 5
MAX_OVERHEAD: Final = 33

class Sender:
    """Encrypts frames under one key (RFC 9605 section 4.4.3). Thread-safe."""
    def __init__(
        self,
        *,
        suite: int,
        key_id: int,
        base_key: BytesLike,
        first_counter: int = 0,
        counter_limit: int | None = None,
        backend: str | None = None,
    ) -> None: ...
    def protect(self, plaintext: BytesLike, metadata: BytesLike = b"") -> bytes:
        """Header, ciphertext and tag. `metadata`, at most 1024 bytes, is authenticated and not
        part of the result. Raises KeyExhaustedError at the counter limit.
        """
    def protect_into(
        self, plaintext: BytesLike, out: WritableBytesLike, metadata: BytesLike = b""
    ) -> int:
        """As protect, into a writable buffer that shares no memory with the arguments; the size
        written. MAX_OVERHEAD bytes more than the plaintext are enough. Raises
        BufferTooSmallError, which spends no counter, and InvalidArgumentError.
        """
    @property
    def key_id(self) -> int: ...
    @property
    def next_counter(self) -> int:
        """The counter of the next frame."""

class Receiver:
    """Decrypts frames of one sender (RFC 9605 section 4.4.4). Thread-safe."""
    def __init__(self, *, suite: int, backend: str | None = None) -> None: ...
    def add_key(self, key_id: int, base_key: BytesLike) -> None:
        """Raises InvalidArgumentError for a key id that has a key, whose replay window must not
        be forgotten, and LimitExceededError (64 keys).
        """
    def remove_key(self, key_id: int) -> bool:
        """Whether there was one."""
    def unprotect(self, frame: BytesLike, metadata: BytesLike = b"") -> bytes:
        """The plaintext. Raises MalformedError, KeyNotFoundError, ReplayError (TooOldError
        behind the window of 1024 frames), AuthenticationError; after each of them the state
        is as before.
        """
    def unprotect_into(
        self, frame: BytesLike, out: WritableBytesLike, metadata: BytesLike = b""
    ) -> int:
        """As unprotect, into a writable buffer that shares no memory with the arguments; the size
        written. As many bytes as the frame are enough. Raises BufferTooSmallError and
        InvalidArgumentError.
        """
