"""What the client raises: refusals of the Bridge, and a connection that is gone."""

from __future__ import annotations

from typing import ClassVar

from sealroom.errors import SealroomError
from sealroom.protocol import ErrorCode, ErrorObject


class ConnectionClosedError(SealroomError):
    """The connection to the Bridge is closed; connect again."""

    code: ClassVar[str] = "connection_closed"


class RequestTimeoutError(SealroomError):
    """The Bridge did not answer in time; whether it acted is unknown."""

    code: ClassVar[str] = "request_timeout"


class ProtocolError(SealroomError):
    """The Bridge sent something that the protocol does not allow."""

    code: ClassVar[str] = "protocol_error"


class SessionMismatchError(ProtocolError):
    """The Bridge gives this side somebody else's session or participant, or one that was before."""

    code: ClassVar[str] = "session_mismatch"


class RequestRefusedError(SealroomError):
    """The Bridge refused a request, which changed nothing.

    Attributes:
        error_code: `sealroom.protocol.ErrorCode`, or the bare number of an unknown one.
        name: its name, "ACCESS_DENIED".
        field: the parameter at fault, if one is.
        remedy: what to do about it, if the Bridge says so.
    """

    code: ClassVar[str] = "request_refused"

    def __init__(self, method: str, error: ErrorObject) -> None:
        self.method = method
        self.error_code: int = error.code
        self.name = error.data.name if error.data else str(error.code)
        self.field = error.data.field if error.data else None
        self.remedy = error.data.remedy if error.data else None
        about = f" ({self.field})" if self.field else ""
        advice = f" Remedy: {self.remedy}." if self.remedy else ""
        super().__init__(f"{method}: {error.message}{about}{advice}")


class RoomElsewhereError(RequestRefusedError):
    """The room lives at another Bridge, which cannot be reached.

    Or the connection does not follow rooms to their homes (`Connection.connect`).

    Attributes:
        url: of that Bridge, for `Connection.connect`.
    """

    code: ClassVar[str] = "room_elsewhere"

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(method, error)
        self.url = (error.data.url if error.data else None) or ""


class HomeRefusedError(SealroomError):
    """The Bridge names another one where a room lives, and this side does not go there.

    The message says why: no URL of a Bridge, no TLS although the first Bridge has it, too many.
    """

    code: ClassVar[str] = "home_refused"


class HomeSilentError(RequestRefusedError):
    """The Bridge where the room lives does not answer the one that was asked.

    Unlike with other refusals it is not known whether it acted.

    Attributes:
        url: of the Bridge where the room lives.
    """

    code: ClassVar[str] = "home_silent"

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(method, error)
        self.url = (error.data.url if error.data else None) or ""


class MediaServerFailedError(RequestRefusedError):
    """The Bridge's media server failed or does not answer; the room is as it was.

    Attributes:
        retry_after: seconds after which the same request may succeed.
    """

    code: ClassVar[str] = "media_server_failed"

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(method, error)
        self.retry_after = (error.data.retry_after if error.data else None) or 1.0


class AccessDeniedError(RequestRefusedError):
    """It does not exist, or the caller may not do this: the Bridge does not tell which."""

    code: ClassVar[str] = "access_denied"


class LoginFailedError(RequestRefusedError):
    """Context, user or identity are not the registered ones."""

    code: ClassVar[str] = "login_failed"


class RateLimitedError(RequestRefusedError):
    """Too many requests in too short a time.

    Attributes:
        retry_after: seconds after which the same request may succeed.
    """

    code: ClassVar[str] = "rate_limited"

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(method, error)
        self.retry_after = (error.data.retry_after if error.data else None) or 1.0


_CLASSES: dict[int, type[RequestRefusedError]] = {
    ErrorCode.ACCESS_DENIED: AccessDeniedError,
    ErrorCode.ROOM_ELSEWHERE: RoomElsewhereError,
    ErrorCode.HOME_SILENT: HomeSilentError,
    ErrorCode.LOGIN_FAILED: LoginFailedError,
    ErrorCode.RATE_LIMITED: RateLimitedError,
    ErrorCode.MEDIA_SERVER_FAILED: MediaServerFailedError,
}


def refusal(method: str, error: ErrorObject) -> RequestRefusedError:
    """Return the exception for an error response."""
    return _CLASSES.get(error.code, RequestRefusedError)(method, error)


class VersionConflictError(SealroomError):
    """Somebody else changed the room meanwhile, and the changes do not go together."""

    code: ClassVar[str] = "version_conflict"


class AlreadyJoinedError(SealroomError):
    """The room is joined already."""

    code: ClassVar[str] = "already_joined"


class NotJoinedError(SealroomError):
    """The room is not joined."""

    code: ClassVar[str] = "not_joined"


class ApiClosedError(NotJoinedError):
    """The `StreamApi` is closed; make another one over the same connection."""

    code: ClassVar[str] = "api_closed"


class StreamStateError(SealroomError):
    """The stream handle is not in a state for this: see the message."""

    code: ClassVar[str] = "stream_state"


class DataTrackExistsError(SealroomError):
    """The stream has a data track already: a stream has one at most."""

    code: ClassVar[str] = "data_track_exists"


class DataTrackClosedError(SealroomError):
    """Nothing can be sent on this data track any more."""

    code: ClassVar[str] = "data_track_closed"


class DataTrackInterruptedError(DataTrackClosedError):
    """The connection of the data track broke and did not come back in time.

    The message was not sent; the track is there still, and another attempt may succeed.
    """

    code: ClassVar[str] = "data_track_interrupted"


class DataTrackCutError(SealroomError):
    """The media server ended the subscription of a data track; subscribe again to go on."""

    code: ClassVar[str] = "data_track_cut"


class DataTrackLostError(DataTrackCutError):
    """The session in which the data track was received is over; messages may be missing.

    It comes again as another `RemoteDataTrack` if its publisher is there, without being asked for;
    that one begins with a `DataGapError` if messages are missing.
    """

    code: ClassVar[str] = "data_track_lost"
