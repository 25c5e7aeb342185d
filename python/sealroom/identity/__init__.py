"""Who a user is, and whom the application believes it to be.

`keys` has `Identity` and `PublicIdentity`, `storage` the identity file, `trust` the verifiers that
decide which public identity belongs to which user. Needs neither the native core nor a network.
"""

from sealroom.identity.keys import (
    FINGERPRINT_BYTES,
    PUBLIC_BYTES,
    PUBLIC_PREFIX,
    SEAL_OVERHEAD_BYTES,
    SEED_BYTES,
    SIGNATURE_BYTES,
    Identity,
    IdentityError,
    PublicIdentity,
    SealedMessageError,
    SignatureError,
    format_fingerprint,
    signing_input,
)
from sealroom.identity.room_pins import (
    MemoryRoomPins,
    RoomPin,
    RoomPinFile,
    RoomPins,
    default_room_pin_file,
)
from sealroom.identity.safety_number import pair_safety_number, room_safety_number
from sealroom.identity.storage import (
    IdentityFileError,
    IdentityFilePermissionsError,
    PassphraseError,
)
from sealroom.identity.trust import (
    AllowList,
    CallbackVerifier,
    PinFileError,
    TrustOnFirstUse,
    UserKey,
    UserVerifier,
    default_pin_file,
)

__all__ = [
    "FINGERPRINT_BYTES",
    "PUBLIC_BYTES",
    "PUBLIC_PREFIX",
    "SEAL_OVERHEAD_BYTES",
    "SEED_BYTES",
    "SIGNATURE_BYTES",
    "AllowList",
    "CallbackVerifier",
    "Identity",
    "IdentityError",
    "IdentityFileError",
    "IdentityFilePermissionsError",
    "MemoryRoomPins",
    "PassphraseError",
    "PinFileError",
    "PublicIdentity",
    "RoomPin",
    "RoomPinFile",
    "RoomPins",
    "SealedMessageError",
    "SignatureError",
    "TrustOnFirstUse",
    "UserKey",
    "UserVerifier",
    "default_pin_file",
    "default_room_pin_file",
    "format_fingerprint",
    "pair_safety_number",
    "room_safety_number",
    "signing_input",
]
