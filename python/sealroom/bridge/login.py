"""Log-in: the Bridge challenges, the user signs with its identity."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sealroom.identity import Identity, PublicIdentity, SignatureError
from sealroom.protocol import (
    LOGIN_TYPE,
    NONCE_BYTES,
    RESUME_TYPE,
    ChallengeParams,
    ChallengeResult,
    ErrorCode,
    LoginParams,
    LoginPayload,
    ResumeParams,
    ResumePayload,
)
from sealroom.protocol.decoding import decode_json

from .errors import RequestError
from .store import Store

_Payload = TypeVar("_Payload", LoginPayload, ResumePayload)


@dataclass(frozen=True, slots=True)
class _Challenge:
    nonce: bytes
    context_id: str
    user_id: str
    expires_at: float


class ChallengeTable:
    """Open challenges: one per connection at most, each good once and for a limited time.

    Args:
        capacity: challenges open at once, over all connections.
        lifetime: of a challenge, seconds.
    """

    def __init__(
        self, capacity: int, lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._clock = clock
        self._open: dict[str, _Challenge] = {}

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, connection_id: str, context_id: str, user_id: str) -> bytes:
        """Return a new nonce; an earlier one of the same connection is void.

        Raises:
            RequestError: BUSY, too many challenges are open.
        """
        now = self._clock()
        self._open.pop(connection_id, None)
        if len(self._open) >= self._capacity:
            self._open = {key: one for key, one in self._open.items() if one.expires_at > now}
            if len(self._open) >= self._capacity:
                raise RequestError(ErrorCode.BUSY, remedy="try again in a minute")
        nonce = secrets.token_bytes(NONCE_BYTES)
        self._open[connection_id] = _Challenge(nonce, context_id, user_id, now + self._lifetime)
        return nonce

    def redeem(self, connection_id: str, payload: LoginPayload | ResumePayload) -> bool:
        """Tell whether the payload answers the connection's challenge; it is void from now on."""
        challenge = self._open.pop(connection_id, None)
        return (
            challenge is not None
            and hmac.compare_digest(challenge.nonce, payload.nonce)
            and challenge.context_id == payload.context_id
            and challenge.user_id == payload.user_id
            and challenge.expires_at > self._clock()
        )

    def forget(self, connection_id: str) -> None:
        """Drop the challenge of a connection that is gone."""
        self._open.pop(connection_id, None)


class Authenticator:
    """Checks log-ins against the registered identities."""

    def __init__(self, bridge_id: str, store: Store, challenges: ChallengeTable, lifetime: float):
        self._bridge_id = bridge_id
        self._store = store
        self._challenges = challenges
        self._lifetime = lifetime
        # Verified against when there is no such user, so that the answer takes as long.
        self._nobody = Identity.generate().public

    def challenge(self, connection_id: str, params: ChallengeParams) -> ChallengeResult:
        """Return a nonce, for unknown users too."""
        nonce = self._challenges.issue(connection_id, params.context_id, params.user_id)
        return ChallengeResult(bridge_id=self._bridge_id, nonce=nonce, expires_in=self._lifetime)

    def forget(self, connection_id: str) -> None:
        """Drop what a connection that is gone left open."""
        self._challenges.forget(connection_id)

    async def login(
        self, connection_id: str, params: LoginParams
    ) -> tuple[LoginPayload, PublicIdentity]:
        """Return who logged in.

        Raises:
            RequestError: LOGIN_FAILED, whatever the reason: who asks must not learn which users
                exist.
        """
        return await self._authenticate(connection_id, params, LOGIN_TYPE, LoginPayload)

    async def resume(
        self, connection_id: str, params: ResumeParams
    ) -> tuple[ResumePayload, PublicIdentity]:
        """Return who resumes; whether the session is theirs is not looked at.

        Raises:
            RequestError: LOGIN_FAILED, as for a log-in.
        """
        return await self._authenticate(connection_id, params, RESUME_TYPE, ResumePayload)

    async def _authenticate(
        self,
        connection_id: str,
        params: LoginParams | ResumeParams,
        label: str,
        shape: type[_Payload],
    ) -> tuple[_Payload, PublicIdentity]:
        try:
            payload = decode_json(params.payload, shape)
        except msgspec.DecodeError:
            self._challenges.forget(connection_id)
            raise login_failed() from None
        answered = self._challenges.redeem(connection_id, payload)
        user = await self._store.user(payload.context_id, payload.user_id)
        identity = self._nobody if user is None else PublicIdentity.parse(user.identity)
        try:
            identity.verify(label, params.payload, params.signature)
        except SignatureError:
            raise login_failed() from None
        if user is None or not answered or payload.bridge_id != self._bridge_id:
            raise login_failed()
        return payload, identity


def login_failed() -> RequestError:
    """The log-in is refused, without a word on why."""
    return RequestError(
        ErrorCode.LOGIN_FAILED,
        remedy="ask for a new challenge; check context, user and identity with the administrator",
    )
