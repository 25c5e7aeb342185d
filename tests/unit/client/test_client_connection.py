"""The connection against a scripted Bridge: log-in, errors, time-outs, and that nothing hangs."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
import websockets
from websockets.asyncio.server import ServerConnection, serve

from sealroom.client import Reconnect, rpc_socket
from sealroom.client.connection import MAX_PAST_SESSIONS, MAX_REQUESTS_IN_FLIGHT, Connection
from sealroom.client.errors import (
    AccessDeniedError,
    ConnectionClosedError,
    LoginFailedError,
    ProtocolError,
    RequestRefusedError,
    RequestTimeoutError,
    SessionMismatchError,
)
from sealroom.identity import Identity
from sealroom.protocol import (
    CLOSE_TAKEN_OVER,
    CLOSE_USER_REMOVED,
    LOGIN_TYPE,
    Empty,
    ErrorCode,
    EventEnvelope,
    ParticipantsResult,
    RoomParams,
)

ALICE = Identity.from_seed(b"a" * 32)
NONCE = b"n" * 32
PARAMS = RoomParams(room_id="room")


class ScriptedBridge:
    """Answers log-ins, and everything else as `answer` says."""

    def __init__(self) -> None:
        self.url = ""
        self.identity = ALICE.public
        self.sessions = 0
        self.requests: list[dict[str, Any]] = []
        self.sockets: list[ServerConnection] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda request: {"result": {}}

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        async for message in socket:
            request = json.loads(message)
            self.requests.append(request)
            reply = self._log_in(request) or self.answer(request)
            if reply is not None:
                await self.send({"jsonrpc": "2.0", "id": request["id"], **reply})

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.sockets[-1].send(text)

    async def event(self, sequence: int = 1, **changes: Any) -> None:
        params = {
            "sequence": sequence,
            "type": "participant.left",
            "context_id": "c",
            "room_id": "room",
            "data": {"participant_id": "p", "user_id": "bob"},
            **changes,
        }
        await self.send({"jsonrpc": "2.0", "method": "event", "params": params})

    def _log_in(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request["method"] == "auth.challenge":
            nonce = base64.b64encode(NONCE).decode()
            return {"result": {"bridge_id": "b", "nonce": nonce, "expires_in": 60.0}}
        if request["method"] == "auth.login":
            payload = base64.b64decode(request["params"]["payload"])
            signature = base64.b64decode(request["params"]["signature"])
            ALICE.public.verify(LOGIN_TYPE, payload, signature)
            assert base64.b64decode(json.loads(payload)["nonce"]) == NONCE
            user = {"user_id": "alice", "identity": self.identity.encode()}
            self.sessions += 1
            session_id = "s" if self.sessions == 1 else f"s{self.sessions}"
            return {"result": {"session_id": session_id, "user": user}}
        return None


@pytest_asyncio.fixture
async def bridge() -> AsyncIterator[ScriptedBridge]:
    script = ScriptedBridge()
    async with serve(script.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        script.url = f"ws://127.0.0.1:{port}"
        yield script


async def connect(bridge: ScriptedBridge, timeout: float = 5.0) -> Connection:
    """A connection that is over when its socket is."""
    return await Connection.connect(
        bridge.url,
        identity=ALICE,
        user_id="alice",
        context_id="c",
        request_timeout=timeout,
        reconnect=None,
    )


def refuse(code: int, **data: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No.", "data": {"name": "NAME", **data}}}


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_it_logs_in_by_signing_the_challenge(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        assert connection.session_id == "s"
        assert [one["method"] for one in bridge.requests] == ["auth.challenge", "auth.login"]
    assert connection.is_closed


async def test_a_log_in_answered_for_somebody_else_is_refused(bridge: ScriptedBridge) -> None:
    bridge.identity = Identity.generate().public
    with pytest.raises(ProtocolError, match="somebody else"):
        await connect(bridge)


async def test_a_session_id_that_was_before_is_refused(bridge: ScriptedBridge) -> None:
    connection = await connect(bridge)
    for number in range(MAX_PAST_SESSIONS + 10):
        connection._begin_session(f"n{number}")
    with pytest.raises(SessionMismatchError):
        connection._begin_session(f"n{MAX_PAST_SESSIONS + 9}")
    assert connection.session_id == f"n{MAX_PAST_SESSIONS + 9}"
    assert len(connection._past_sessions) == MAX_PAST_SESSIONS
    await connection.close()


async def test_a_refused_log_in_is_a_login_error_and_closes(
    bridge: ScriptedBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_log_in", lambda request: None)
    bridge.answer = lambda request: refuse(ErrorCode.LOGIN_FAILED)
    with pytest.raises(LoginFailedError):
        await connect(bridge)
    await eventually(lambda: bridge.sockets[0].close_code is not None)


async def test_nobody_at_the_address_is_a_closed_connection() -> None:
    for url in ("ws://127.0.0.1:9", "ws://:nonsense"):
        with pytest.raises(ConnectionClosedError, match="cannot reach"):
            await Connection.connect(url, identity=ALICE, user_id="alice", context_id="c")


async def test_a_refusal_carries_code_field_and_remedy(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: refuse(ErrorCode.ROOM_CLOSED, field="room_id", remedy="make one")
        with pytest.raises(RequestRefusedError, match=r"room\.leave: No\.") as caught:
            await connection.call("room.leave", PARAMS, Empty)
        error = caught.value
        assert (error.error_code, error.field, error.remedy) == (
            ErrorCode.ROOM_CLOSED,
            "room_id",
            "make one",
        )
        bridge.answer = lambda _: refuse(ErrorCode.ACCESS_DENIED)
        with pytest.raises(AccessDeniedError):
            await connection.call("room.leave", PARAMS, Empty)


async def test_an_error_code_of_the_future_is_still_a_refusal(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: {"error": {"code": 9999, "message": "New."}}
        with pytest.raises(RequestRefusedError) as caught:
            await connection.call("room.leave", PARAMS, Empty)
        assert caught.value.error_code == 9999


async def test_no_answer_is_a_timeout_and_the_connection_goes_on(bridge: ScriptedBridge) -> None:
    async with await connect(bridge, timeout=0.2) as connection:
        bridge.answer = lambda _: None
        with pytest.raises(RequestTimeoutError):
            await connection.call("room.leave", PARAMS, Empty)
        late = bridge.requests[-1]["id"]
        await bridge.send({"jsonrpc": "2.0", "id": late, "result": {}})
        bridge.answer = lambda _: {"result": {}}
        await connection.call("room.leave", PARAMS, Empty)


async def test_answers_may_come_in_any_order(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: None
        calls = [
            asyncio.create_task(connection.call("room.participants", PARAMS, ParticipantsResult))
            for _ in range(3)
        ]
        await eventually(lambda: len(bridge.requests) == 5)
        for request in reversed(bridge.requests[2:]):
            participant = {"participant_id": str(request["id"]), "user_id": "bob"}
            await bridge.send(
                {
                    "jsonrpc": "2.0",
                    "id": request["id"],
                    "result": {"participants": [participant]},
                }
            )
        results = await asyncio.gather(*calls)
        got = [one.participants[0].participant_id for one in results]
        assert got == [str(request["id"]) for request in bridge.requests[2:]]


@pytest.mark.parametrize("result", [[], {"unknown": 1}, {"participants": [{}]}, None, "text"])
async def test_a_malformed_result_is_a_protocol_error(bridge: ScriptedBridge, result: Any) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: {"result": result}
        with pytest.raises(ProtocolError):
            await connection.call("room.participants", PARAMS, ParticipantsResult)
        assert not connection.is_closed


async def test_an_answer_that_is_neither_result_nor_error_is_a_protocol_error(
    bridge: ScriptedBridge,
) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: {}
        with pytest.raises(ProtocolError, match="neither"):
            await connection.call("room.leave", PARAMS, Empty)


@pytest.mark.parametrize("message", ["{", "[]", '{"jsonrpc": "1.0"}', '{"jsonrpc": "2.0", "x": 1}'])
async def test_a_malformed_message_ends_the_connection(
    bridge: ScriptedBridge, message: str
) -> None:
    connection = await connect(bridge)
    reasons: list[str] = []
    connection.on_close(reasons.append)
    await bridge.send(message)
    await eventually(lambda: connection.is_closed)
    assert "malformed" in reasons[0]
    await eventually(lambda: bridge.sockets[0].close_code == 1002)
    await connection.close()


async def test_a_malformed_event_ends_the_connection(bridge: ScriptedBridge) -> None:
    connection = await connect(bridge)
    await bridge.event(sequence="x")  # type: ignore[arg-type]
    await eventually(lambda: connection.is_closed)
    await connection.close()


async def test_what_nobody_asked_for_is_ignored(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        await bridge.send({"jsonrpc": "2.0", "id": 999, "result": {}})
        await bridge.send({"jsonrpc": "2.0", "id": "text", "result": {}})
        await bridge.send({"jsonrpc": "2.0", "method": "unknown", "params": {}})
        await connection.call("room.leave", PARAMS, Empty)


async def test_events_arrive_in_order_and_one_bad_listener_stops_no_other(
    bridge: ScriptedBridge,
) -> None:
    async with await connect(bridge) as connection:
        seen: list[EventEnvelope] = []

        def fail(envelope: EventEnvelope) -> None:
            raise RuntimeError("listener")

        connection.on_event(fail)
        stop = connection.on_event(seen.append)
        for sequence in range(1, 4):
            await bridge.event(sequence)
        await eventually(lambda: len(seen) == 3)
        assert [one.sequence for one in seen] == [1, 2, 3]
        stop()
        await bridge.event(4)
        await connection.call("room.leave", PARAMS, Empty)
        assert len(seen) == 3


async def test_a_dropped_socket_fails_every_open_request_at_once(bridge: ScriptedBridge) -> None:
    connection = await connect(bridge, timeout=60)
    bridge.answer = lambda _: None
    reasons: list[str] = []
    connection.on_close(reasons.append)
    calls = [
        asyncio.create_task(connection.call("room.leave", PARAMS, Empty))
        for _ in range(MAX_REQUESTS_IN_FLIGHT + 8)
    ]
    await eventually(lambda: len(bridge.requests) == 2 + MAX_REQUESTS_IN_FLIGHT)
    bridge.sockets[0].transport.abort()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert all(isinstance(one, ConnectionClosedError) for one in outcomes)
    assert len(reasons) == 1
    with pytest.raises(ConnectionClosedError):
        await connection.call("room.leave", PARAMS, Empty)
    late: list[str] = []
    connection.on_close(late.append)
    assert late == reasons
    await connection.close()


async def test_a_request_on_a_socket_that_is_dead_before_its_reader_knows_goes_over_the_next_one(
    bridge: ScriptedBridge,
) -> None:
    """A request that is repeated must leave the event loop time to notice and to come back."""
    connection = await Connection.connect(
        bridge.url, identity=ALICE, user_id="alice", context_id="c", reconnect=Reconnect()
    )
    attempts = 0

    async def dead_send(message: str) -> None:
        nonlocal attempts
        attempts += 1
        assert attempts < 100, "the request is repeated on a dead socket, again and again"
        raise websockets.exceptions.ConnectionClosedError(None, None)

    assert connection._socket is not None
    connection._socket._socket.send = dead_send  # type: ignore[method-assign, assignment]
    bridge.answer = lambda request: (
        refuse(ErrorCode.SESSION_NOT_FOUND)
        if request["method"] == "auth.resume"
        else {"result": {"participants": []}}
    )
    async with asyncio.timeout(10):
        result = await connection.call("room.participants", PARAMS, ParticipantsResult)
    assert result.participants == []
    assert attempts == 1
    await connection.close()


@pytest.mark.parametrize(
    ("code", "text"), [(CLOSE_USER_REMOVED, "administrator"), (CLOSE_TAKEN_OVER, "another conn")]
)
async def test_why_a_bridge_closes_for_good_is_said_in_words(
    bridge: ScriptedBridge, code: int, text: str
) -> None:
    connection = await connect(bridge)
    await bridge.sockets[-1].close(code)
    await eventually(lambda: connection.is_closed)
    with pytest.raises(ConnectionClosedError, match=text):
        await connection.call("room.participants", PARAMS, ParticipantsResult)


async def test_no_more_requests_are_open_than_allowed(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: None
        calls = [
            asyncio.create_task(connection.call("room.leave", PARAMS, Empty))
            for _ in range(MAX_REQUESTS_IN_FLIGHT + 1)
        ]
        await eventually(lambda: len(bridge.requests) == 2 + MAX_REQUESTS_IN_FLIGHT)
        await asyncio.sleep(0.05)
        assert len(bridge.requests) == 2 + MAX_REQUESTS_IN_FLIGHT
        bridge.answer = lambda _: {"result": {}}
        for request in bridge.requests[2:]:
            await bridge.send({"jsonrpc": "2.0", "id": request["id"], "result": {}})
        await asyncio.gather(*calls)


async def test_a_cancelled_request_leaves_nothing_behind(bridge: ScriptedBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: None
        call = asyncio.create_task(connection.call("room.leave", PARAMS, Empty))
        await eventually(lambda: len(bridge.requests) == 3)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert connection._socket is not None
        assert connection._socket.open_requests == 0
        bridge.answer = lambda _: {"result": {}}
        await connection.call("room.leave", PARAMS, Empty)


async def test_closing_twice_is_fine_and_tells_listeners_once(bridge: ScriptedBridge) -> None:
    connection = await connect(bridge)
    reasons: list[str] = []
    connection.on_close(reasons.append)
    await connection.close()
    await connection.close()
    assert len(reasons) == 1


async def test_a_message_beyond_the_limit_ends_the_connection(
    bridge: ScriptedBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_socket, "MAX_MESSAGE_BYTES", 4096)
    connection = await connect(bridge)
    await bridge.send(" " * 5000)
    await eventually(lambda: connection.is_closed)
    await connection.close()
