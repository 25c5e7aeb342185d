"""From a message to the method it calls and back: decoding, permission, errors, metrics, logs."""

import time
from typing import Final

import msgspec

from sealroom.protocol import (
    METHODS,
    ErrorCode,
    Failure,
    Message,
    Request,
    RequestId,
    Success,
)
from sealroom.protocol.decoding import UNDECODABLE

from .admission import Admission
from .connection import Connection
from .errors import RequestError, malformed
from .logs import get_logger, where
from .methods import Methods
from .metrics import Metrics

_UNKNOWN: Final = "unknown"  # label of methods that do not exist


class _IdOnly(msgspec.Struct):
    id: RequestId | None = None


class Dispatcher:
    """Answers every message with exactly one response."""

    def __init__(self, methods: Methods, admission: Admission, metrics: Metrics) -> None:
        self._methods = methods
        self._admission = admission
        self._metrics = metrics
        self._request = msgspec.json.Decoder(Request)
        self._params = {name: msgspec.json.Decoder(types[0]) for name, types in METHODS.items()}

    async def handle(self, connection: Connection, message: bytes) -> bytes:
        """Return the response to a message; never raises."""
        started = time.perf_counter()
        method, request_id = _UNKNOWN, None
        try:
            try:
                request = self._decode(message)
            except RequestError:
                self._admit(connection, _UNKNOWN)
                raise
            request_id = request.id
            if request.method in METHODS:
                method = request.method
            self._admit(connection, method)
            result = await self._call(connection, request)
        except RequestError as error:
            outcome = error.error.name
            if request_id is None:
                request_id = _read_id(message)
            response = msgspec.json.encode(Failure(id=request_id, error=error.to_object()))
        except Exception as error:
            outcome = ErrorCode.INTERNAL_ERROR.name
            get_logger().error("request failed", method=method, error=where(error))
            failure = RequestError(ErrorCode.INTERNAL_ERROR, remedy="see the log of the Bridge")
            response = msgspec.json.encode(Failure(id=request_id, error=failure.to_object()))
        else:
            outcome = "ok"
            raw = msgspec.Raw(msgspec.json.encode(result))
            response = msgspec.json.encode(Success(id=request.id, result=raw))
        self._metrics.requests.labels(method, outcome).inc()
        self._metrics.request_seconds.labels(method).observe(time.perf_counter() - started)
        get_logger().debug(
            "request",
            method=method,
            outcome=outcome,
            connection=connection.connection_id,
            user=connection.session.user_id if connection.session is not None else None,
        )
        return response

    async def disconnected(self, connection: Connection) -> None:
        """The connection is over."""
        await self._methods.disconnected(connection)

    def _admit(self, connection: Connection, method: str) -> None:
        is_known = connection.is_authenticated
        self._admission.require_request(connection.budget, method, is_known=is_known)

    def _decode(self, message: bytes) -> Request:
        try:
            return self._request.decode(message)
        except msgspec.ValidationError as error:
            raise malformed(ErrorCode.INVALID_REQUEST, error) from None
        except UNDECODABLE:
            raise RequestError(ErrorCode.PARSE_ERROR, remedy="send one JSON object") from None

    async def _call(self, connection: Connection, request: Request) -> Message:
        if (decoder := self._params.get(request.method)) is None:
            raise RequestError(ErrorCode.METHOD_NOT_FOUND, field="method", remedy="see METHODS")
        session = connection.session
        if request.method in self._methods.user and (session is None or session.ended):
            raise RequestError(ErrorCode.NOT_LOGGED_IN, remedy="call auth.login first")
        if request.method in self._methods.admin and connection.admin_key_id is None:
            raise RequestError(ErrorCode.ADMIN_REQUIRED, remedy="call auth.admin first")
        try:
            params = decoder.decode(request.params)
        except msgspec.ValidationError as error:
            raise malformed(ErrorCode.INVALID_PARAMS, error) from None
        except UNDECODABLE:
            raise RequestError(ErrorCode.PARSE_ERROR, field="params") from None
        if (open_method := self._methods.open.get(request.method)) is not None:
            return await open_method(connection, params)
        if request.method in self._methods.admin:
            return await self._methods.administer(connection, request.method, params)
        assert session is not None
        session.acl.require(request.method, params)
        return await self._methods.user[request.method](session, params)


def _read_id(message: bytes) -> RequestId | None:
    try:
        return msgspec.json.decode(message, type=_IdOnly).id
    except UNDECODABLE:
        return None
