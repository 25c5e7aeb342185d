"""Media frames and data messages of PrivMX Streams, version 1."""

from typing import Final

from . import BytesLike

KEY_SIZE: Final = 32
IV_SIZE: Final = 12
MAX_KEYS: Final = 64
MEDIA_OVERHEAD: Final = 63
DATA_OVERHEAD: Final = 66
DEFAULT_MESSAGE_LIMIT: Final = 268435456

class KeyStore:
    """The AES-256-GCM keys of a room by their ids, at most MAX_KEYS.
    Thread-safe.
    """
    def __init__(self, *, message_limit: int = 268435456, backend: str | None = None) -> None:
        """After `message_limit` messages protected under one key the next raise
        KeyExhaustedError. All senders of a room share its key, and random IVs allow 2**32
        messages under one key altogether (NIST SP 800-38D section 8.3): 1 to 2**32.
        """
    def add(self, key_id: str, key: BytesLike) -> None:
        """`key_id`: 32 hexadecimal digits; `key`: 32 bytes. A key that was removed must not come
        back: its messages would be counted, and its IVs looked at, from the beginning. Raises
        InvalidArgumentError, also for a key id that has a key, and LimitExceededError.
        """
    def remove(self, key_id: str) -> bool:
        """Forgets a key for good, with the count of its messages; whether there was one."""
    def __contains__(self, key_id: str) -> bool: ...
    def __len__(self) -> int: ...

def protect_media(
    keys: KeyStore,
    key_id: str,
    frame: BytesLike,
    *,
    iv: BytesLike,
    kind: str,
    clear_header: str,
    rms: int,
) -> bytes:
    """The frame on the wire, MEDIA_OVERHEAD bytes longer. `iv`: 12 random bytes, new for every
    message.
    """

def unprotect_media(
    keys: KeyStore, frame: BytesLike, *, kind: str, clear_header: str
) -> tuple[bytes, str, int]:
    """Frame, key id and the loudness byte, which is not authenticated."""

class DataSender:
    """Numbers and seals data messages. Thread-safe."""
    def __init__(self, *, first_sequence: int) -> None: ...
    def protect(self, keys: KeyStore, key_id: str, message: BytesLike, *, iv: BytesLike) -> bytes:
        """Raises KeyExhaustedError at the key's message limit, or after number 2**32 - 1."""
    @property
    def next_sequence(self) -> int: ...

class DataReceiver:
    """Opens data messages of one remote stream. Thread-safe."""
    def __init__(self) -> None: ...
    def unprotect(self, keys: KeyStore, message: BytesLike) -> tuple[bytes, str, int]:
        """Message, key id and sequence number."""
    @property
    def last_sequence(self) -> int | None: ...
