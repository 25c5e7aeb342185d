"""One class per lie that a Bridge or a member may tell, so that a program can tell them apart."""

from __future__ import annotations

from sealroom.errors import SealroomError


class VerificationError(SealroomError):
    """Base: something signed, sealed or encrypted is not what it is handed out as."""

    code = "verification"


class MalformedObjectError(VerificationError):
    """A signed payload or encrypted blob does not have its shape."""

    code = "malformed_object"


class ObjectTypeError(VerificationError):
    """A signed object of one type is handed out as another."""

    code = "object_type"


class ForgedSignatureError(VerificationError):
    """The signature is not the named author's over this payload."""

    code = "forged_signature"


class AuthorError(VerificationError):
    """The record's author is not who signed it, or was no manager of the version before."""

    code = "author"


class ContextMismatchError(VerificationError):
    """Made for another context."""

    code = "context_mismatch"


class RoomMismatchError(VerificationError):
    """Made for another room."""

    code = "room_mismatch"


class RecordVersionError(VerificationError):
    """A version, previous hash or epoch that does not belong together or is not known here."""

    code = "record_version"


class RecordRollbackError(VerificationError):
    """An older version of a room than one seen before."""

    code = "record_rollback"


class RecordForkError(VerificationError):
    """Two histories of one room: another record in place of one seen before, or a broken link."""

    code = "record_fork"


class RecordHistoryError(VerificationError):
    """The Bridge does not hand out the records between the last one seen and the newest."""

    code = "record_history"


class RecordRuleError(VerificationError):
    """A manager signed what the record before does not allow; `field` says where."""

    code = "record_rule"

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"the room record breaks a rule at {field}: {remedy}")
        self.field = field


class EpochRuleError(VerificationError):
    """An epoch that goes back, skips, or goes on although a member was removed."""

    code = "epoch_rule"


class RoomMembersError(VerificationError):
    """The member list names somebody twice or lacks its reader."""

    code = "room_members"


class MemberKeyMismatchError(VerificationError):
    """A room record, or the Bridge, gives a user another key than the verified one."""

    code = "member_key_mismatch"

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"{user_id!r} comes with another key than the verified one: somebody tampers, or the"
            " user has a new identity; ask the user, then forget the old key at the UserVerifier"
        )
        self.user_id = user_id


class CommitmentMismatchError(VerificationError):
    """The epoch secret is not the one the manager committed to."""

    code = "commitment_mismatch"


class SealedSecretRecipientError(VerificationError):
    """The sealed secret is marked for another user."""

    code = "sealed_secret_recipient"


class SealedSecretEpochError(VerificationError):
    """The sealed secret is marked for another epoch, or there is none for this one."""

    code = "sealed_secret_epoch"


class SealedSecretOpenError(VerificationError):
    """The sealed secret does not open: damaged, or made for another recipient, room or epoch."""

    code = "sealed_secret_open"


class PrivateMetadataError(VerificationError):
    """Private metadata does not decrypt: damaged, or of another room, context or version."""

    code = "private_metadata"


class PublisherNotMemberError(VerificationError):
    """A stream of somebody who is no member of the room."""

    code = "publisher_not_member"


class PublisherRightError(VerificationError):
    """A stream of a member whom the signed policy does not let publish."""

    code = "publisher_right"


class PublisherMismatchError(VerificationError):
    """A stream handed out under another user than the one who signed its announcement."""

    code = "publisher_mismatch"


class StreamMismatchError(VerificationError):
    """A stream handed out under another id than the announced one."""

    code = "stream_mismatch"


class TrackMismatchError(VerificationError):
    """A track that was not announced, announced twice, or handed out as another kind or codec."""

    code = "track_mismatch"


class EventSenderError(VerificationError):
    """A custom event of somebody who is no member, or for others than this user."""

    code = "event_sender"


class EventRightError(VerificationError):
    """A custom event of a member whom the signed policy does not let send any."""

    code = "event_right"


class EventDecryptError(VerificationError):
    """A custom event does not decrypt, or is of an epoch that is not in use here."""

    code = "event_decrypt"


class EventReplayError(VerificationError):
    """A custom event comes again."""

    code = "event_replay"


class StreamDetailsError(VerificationError):
    """Title and names of a stream do not decrypt: damaged, or of another stream or version."""

    code = "stream_details"


class StreamUpdateError(VerificationError):
    """A newer announcement is none, or changes what stays: `sealroom.access.stream_changes`."""

    code = "stream_update"


class StreamRollbackError(StreamUpdateError):
    """An older announcement of a stream than the one seen before."""

    code = "stream_rollback"


class AnnouncementEpochError(VerificationError):
    """The announcement is of an epoch that the room has not reached."""

    code = "announcement_epoch"


class StreamReplayError(VerificationError):
    """An announcement of a stream that has ended comes back."""

    code = "stream_replay"
