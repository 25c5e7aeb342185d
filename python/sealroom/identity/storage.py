"""How a private identity rests on disk: one JSON file, mode 0600, optionally under a passphrase.

Without a passphrase the file holds the seed itself and its mode is the whole protection, so a
file that others may read is refused rather than repaired: its secret may already be known.
With a passphrase the seed is under AES-256-GCM with a key from scrypt.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sealroom.errors import SealroomError
from sealroom.identity.atomic_file import write_atomically

SEED_BYTES: Final = 32
FORMAT: Final = "sealroom-identity"
MAX_FILE_BYTES: Final = 16 * 1024

# 128 * n * r = 128 MiB and about 0.3 s of work per guess.
SCRYPT_N: Final = 2**17
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
# A file names its own cost; a hostile one must not be able to name all the memory there is.
_MAX_SCRYPT_MEMORY: Final = 256 * 1024 * 1024
_MAX_SCRYPT_P: Final = 4
_AAD: Final = b"sealroom/1 identity-file"


class IdentityFileError(SealroomError):
    """An identity file is missing, malformed, or cannot be written."""

    code = "identity_file"


class IdentityFilePermissionsError(IdentityFileError):
    """The file can be read or written by other users of the machine."""

    code = "identity_file_permissions"


class PassphraseError(IdentityFileError):
    """The passphrase is missing, wrong, or given for a file that has none."""

    code = "passphrase"


class _Scrypt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: int
    r: int
    p: int
    salt: bytes


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    format: str
    version: int
    public: str
    seed: bytes | None = None
    scrypt: _Scrypt | None = None
    nonce: bytes | None = None
    ciphertext: bytes | None = None


def encode(seed: bytes, public: str, passphrase: str | None, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """Return the file's content for `seed`; `public` is stored beside it for people to read."""
    if passphrase is None:
        content = _File(format=FORMAT, version=1, public=public, seed=seed)
    else:
        cost = _Scrypt(n=scrypt_n, r=SCRYPT_R, p=SCRYPT_P, salt=secrets.token_bytes(16))
        nonce = secrets.token_bytes(12)
        key = _passphrase_key(passphrase, cost)
        content = _File(
            format=FORMAT,
            version=1,
            public=public,
            scrypt=cost,
            nonce=nonce,
            ciphertext=AESGCM(key).encrypt(nonce, seed, _AAD),
        )
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def decode(data: bytes, passphrase: str | None) -> tuple[bytes, str]:
    """Return (seed, public identity text as stored).

    Raises:
        IdentityFileError: the content is not an identity file of version 1.
        PassphraseError: a passphrase is missing, superfluous or wrong.
    """
    try:
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise IdentityFileError("not an identity file") from error
    if content.format != FORMAT or content.version != 1:
        raise IdentityFileError("not an identity file of a known version")
    if content.seed is not None:
        if passphrase is not None:
            raise PassphraseError("this identity file has no passphrase, but one was given")
        seed = content.seed
    else:
        seed = _open(content, passphrase)
    if len(seed) != SEED_BYTES:
        raise IdentityFileError("the seed in the identity file has the wrong length")
    return seed, content.public


def _open(content: _File, passphrase: str | None) -> bytes:
    if content.scrypt is None or content.nonce is None or content.ciphertext is None:
        raise IdentityFileError("the identity file holds no seed")
    if passphrase is None:
        raise PassphraseError("this identity file needs a passphrase")
    if len(content.nonce) != 12:
        raise IdentityFileError("the nonce in the identity file has the wrong length")
    key = _passphrase_key(passphrase, content.scrypt)
    try:
        return AESGCM(key).decrypt(content.nonce, content.ciphertext, _AAD)
    except InvalidTag:
        raise PassphraseError("wrong passphrase, or a damaged identity file") from None


def _passphrase_key(passphrase: str, cost: _Scrypt) -> bytes:
    n, r, p = cost.n, cost.r, cost.p
    sane = 2 <= n <= 2**22 and n & (n - 1) == 0 and 1 <= r <= 64 and 1 <= p <= _MAX_SCRYPT_P
    if not sane or 128 * n * r > _MAX_SCRYPT_MEMORY or not 8 <= len(cost.salt) <= 64:
        raise IdentityFileError("the scrypt parameters in the identity file are out of bounds")
    return Scrypt(salt=cost.salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())


def read_private(path: Path) -> bytes:
    """Read a file that nobody but its owner may read.

    Raises:
        IdentityFilePermissionsError: group or others have any access to it.
        IdentityFileError: it is missing, not a regular file, or larger than any identity file.
    """
    try:
        # Non-blocking, so that a pipe in the file's place cannot hold the program up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise IdentityFileError(f"cannot read {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)  # of what was opened, not of what the name is now
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise IdentityFileError(f"{path} is not a regular file")
        if mode & 0o077:
            raise IdentityFilePermissionsError(
                f"{path} is open to other users (mode {mode:04o}): "
                "treat the identity as known to them, or run chmod 600 if it never was"
            )
        data = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise IdentityFileError(f"{path} is too large to be an identity file")
    return data


def write_private(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path` with mode 0600, wholly or not at all.

    Raises:
        IdentityFileError: the file exists and `overwrite` is false, or the system refuses.
    """
    try:
        write_atomically(path, data, overwrite=overwrite)
    except FileExistsError as error:
        raise IdentityFileError(f"{path} exists already") from error
    except OSError as error:
        raise IdentityFileError(f"cannot write {path}: {error.strerror}") from error
