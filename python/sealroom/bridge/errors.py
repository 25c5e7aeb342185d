"""Refusals: raised anywhere in the Bridge, turned into JSON-RPC errors in one place."""

from typing import ClassVar

import msgspec

from sealroom.errors import SealroomError
from sealroom.protocol import ERROR_SENTENCES, ErrorCode, ErrorDetail, ErrorObject


class BridgeError(SealroomError):
    """The Bridge cannot start or run as told."""

    code: ClassVar[str] = "bridge"


class RequestError(SealroomError):
    """A request that is refused and has changed nothing.

    Args:
        error: its row in the table of errors.
        detail: more about this case; shown to the client, so never secret and never about what
            the client may not see.
        field: path of the parameter at fault.
        remedy: what the client can do.
        retry_after: seconds after which the same request may succeed.
        url: of the Bridge to ask instead.
    """

    code: ClassVar[str] = "request"

    def __init__(
        self,
        error: ErrorCode,
        detail: str = "",
        *,
        field: str | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
        url: str | None = None,
    ) -> None:
        sentence = ERROR_SENTENCES[error]
        self.message = f"{sentence} {detail}" if detail else sentence
        about = f" ({field})" if field else ""
        advice = f" Remedy: {remedy}." if remedy else ""
        super().__init__(f"{self.message}{about}{advice}")
        self.error = error
        self.field = field
        self.remedy = remedy
        self.retry_after = retry_after
        self.url = url

    def to_object(self) -> ErrorObject:
        """Return the error as it travels."""
        detail = ErrorDetail(
            name=self.error.name,
            field=self.field,
            remedy=self.remedy,
            retry_after=self.retry_after,
            url=self.url,
        )
        return ErrorObject(code=int(self.error), message=self.message, data=detail)


def access_denied(field: str | None = None) -> RequestError:
    """The one answer for what does not exist and for what the caller may not see or do."""
    return RequestError(ErrorCode.ACCESS_DENIED, field=field, remedy="ask a manager of the room")


def lives_elsewhere(url: str) -> RequestError:
    """The room has another home than this Bridge."""
    return RequestError(
        ErrorCode.ROOM_ELSEWHERE,
        field="room_id",
        remedy=f"connect to {url} for this room",
        url=url,
    )


def home_silent(url: str) -> RequestError:
    """The home of the room does not answer this Bridge; whether it acted is unknown."""
    return RequestError(
        ErrorCode.HOME_SILENT,
        field="room_id",
        remedy=f"look what became of it, then try again, here or at {url}",
        url=url,
    )


def from_object(error: ErrorObject) -> RequestError:
    """Return the refusal of another Bridge."""
    code, detail = ErrorCode(error.code), error.data
    assert detail is not None  # `to_object` has it
    return RequestError(
        code,
        error.message.removeprefix(ERROR_SENTENCES[code]).lstrip(),
        field=detail.field,
        remedy=detail.remedy,
        retry_after=detail.retry_after,
        url=detail.url,
    )


def limit_exceeded(what: str, limit: int, *, field: str | None = None) -> RequestError:
    """A number of things reached its limit."""
    return RequestError(
        ErrorCode.LIMIT_EXCEEDED,
        f"At most {limit} {what}.",
        field=field,
        remedy=f"stay within {limit} {what}",
    )


def malformed(
    code: ErrorCode, error: msgspec.DecodeError, *, prefix: str = "", remedy: str = ""
) -> RequestError:
    """Name the field at fault; a decoding error says what was expected, never what came."""
    text = str(error)
    what, _, path = text.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    if "unknown field `" in what or "required field `" in what:
        path = ".".join(filter(None, [path, what.rsplit("`", 2)[-2]]))
    field = ".".join(filter(None, [prefix, path])) or None
    return RequestError(code, f"{what}.", field=field, remedy=remedy or what)
