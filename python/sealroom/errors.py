"""The root of every error that sealroom raises on purpose, and a class per refusal of the core.

The codes below the root are those of the native core (`sealroom/base/result.h`); a program
compares the class or the code, never the text.
"""

from __future__ import annotations

from typing import ClassVar


class SealroomError(Exception):
    """Base of all sealroom errors; `code` is a stable name that programs may compare."""

    code: ClassVar[str] = "error"


class InvalidArgumentError(SealroomError, ValueError):
    """An argument is outside its documented range."""

    code: ClassVar[str] = "invalid_argument"


class BufferTooSmallError(SealroomError):
    """The output buffer is shorter than the result."""

    code: ClassVar[str] = "buffer_too_small"


class MalformedError(SealroomError):
    """The input breaks its wire format."""

    code: ClassVar[str] = "malformed"


class TruncatedError(MalformedError):
    """The input ends inside a field."""

    code: ClassVar[str] = "truncated"


class UnsupportedError(SealroomError):
    """Valid, but not a feature of this build or machine."""

    code: ClassVar[str] = "unsupported"


class AuthenticationError(SealroomError):
    """The authentication tag does not match; why is not knowable."""

    code: ClassVar[str] = "authentication_failed"


class ReplayError(SealroomError):
    """This counter or packet index was accepted before."""

    code: ClassVar[str] = "replayed"


class TooOldError(ReplayError):
    """Older than the replay window reaches, so whether it is a replay cannot be told."""

    code: ClassVar[str] = "too_old"


class KeyNotFoundError(SealroomError):
    """No key is installed for the SFrame key id: `key_id`, where the core knows which."""

    code: ClassVar[str] = "unknown_key_id"
    key_id: int | None = None


class UnknownStreamError(SealroomError):
    """No stream is known by this SSRC."""

    code: ClassVar[str] = "unknown_ssrc"


class NotEncryptedError(SealroomError):
    """Clear text arrived where encryption is required."""

    code: ClassVar[str] = "not_encrypted"


class KeyExhaustedError(SealroomError):
    """The key has protected all it may; install a new one."""

    code: ClassVar[str] = "key_exhausted"


class NotReadyError(SealroomError):
    """Keys or route are not installed yet."""

    code: ClassVar[str] = "not_ready"


class LimitExceededError(SealroomError):
    """A stated bound on streams, bytes or packets is reached."""

    code: ClassVar[str] = "limit_exceeded"


class KeyCommitmentError(SealroomError):
    """The key is not the one that was committed to; get it from whoever made the commitment."""

    code: ClassVar[str] = "commitment_mismatch"


class CryptoError(SealroomError):
    """The crypto library refused an operation that it should accept."""

    code: ClassVar[str] = "crypto_failure"


class NativeIoError(SealroomError, OSError):
    """A system call of the native core failed."""

    code: ClassVar[str] = "system_error"
