"""Logging in over a socket, and going on with a session there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sealroom.client.errors import ProtocolError, SessionMismatchError
from sealroom.client.rpc_socket import RpcSocket
from sealroom.identity import Identity, IdentityError, PublicIdentity
from sealroom.protocol import (
    LOGIN_TYPE,
    RESUME_TYPE,
    ChallengeParams,
    ChallengeResult,
    LoginParams,
    LoginPayload,
    LoginResult,
    ResumeParams,
    ResumePayload,
    ResumeResult,
)
from sealroom.protocol.decoding import decode_json

ResultT = TypeVar("ResultT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in."""

    identity: Identity
    user_id: str
    context_id: str

    async def log_in(self, socket: RpcSocket) -> LoginResult:
        """Begins a session.

        Raises:
            LoginFailedError: context, user or identity are not the registered ones.
            SessionMismatchError: the Bridge answers for somebody else.
        """
        challenge = await self._challenge(socket)
        payload = msgspec.json.encode(
            LoginPayload(
                bridge_id=challenge.bridge_id,
                nonce=challenge.nonce,
                context_id=self.context_id,
                user_id=self.user_id,
            )
        )
        params = LoginParams(payload=payload, signature=self.identity.sign(LOGIN_TYPE, payload))
        result = await ask(socket, "auth.login", params, LoginResult)
        try:
            registered = PublicIdentity.parse(result.user.identity)
        except IdentityError as error:
            raise ProtocolError(f"auth.login: malformed identity: {error}") from None
        if registered.fingerprint != self.identity.public.fingerprint:
            raise SessionMismatchError("the Bridge answered a log-in with somebody else's identity")
        if result.user.user_id != self.user_id:
            raise SessionMismatchError("the Bridge answered a log-in of another user's")
        return result

    async def resume(
        self, socket: RpcSocket, session_id: str, last_sequence: int, joined: Sequence[str]
    ) -> ResumeResult:
        """Goes on with a session; the events that were missed come before this returns.

        Raises:
            RequestRefusedError: SESSION_NOT_FOUND: it is over.
        """
        challenge = await self._challenge(socket)
        payload = msgspec.json.encode(
            ResumePayload(
                bridge_id=challenge.bridge_id,
                nonce=challenge.nonce,
                context_id=self.context_id,
                user_id=self.user_id,
                session_id=session_id,
                last_sequence=last_sequence,
            )
        )
        signature = self.identity.sign(RESUME_TYPE, payload)
        params = ResumeParams(payload=payload, signature=signature, joined=list(joined))
        return await ask(socket, "auth.resume", params, ResumeResult)

    async def _challenge(self, socket: RpcSocket) -> ChallengeResult:
        params = ChallengeParams(context_id=self.context_id, user_id=self.user_id)
        return await ask(socket, "auth.challenge", params, ChallengeResult)


async def ask(
    socket: RpcSocket, method: str, params: msgspec.Struct, result: type[ResultT]
) -> ResultT:
    """Sends a request and returns its decoded result; raises as `RpcSocket.request` does."""
    return decode_result(method, await socket.request(method, params), result)


def decode_result(method: str, raw: msgspec.Raw, result: type[ResultT]) -> ResultT:
    """Returns a decoded result; raises ProtocolError if it is malformed."""
    try:
        return decode_json(raw, result)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{method}: malformed result: {error}") from None
