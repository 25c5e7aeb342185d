"""Signed objects: payload bytes carried verbatim, decoded only after their signature verified."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sealroom.crypto.errors import ForgedSignatureError, MalformedObjectError, ObjectTypeError
from sealroom.identity import Identity, PublicIdentity, SignatureError
from sealroom.protocol import Message, SignedObject
from sealroom.protocol.decoding import decode_json

Payload = TypeVar("Payload", bound=Message)


def sign_object(
    identity: Identity, author: str, object_type: str, payload: Message
) -> SignedObject:
    """Serialise `payload` once and sign these bytes."""
    data = msgspec.json.encode(payload)
    return SignedObject(
        type=object_type,
        payload=data,
        signature=identity.sign(object_type, data),
        author=author,
    )


def verify_object(
    signed: SignedObject, object_type: str, author: PublicIdentity, payload: type[Payload]
) -> Payload:
    """Return the payload of an object that this author signed as this type.

    Raises:
        ObjectTypeError, ForgedSignatureError, MalformedObjectError.
    """
    if signed.type != object_type:
        raise ObjectTypeError(f"a {signed.type!r} is handed out as a {object_type!r}")
    try:
        author.verify(object_type, signed.payload, signed.signature)
    except SignatureError:
        raise ForgedSignatureError(
            f"the {object_type!r} was not signed by {signed.author!r}"
        ) from None
    return read_unverified(signed, payload)


def read_unverified(signed: SignedObject, payload: type[Payload]) -> Payload:
    """Return what an object claims, to learn whose keys verifying it takes.

    Raises:
        MalformedObjectError: the payload does not have its shape.
    """
    try:
        return decode_json(signed.payload, payload)
    except msgspec.DecodeError as error:
        raise MalformedObjectError(f"the payload of a {signed.type!r}: {error}") from error
