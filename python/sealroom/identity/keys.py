"""Identities: one 32-byte seed, from it a signing key and a hybrid post-quantum sealing key.

    signing   Ed25519 (RFC 8032) over b"sealroom/1 " + object type + b"\\0" + payload
    sealing   HPKE (RFC 9180 base mode), ML-KEM-768 + X25519, HKDF-SHA256, AES-256-GCM

Public identity: version byte 1, Ed25519 key (32), ML-KEM-768 key (1184), X25519 key (32), written
as "sealroom:" + unpadded base64url. Fingerprint: SHA-256 of those 1249 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from os import PathLike
from pathlib import Path
from typing import Final, NoReturn, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealroom.errors import SealroomError
from sealroom.identity import storage

PUBLIC_PREFIX: Final = "sealroom:"
PUBLIC_VERSION: Final = 1
PUBLIC_BYTES: Final = 1 + 32 + 1184 + 32
FINGERPRINT_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SEED_BYTES: Final = storage.SEED_BYTES

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
# What a sealed message is longer than its plaintext: KEM encapsulation and AEAD tag.
SEAL_OVERHEAD_BYTES: Final = hpke.KEM.MLKEM768_X25519.enc_length() + 16


class IdentityError(SealroomError):
    """A public identity is malformed or its keys are unusable."""

    code = "identity"


class SignatureError(SealroomError):
    """A signature was not made by this identity over this object type and payload."""

    code = "signature"


class SealedMessageError(SealroomError):
    """A sealed message is damaged, or was sealed to another identity or another purpose."""

    code = "sealed_message"


def signing_input(object_type: str, payload: bytes) -> bytes:
    """The bytes a signature covers: the type separates domains, the NUL ends the type.

    Raises:
        ValueError: the type is empty or not printable ASCII.
    """
    if not object_type or not object_type.isascii() or not object_type.isprintable():
        raise ValueError("an object type is printable ASCII")
    return b"sealroom/1 " + object_type.encode("ascii") + b"\0" + payload


class PublicIdentity:
    """What others know of a user: verifies its signatures and seals messages to it. Immutable."""

    __slots__ = ("_encoded", "_fingerprint", "_sealing", "_signing")

    def __init__(self, data: bytes) -> None:
        """Take the 1249 bytes of a public identity.

        Raises:
            IdentityError: wrong length, unknown version or an invalid key.
        """
        if len(data) != PUBLIC_BYTES:
            raise IdentityError("a public identity has the wrong length")
        if data[0] != PUBLIC_VERSION:
            raise IdentityError("a public identity of an unknown version")
        try:
            self._signing = Ed25519PublicKey.from_public_bytes(data[1:33])
            self._sealing = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(data[33:1217]),
                X25519PublicKey.from_public_bytes(data[1217:]),
            )
        except ValueError as error:
            raise IdentityError("a public identity holds an invalid key") from error
        self._encoded = PUBLIC_PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")
        self._fingerprint = hashlib.sha256(data).digest()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            IdentityError: not the one canonical text of a public identity.
        """
        if not text.startswith(PUBLIC_PREFIX):
            raise IdentityError(f"a public identity begins with {PUBLIC_PREFIX!r}")
        body = text.removeprefix(PUBLIC_PREFIX)
        if len(body) != -(-PUBLIC_BYTES * 4 // 3):
            raise IdentityError("a public identity has the wrong length")
        try:
            data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise IdentityError("a public identity is not base64url") from error
        identity = cls(data)
        if identity._encoded != text:  # stray bits after the last byte
            raise IdentityError("a public identity is not in its canonical form")
        return identity

    def encode(self) -> str:
        """Return the text form that `parse` reads."""
        return self._encoded

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the public identity, 32 bytes."""
        return self._fingerprint

    @property
    def fingerprint_text(self) -> str:
        """The fingerprint as 16 groups of 4 hex digits, for two people to compare."""
        return format_fingerprint(self._fingerprint)

    def verify(self, object_type: str, payload: bytes, signature: bytes) -> None:
        """Return if `signature` is this identity's over exactly this type and payload.

        Raises:
            SignatureError: it is not.
        """
        try:
            self._signing.verify(signature, signing_input(object_type, payload))
        except InvalidSignature:
            raise SignatureError(f"the signature of a {object_type!r} does not verify") from None

    def seal(self, message: bytes, *, info: bytes) -> bytes:
        """Encrypt `message` so that only this identity opens it, and only with the same `info`.

        Raises:
            IdentityError: the identity's sealing key is degenerate.
        """
        try:
            return _SUITE.encrypt(message, self._sealing, info)
        except ValueError as error:
            raise IdentityError("this identity's sealing key is unusable") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicIdentity) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._fingerprint)

    def __repr__(self) -> str:
        return f"<PublicIdentity {self._fingerprint.hex()[:16]}>"

    def __reduce__(self) -> tuple[object, ...]:
        return (PublicIdentity.parse, (self._encoded,))


class Identity:
    """A user's private identity. Holds the seed; never shows, copies or pickles it.

    Threads: immutable after construction, safe to share.
    """

    __slots__ = ("_public", "_sealing", "_seed", "_signing")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an identity seed has {SEED_BYTES} bytes")
        self._seed = bytes(seed)
        self._signing = Ed25519PrivateKey.from_private_bytes(_derive(seed, "ed25519", 32))
        kem = MLKEM768PrivateKey.from_seed_bytes(_derive(seed, "ml-kem-768", 64))
        exchange = X25519PrivateKey.from_private_bytes(_derive(seed, "x25519", 32))
        self._sealing = hpke.MLKEM768X25519PrivateKey(kem, exchange)
        self._public = PublicIdentity(
            bytes([PUBLIC_VERSION])
            + self._signing.public_key().public_bytes_raw()
            + kem.public_key().public_bytes_raw()
            + exchange.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> Self:
        """Make a new identity from the system's randomness."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the identity of a 32-byte seed.

        Raises:
            ValueError: the seed has another length.
        """
        return cls(seed)

    @classmethod
    def load(cls, path: str | PathLike[str], passphrase: str | None = None) -> Self:
        """Read an identity file.

        Raises:
            IdentityFilePermissionsError: other users of the machine have access to the file.
            PassphraseError: the passphrase is missing, superfluous or wrong.
            IdentityFileError: the file is missing or malformed.
        """
        seed, public = storage.decode(storage.read_private(Path(path)), passphrase)
        identity = cls(seed)
        if identity.public.encode() != public:
            raise storage.IdentityFileError("the identity file's public part does not match")
        return identity

    def save(
        self, path: str | PathLike[str], passphrase: str | None = None, *, overwrite: bool = False
    ) -> None:
        """Write an identity file with mode 0600, under the passphrase if one is given.

        Raises:
            IdentityFileError: the file exists and `overwrite` is false, or cannot be written.
        """
        data = storage.encode(self._seed, self._public.encode(), passphrase)
        storage.write_private(Path(path), data, overwrite=overwrite)

    @property
    def public(self) -> PublicIdentity:
        """The public half."""
        return self._public

    def sign(self, object_type: str, payload: bytes) -> bytes:
        """Return the 64-byte signature over the type and the payload."""
        return self._signing.sign(signing_input(object_type, payload))

    def open_sealed(self, sealed: bytes, *, info: bytes) -> bytes:
        """Open what `PublicIdentity.seal` made for this identity with the same `info`.

        Raises:
            SealedMessageError: damaged, or meant for another identity or purpose.
        """
        try:
            return _SUITE.decrypt(sealed, self._sealing, info)
        except (InvalidTag, ValueError):
            raise SealedMessageError("a sealed message does not open") from None

    def __repr__(self) -> str:
        return f"<Identity {self._public.fingerprint.hex()[:16]}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an Identity is not copied or pickled; use save() and load()")


def format_fingerprint(fingerprint: bytes) -> str:
    """Show a fingerprint as upper-case hex in groups of 4 digits."""
    return fingerprint.hex(" ", 2).upper()


def _derive(seed: bytes, purpose: str, length: int) -> bytes:
    info = b"sealroom/1 identity " + purpose.encode("ascii")
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(seed)
