"""Which method calls what, and who may call it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from sealroom.access import Right
from sealroom.protocol import (
    METHOD_SCOPES,
    AdminParams,
    ChallengeParams,
    ChallengeResult,
    ContextParams,
    ContextUsersParams,
    ContextUsersResult,
    ContextView,
    Empty,
    ErrorCode,
    EventQueriesParams,
    EventQueriesResult,
    EventSubscribeParams,
    EventSubscription,
    LoginParams,
    LoginResult,
    Message,
    ResumeParams,
    ResumeResult,
    User,
    covers,
)

from .acl import NOTHING, Acl
from .admin import Admin
from .admission import Admission
from .audit import AuditLog
from .bus import EventBus, Interest, Session
from .connection import Connection
from .errors import RequestError, access_denied
from .key_holders import KeyHolders
from .key_store import KeyStore
from .live import RoomRegistry
from .live_calls import LiveCalls
from .login import Authenticator, login_failed
from .media_paths import MediaPaths
from .queries import illegal
from .recordings import RecordingService
from .room_changes import RoomChanges
from .rooms import RoomService
from .sessions import Sessions
from .store import Store, StoredUser
from .streams import StreamService
from .subscriptions import SubscriptionService

# Parameters are of the type METHODS names for the method; the dispatcher decodes them so.
OpenMethod: TypeAlias = Callable[[Connection, Any], Awaitable[Message]]
UserMethod: TypeAlias = Callable[[Session, Any], Awaitable[Message]]
# With the fields of the parameters as keywords, and `actor`.
AdminMethod: TypeAlias = Callable[..., Awaitable[Message]]


class Methods:
    """The methods of a Bridge, by who may call them: anyone, users, administrators."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        admission: Admission,
        store: Store,
        keys: KeyStore,
        holders: KeyHolders,
        registry: RoomRegistry,
        bus: EventBus,
        rooms: RoomService,
        changes: RoomChanges,
        live: LiveCalls,
        sessions: Sessions,
        streams: StreamService,
        recordings: RecordingService,
        subscriptions: SubscriptionService,
        paths: MediaPaths,
        admin: Admin,
        audit: AuditLog,
    ) -> None:
        self._authenticator = authenticator
        self._admission = admission
        self._store = store
        self._keys = keys
        self._holders = holders
        self._registry = registry
        self._bus = bus
        self._live = live
        self._sessions = sessions
        self._audit = audit
        self.open: dict[str, OpenMethod] = {
            "auth.challenge": self._challenge,
            "auth.login": self._login,
            "auth.resume": self._resume,
            "auth.admin": self._admin_login,
        }
        self.user: dict[str, UserMethod] = {
            "context.users": self._context_users,
            "context.get": self._context,
            "room.create": rooms.create,
            "room.get": rooms.get,
            "room.list": rooms.list_rooms,
            "room.update": changes.update,
            "room.history": rooms.history,
            "room.delete": rooms.delete,
            "room.delete_many": rooms.delete_many,
            "room.close": changes.close,
            "room.reopen": changes.reopen,
            "room.kick": live.kick,
            "room.send_event": changes.send_event,
            "room.ready": changes.ready,
            "room.join": rooms.join,
            "room.leave": rooms.leave,
            "room.participants": live.participants,
            "stream.publish": streams.publish,
            "stream.update": streams.update,
            "stream.unpublish": streams.unpublish,
            "stream.list": live.list_streams,
            "recording.start": recordings.start,
            "recording.stop": recordings.stop,
            "subscription.update": subscriptions.update,
            "media.answer": subscriptions.answer,
            "media.trickle": subscriptions.trickle,
            "turn.credentials": rooms.turn_credentials,
            "media.restart": paths.restart,
            "media.reset": paths.reset,
            "events.subscribe": self._subscribe,
            "events.subscribe_for": self._subscribe_for,
            "events.unsubscribe": self._unsubscribe,
        }
        self.admin: dict[str, AdminMethod] = {
            method: getattr(admin, method.removeprefix("admin.")) for method in METHOD_SCOPES
        }

    async def disconnected(self, connection: Connection) -> None:
        """A connection is gone: its session waits for another, or ends."""
        self._authenticator.forget(connection.connection_id)
        self._holders.lock(connection)
        if connection.session is not None:
            await self._sessions.dropped(
                connection.session, connection, logged_out=connection.logged_out
            )

    async def _challenge(self, connection: Connection, params: ChallengeParams) -> ChallengeResult:
        return self._authenticator.challenge(connection.connection_id, params)

    async def _login(self, connection: Connection, params: LoginParams) -> LoginResult:
        if connection.session is not None:
            raise RequestError(
                ErrorCode.ALREADY_LOGGED_IN, remedy="open a connection for each session"
            )
        self._begin_login(connection, "auth.login")
        try:
            payload, identity = await self._authenticator.login(connection.connection_id, params)
            user = User(user_id=payload.user_id, identity=identity.encode())
            session = self._sessions.begin(payload.context_id, user.user_id, identity, connection)
            session.acl = NOTHING  # until its lines are known
            connection.session = session
            await self._take_up(session)
        except RequestError:
            self._login_failed(connection, "auth.login")
            if (refused := connection.session) is not None:
                connection.session = None
                await self._sessions.end(refused)
            raise
        self._admission.login_succeeded(connection.address)
        return LoginResult(
            session_id=session.session_id, user=user, session_timeout=self._sessions.timeout
        )

    async def _resume(self, connection: Connection, params: ResumeParams) -> ResumeResult:
        if connection.session is not None:
            raise RequestError(
                ErrorCode.ALREADY_LOGGED_IN, remedy="open a connection for each session"
            )
        self._begin_login(connection, "auth.resume")
        try:
            payload, identity = await self._authenticator.resume(connection.connection_id, params)
        except RequestError:
            self._login_failed(connection, "auth.resume")
            raise
        self._admission.login_succeeded(connection.address)
        connection.session, result = await self._sessions.resume(
            payload, identity, params.joined, connection
        )
        return result

    async def _take_up(self, session: Session) -> None:
        """Read what is registered of a new session's user until nothing changed meanwhile.

        A removal, another key and other access lines reach sessions they find only, and this one
        was not there yet when its user was looked up.

        Raises:
            RequestError: LOGIN_FAILED: the user is gone, or has another key now.
        """
        known: StoredUser | None = None
        while True:
            user = await self._store.user(session.context_id, session.user_id)
            if user is None or user.fingerprint != session.identity.fingerprint or session.ended:
                raise login_failed()
            if user == known:
                return
            known, session.acl = user, Acl.parse(user.acl)

    async def _admin_login(self, connection: Connection, params: AdminParams) -> Empty:
        self._begin_login(connection, "auth.admin")
        principal = await self._keys.check(params.api_key)
        if principal is not None:
            self._holders.unlock(connection, principal.actor_id)
            # A revocation locks the connections it finds, and this was not one of them before.
            principal = await self._keys.use(principal.actor_id)
        if principal is None:
            self._holders.lock(connection)
            self._login_failed(connection, "auth.admin")
            raise RequestError(
                ErrorCode.LOGIN_FAILED, field="api_key", remedy="use a key of this Bridge"
            )
        self._admission.login_succeeded(connection.address)
        return Empty()

    def _begin_login(self, connection: Connection, method: str) -> None:
        try:
            self._admission.begin_login(connection.address)
        except RequestError:
            self._audit.failed_login(connection.address, method)
            raise

    def _login_failed(self, connection: Connection, method: str) -> None:
        connection.failed_logins += 1
        self._audit.failed_login(connection.address, method)

    async def administer(self, connection: Connection, method: str, params: Message) -> Message:
        """Carry out a method of `admin.*`; the key is looked up again at every call.

        Raises:
            RequestError: ADMIN_REQUIRED: no key, or one that is revoked or expired by now;
                SCOPE_REQUIRED.
        """
        with self._holders.call(connection.admin_key_id):
            return await self._administer(connection, method, params)

    async def _administer(self, connection: Connection, method: str, params: Message) -> Message:
        key_id = connection.admin_key_id
        principal = None if key_id is None else await self._keys.use(key_id)
        if principal is None:
            self._holders.lock(connection)
            raise RequestError(
                ErrorCode.ADMIN_REQUIRED, remedy="call auth.admin with a key that is in force"
            )
        scope = METHOD_SCOPES[method]
        if not covers(principal.scopes, [scope]):
            if scope.endswith(":write"):
                self._audit.note(principal, method, ("scope", scope), outcome="SCOPE_REQUIRED")
            raise RequestError(
                ErrorCode.SCOPE_REQUIRED,
                f"It needs {scope}.",
                remedy=f"use a key with the scope {scope}",
            )
        values = {name: getattr(params, name) for name in params.__struct_fields__}
        return await self.admin[method](**values, actor=principal)

    async def _context(self, session: Session, params: ContextParams) -> ContextView:
        if params.context_id != session.context_id:
            raise access_denied()
        context = await self._store.context(params.context_id)
        return ContextView(
            context_id=context.context_id, title=context.title, policy=context.policy
        )

    async def _context_users(
        self, session: Session, params: ContextUsersParams
    ) -> ContextUsersResult:
        if params.context_id != session.context_id:
            raise access_denied()
        total, users = await self._store.list_users(
            params.context_id, params.skip, params.limit, params.user_ids
        )
        return ContextUsersResult(total=total, users=users)

    async def _subscribe(self, session: Session, params: EventSubscribeParams) -> EventSubscription:
        interest = await self._interest(session, params, "")
        return EventSubscription(subscription_id=self._bus.subscribe(session, [interest])[0])

    async def _subscribe_for(
        self, session: Session, params: EventQueriesParams
    ) -> EventQueriesResult:
        for query in params.queries:
            session.acl.require("events.subscribe", query)  # not a way around its lines
        interests = [
            await self._interest(session, query, f"queries[{index}].")
            for index, query in enumerate(params.queries)
        ]
        return EventQueriesResult(subscription_ids=self._bus.subscribe(session, interests))

    async def _interest(
        self, session: Session, query: EventSubscribeParams, prefix: str
    ) -> Interest:
        """Return what a query asks for if the user may see it now; asked again at each event.

        Raises:
            RequestError: INVALID_PARAMS or ACCESS_DENIED, with the field behind `prefix`.
        """
        for event in query.types:
            if (remedy := illegal(event, query.scope)) is not None:
                raise RequestError(ErrorCode.INVALID_PARAMS, field=f"{prefix}types", remedy=remedy)
        if query.room_id is not None and query.scope != "stream":
            raise RequestError(
                ErrorCode.INVALID_PARAMS,
                field=f"{prefix}room_id",
                remedy="name the room of a stream only",
            )
        if query.scope == "stream" and query.room_id is not None:
            allowed = await self._registry.allows(session, query.room_id, Right.GET)
        elif query.scope == "room":
            allowed = await self._registry.allows(session, query.scope_id, Right.GET)
        elif query.scope == "stream":
            allowed = await self._live.shows_stream(session, query.scope_id)
        else:
            allowed = query.scope_id == session.context_id
        if not allowed:
            raise access_denied(f"{prefix}scope_id")
        return Interest(frozenset(query.types), (query.scope, query.scope_id), query.room_id)

    async def _unsubscribe(self, session: Session, params: EventSubscription) -> Empty:
        self._bus.unsubscribe(session, params.subscription_id)
        return Empty()
