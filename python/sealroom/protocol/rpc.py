"""JSON-RPC 2.0 envelopes and the table of errors."""

from enum import IntEnum
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from .limits import MAX_ID_LENGTH
from .values import Message

RequestId: TypeAlias = (
    Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
)


class Request(Message, frozen=True):
    """A call. The Bridge takes no notifications: every request has an id."""

    id: RequestId
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    jsonrpc: Literal["2.0"] = "2.0"


class ErrorCode(IntEnum):
    """Codes of refused requests: below zero those of JSON-RPC 2.0, above 1000 ours."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_LOGGED_IN = 1001
    ALREADY_LOGGED_IN = 1002
    LOGIN_FAILED = 1003
    ACCESS_DENIED = 1004
    ADMIN_REQUIRED = 1005
    LIMIT_EXCEEDED = 1006
    BUSY = 1007
    CONTEXT_NOT_FOUND = 1101
    USER_NOT_FOUND = 1102
    USER_EXISTS = 1103
    ROOM_EXISTS = 1201
    ROOM_CLOSED = 1202
    RECORD_INVALID = 1203
    SIGNATURE_INVALID = 1204
    SECRETS_INVALID = 1205
    ALREADY_JOINED = 1206
    NOT_JOINED = 1207
    VERSION_CONFLICT = 1208
    NOT_CLOSED = 1209
    PARTICIPANT_NOT_FOUND = 1210
    EVENT_INVALID = 1211
    STREAM_EXISTS = 1301
    STREAM_NOT_FOUND = 1302
    TRACK_NOT_FOUND = 1303
    ANNOUNCEMENT_INVALID = 1304
    OFFER_INVALID = 1305
    MEDIA_FAILED = 1306
    RECORDING_ALREADY = 1310
    NOT_RECORDING = 1311
    TRANSPORT_NOT_FOUND = 1330
    MEDIA_SERVER_FAILED = 1331
    SUBSCRIPTION_NOT_FOUND = 1401
    SESSION_NOT_FOUND = 1410
    KEY_NOT_FOUND = 1501
    ROOM_ELSEWHERE = 1601
    HOME_SILENT = 1602
    SCOPE_REQUIRED = 1502
    LAST_KEY = 1503
    RATE_LIMITED = 1504
    ROOM_NOT_FOUND = 1505


ERROR_SENTENCES: Final[dict[ErrorCode, str]] = {
    ErrorCode.PARSE_ERROR: "The message is not JSON.",
    ErrorCode.INVALID_REQUEST: "The message is not a JSON-RPC 2.0 request.",
    ErrorCode.METHOD_NOT_FOUND: "There is no such method.",
    ErrorCode.INVALID_PARAMS: "The parameters are malformed or beyond a limit.",
    ErrorCode.INTERNAL_ERROR: "The Bridge failed to carry out the request.",
    ErrorCode.NOT_LOGGED_IN: "The method needs a log-in.",
    ErrorCode.ALREADY_LOGGED_IN: "This connection is logged in already.",
    ErrorCode.LOGIN_FAILED: "The log-in was refused.",
    ErrorCode.ACCESS_DENIED: "It does not exist or you may not do this.",
    ErrorCode.ADMIN_REQUIRED: "The method needs an administrator's API key.",
    ErrorCode.LIMIT_EXCEEDED: "A limit is reached.",
    ErrorCode.BUSY: "The Bridge has no capacity left; try again later.",
    ErrorCode.CONTEXT_NOT_FOUND: "There is no such context.",
    ErrorCode.USER_NOT_FOUND: "There is no such user in the context.",
    ErrorCode.USER_EXISTS: "The user is in the context already.",
    ErrorCode.ROOM_EXISTS: "The room id is taken.",
    ErrorCode.ROOM_CLOSED: "The room is closed.",
    ErrorCode.RECORD_INVALID: "The room record does not fit the request.",
    ErrorCode.SIGNATURE_INVALID: "The signature is not the author's over this payload.",
    ErrorCode.SECRETS_INVALID: "The sealed secrets do not fit the members.",
    ErrorCode.ALREADY_JOINED: "This connection is in the room already.",
    ErrorCode.NOT_JOINED: "Join the room first.",
    ErrorCode.VERSION_CONFLICT: "The room has changed since the version that this one follows.",
    ErrorCode.NOT_CLOSED: "The room is not closed.",
    ErrorCode.PARTICIPANT_NOT_FOUND: "There is no such participant in the room.",
    ErrorCode.EVENT_INVALID: "The custom event does not fit the request.",
    ErrorCode.STREAM_EXISTS: "The stream id is taken.",
    ErrorCode.STREAM_NOT_FOUND: "There is no such stream in the room.",
    ErrorCode.TRACK_NOT_FOUND: "There is no such track in the stream.",
    ErrorCode.ANNOUNCEMENT_INVALID: "The stream announcement does not fit the request.",
    ErrorCode.OFFER_INVALID: "The SDP does not fit the request.",
    ErrorCode.MEDIA_FAILED: "The media server refused.",
    ErrorCode.RECORDING_ALREADY: "The participant says to record already.",
    ErrorCode.NOT_RECORDING: "The participant does not say to record.",
    ErrorCode.TRANSPORT_NOT_FOUND: "The participant has no such media transport, or it is dead.",
    ErrorCode.MEDIA_SERVER_FAILED: "The media server failed or does not answer.",
    ErrorCode.SUBSCRIPTION_NOT_FOUND: "There is no such event subscription.",
    ErrorCode.SESSION_NOT_FOUND: "The session is over.",
    ErrorCode.ROOM_ELSEWHERE: "The room lives at another Bridge now.",
    ErrorCode.HOME_SILENT: "The Bridge at which the room lives does not answer this one.",
    ErrorCode.KEY_NOT_FOUND: "There is no such API key.",
    ErrorCode.SCOPE_REQUIRED: "The API key does not have the scope for this.",
    ErrorCode.LAST_KEY: "It is the last API key that can do everything.",
    ErrorCode.RATE_LIMITED: "Too many requests in too short a time.",
    ErrorCode.ROOM_NOT_FOUND: "There is no such room.",
}


class ErrorDetail(Message, frozen=True):
    """Name of the code, the field at fault (a path such as `record.payload`) and the remedy.

    `retry_after`: seconds after which the same request may succeed. `url`: of the Bridge to ask
    instead.
    """

    name: str
    field: str | None = None
    remedy: str | None = None
    retry_after: float | None = None
    url: str | None = None


class ErrorObject(Message, frozen=True):
    """Error of a response; `message` is a whole sentence for people."""

    code: int
    message: str
    data: ErrorDetail | None = None


class Success(Message, frozen=True):
    """Response to a request that was carried out."""

    id: RequestId
    result: msgspec.Raw
    jsonrpc: Literal["2.0"] = "2.0"


class Failure(Message, frozen=True):
    """Response to a refused request, which changed nothing; `id` is None when it was unreadable."""

    id: RequestId | None
    error: ErrorObject
    jsonrpc: Literal["2.0"] = "2.0"


class Notification(Message, frozen=True):
    """Message from the Bridge that is no response: an event."""

    method: str
    params: msgspec.Raw
    jsonrpc: Literal["2.0"] = "2.0"


class Incoming(Message, frozen=True):
    """Any message from the Bridge, to decode in one go: one of result, error, method is set."""

    jsonrpc: Literal["2.0"]
    id: RequestId | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | msgspec.UnsetType = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
