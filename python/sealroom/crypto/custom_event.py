"""Custom events: signed by their sender, encrypted for the members of an epoch.

    key  = Expand(epoch data key, "custom event", sender's fingerprint)
    data = nonce (12 random bytes) + AES-256-GCM ciphertext + tag, bound to all other fields

Every member of the room could decrypt an event for some of them: the Bridge keeps it from the
others, and who gets it all the same refuses it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom.access import Right, member_may
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import (
    ContextMismatchError,
    EventDecryptError,
    EventRightError,
    EventSenderError,
    MemberKeyMismatchError,
    RoomMismatchError,
)
from sealroom.crypto.labels import bind, expand
from sealroom.crypto.signed_object import sign_object, verify_object
from sealroom.identity import Identity, PublicIdentity
from sealroom.protocol import (
    CUSTOM_EVENT_TYPE,
    CustomEventPayload,
    RoomRecord,
    SignedObject,
)

_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class OpenedEvent:
    """A custom event that a member of the room sent to this user."""

    event_id: str
    user_id: str
    channel: str
    sent_at: int
    data: bytes = field(repr=False)


def make_custom_event(
    identity: Identity,
    user_id: str,
    *,
    keys: EpochKeys,
    data: bytes,
    channel: str,
    user_ids: Sequence[str] | None,
    sent_at: int,
) -> SignedObject:
    """Encrypt and sign an event; `user_ids` None for every member."""
    event_id, nonce = secrets.token_hex(16), secrets.token_bytes(_NONCE_BYTES)
    payload = CustomEventPayload(
        context_id=keys.id.context_id,
        room_id=keys.id.room_id,
        event_id=event_id,
        epoch=keys.id.epoch,
        sent_at=sent_at,
        channel=channel,
        user_ids=None if user_ids is None else list(user_ids),
        data=b"",
    )
    key = expand(keys.data, "custom event", identity.public.fingerprint)
    sealed = nonce + AESGCM(key).encrypt(nonce, data, _bound(payload, user_id))
    payload = CustomEventPayload(
        **{name: getattr(payload, name) for name in payload.__struct_fields__ if name != "data"},
        data=sealed,
    )
    return sign_object(identity, user_id, CUSTOM_EVENT_TYPE, payload)


def open_custom_event(
    signed: SignedObject,
    record: RoomRecord,
    epochs: Sequence[EpochKeys],
    sender: PublicIdentity,
    reader: str,
) -> OpenedEvent:
    """Return an event if a member of the room sent it to `reader` in one of these epochs.

    `record` must be verified; `sender` is the public identity of `signed.author`.

    Raises:
        EventSenderError: by somebody who is no member, or not for this user.
        EventRightError: the record's policy does not let the sender send events.
        MemberKeyMismatchError: the record gives the sender another key.
        ObjectTypeError, ForgedSignatureError, MalformedObjectError: see `verify_object`.
        ContextMismatchError, RoomMismatchError: sent elsewhere.
        EventDecryptError: of another epoch, or damaged.
    """
    members = {one.user_id: one for one in record.members}
    member = members.get(signed.author)
    if member is None:
        raise EventSenderError(f"{signed.author!r} sends events without being a member")
    if member.identity_fingerprint != sender.fingerprint:
        raise MemberKeyMismatchError(signed.author)
    if not member_may(record, Right.SEND_CUSTOM_EVENT, signed.author):
        raise EventRightError(f"the policy of the room does not let {signed.author!r} send events")
    payload = verify_object(signed, CUSTOM_EVENT_TYPE, sender, CustomEventPayload)
    if payload.context_id != record.context_id:
        raise ContextMismatchError("the event was sent in another context")
    if payload.room_id != record.room_id:
        raise RoomMismatchError("the event was sent in another room")
    if payload.user_ids is not None and reader not in payload.user_ids:
        raise EventSenderError("the event is for others")
    keys = next((one for one in epochs if one.id.epoch == payload.epoch), None)
    if keys is None:
        raise EventDecryptError(f"the event is of epoch {payload.epoch}, which is not in use")
    nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
    key = expand(keys.data, "custom event", sender.fingerprint)
    try:
        data = AESGCM(key).decrypt(nonce, sealed, _bound(payload, signed.author))
    except (InvalidTag, ValueError):
        raise EventDecryptError("the event does not decrypt") from None
    return OpenedEvent(payload.event_id, signed.author, payload.channel, payload.sent_at, data)


def _bound(payload: CustomEventPayload, user_id: str) -> bytes:
    return bind(
        "custom event",
        payload.context_id,
        payload.room_id,
        payload.event_id,
        payload.epoch,
        payload.sent_at,
        payload.channel,
        user_id,
        *(payload.user_ids or ()),
    )
