"""The secret of one epoch of a room: made, committed to, sealed to members, split into keys."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from sealroom.crypto.errors import (
    CommitmentMismatchError,
    SealedSecretEpochError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
)
from sealroom.crypto.labels import SECRET_BYTES, bind, digest, expand
from sealroom.identity import Identity, PublicIdentity, SealedMessageError
from sealroom.protocol import SealedSecret


@dataclass(frozen=True, slots=True)
class EpochId:
    """Names one epoch of one room; every key and seal of it is bound to these."""

    context_id: str
    room_id: str
    epoch: int


class KeyHolder:
    """Base of what holds keys or secrets as bytes: it is neither copied nor pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds keys: it is neither copied nor pickled")


@dataclass(frozen=True, slots=True)
class EpochKeys(KeyHolder):
    """The separate keys of an epoch; repr shows none of them."""

    id: EpochId
    metadata: bytes = field(repr=False)
    media: bytes = field(repr=False)
    data: bytes = field(repr=False)


def new_epoch_secret() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(SECRET_BYTES)


def derive_epoch_keys(secret: bytes, epoch: EpochId) -> EpochKeys:
    """Split an epoch secret by purpose, so that no key serves two."""
    bound = (epoch.context_id, epoch.room_id, epoch.epoch)
    return EpochKeys(
        id=epoch,
        metadata=expand(secret, "epoch metadata", *bound),
        media=expand(secret, "epoch media", *bound),
        data=expand(secret, "epoch data", *bound),
    )


def commit(secret: bytes, epoch: EpochId) -> bytes:
    """Return the 32-byte commitment that a manager signs; it hides and binds the secret."""
    return digest("epoch commitment", epoch.context_id, epoch.room_id, epoch.epoch, secret)


def check_commitment(secret: bytes, epoch: EpochId, commitment: bytes) -> None:
    """Return if `secret` is what was committed to.

    Raises:
        CommitmentMismatchError: it is not.
    """
    if not hmac.compare_digest(commit(secret, epoch), commitment):
        raise CommitmentMismatchError("the epoch secret is not the one a manager committed to")


def seal_info(epoch: EpochId, user_id: str, recipient: PublicIdentity) -> bytes:
    """What HPKE binds a sealed secret to: room, epoch and recipient."""
    return bind(
        "epoch secret",
        epoch.context_id,
        epoch.room_id,
        epoch.epoch,
        user_id,
        recipient.fingerprint,
    )


def seal_secret(
    secret: bytes, epoch: EpochId, user_id: str, recipient: PublicIdentity
) -> SealedSecret:
    """Seal an epoch secret to one member.

    Raises:
        IdentityError: the recipient's key is degenerate.
    """
    sealed = recipient.seal(secret, info=seal_info(epoch, user_id, recipient))
    return SealedSecret(user_id=user_id, epoch=epoch.epoch, sealed=sealed)


def open_secret(
    sealed_secrets: Iterable[SealedSecret],
    epoch: EpochId,
    user_id: str,
    identity: Identity,
    commitment: bytes,
) -> bytes:
    """Open one's own secret of an epoch and check it against the signed commitment.

    Raises:
        SealedSecretRecipientError, SealedSecretEpochError: none of them is marked for this user
            and epoch.
        SealedSecretOpenError: it is, but was not made for this user, room and epoch.
        CommitmentMismatchError: it opens, but to another secret than the manager's.
    """
    own = [one for one in sealed_secrets if one.user_id == user_id]
    if not own:
        raise SealedSecretRecipientError(f"the Bridge has no secret sealed to {user_id!r}")
    current = [one for one in own if one.epoch == epoch.epoch]
    if not current:
        raise SealedSecretEpochError(f"the Bridge has no secret of epoch {epoch.epoch}")
    info = seal_info(epoch, user_id, identity.public)
    try:
        secret = identity.open_sealed(current[0].sealed, info=info)
    except SealedMessageError:
        raise SealedSecretOpenError(
            "the sealed epoch secret was not made for this user, room and epoch"
        ) from None
    check_commitment(secret, epoch, commitment)
    return secret
