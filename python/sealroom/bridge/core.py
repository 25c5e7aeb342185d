"""The parts of a Bridge, opened in order and joined together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from .admin import Admin, AdminParts
from .admin_store import AdminStore
from .admission import Admission
from .audit import AuditLimits, AuditLog
from .audit_store import AuditStore
from .background import Background
from .bus import EventBus
from .config import BridgeConfig
from .data_cuts import DataCuts
from .database import open_database
from .dispatch import Dispatcher
from .event_log import LogLimits
from .exchange import Exchange
from .figures import Figures
from .forwarding import Forwarding
from .home_calls import HomeCalls
from .homes import Homes
from .key_holders import KeyHolders
from .key_store import KeyStore
from .live import RoomRegistry
from .live_calls import LiveCalls
from .login import Authenticator, ChallengeTable
from .media_calls import MediaCalls
from .media_paths import MediaPaths
from .media_server import MediaServer, MediaServerStatistics
from .methods import Methods
from .metrics import Metrics
from .recordings import RecordingService
from .redis_relay import RedisRelay
from .relay import NoRelay, Relay
from .relay_seal import RelaySeal
from .room_changes import RoomChanges
from .room_control import RoomControl
from .room_life import RoomLife
from .room_lists import RoomLists
from .room_store import RoomStore
from .rooms import RoomService
from .session_control import SessionControl
from .sessions import Sessions
from .store import Store
from .streams import StreamService
from .subscriptions import SubscriptionService
from .turn import TurnIssuer
from .upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Core:
    """What the ASGI application needs of a running Bridge."""

    bridge_id: str
    store: Store
    keys: KeyStore
    audit: AuditLog
    admin: Admin
    admission: Admission
    dispatcher: Dispatcher
    upkeep: Upkeep
    relay: Relay
    forwarding: Forwarding


@asynccontextmanager
async def open_core(
    config: BridgeConfig, media_server: MediaServer, metrics: Metrics
) -> AsyncIterator[Core]:
    """Open the database, migrate it, take up open rooms; close it all at the end, media as well.

    Raises:
        BridgeError: the database URL is malformed.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(media_server.close)
        database = await stack.enter_async_context(open_database(config.database))
        audit_store = AuditStore(database)
        audit = AuditLog(
            audit_store,
            AuditLimits(
                max_age=config.audit_max_age,
                max_entries=config.audit_max_entries,
                flush_interval=config.audit_flush_interval,
            ),
        )
        audit.start()
        stack.push_async_callback(audit.close)
        background = Background()
        stack.push_async_callback(background.close)
        store, rooms, lists = Store(database), RoomStore(database), RoomLists(database)
        homes = Homes(database, rooms, config.home_lease)
        bridge_id = await homes.register(store, config.public_url)
        stack.push_async_callback(homes.resign)
        bus, registry = EventBus(metrics), RoomRegistry(rooms)
        relay: Relay = NoRelay()
        if config.redis is not None:
            relay = RedisRelay(config.redis, await store.bridge_id(), homes.instance)
        seal = RelaySeal(await store.relay_secret(), homes.instance)
        forwarding = Forwarding(relay, seal, homes.instance, background)
        home_calls = HomeCalls(registry, homes, forwarding)
        media = MediaCalls(media_server, config.media_timeout)
        subscriptions = SubscriptionService(registry, bus, media, background)
        recordings = RecordingService(bus, subscriptions)
        streams = StreamService(registry, bus, media, subscriptions, config.track_limits)
        life = RoomLife(
            rooms=rooms,
            registry=registry,
            bus=bus,
            streams=streams,
            subscriptions=subscriptions,
            recordings=recordings,
            media=media,
            background=background,
            homes=homes,
            audit=audit,
        )
        control = RoomControl(
            rooms=rooms,
            registry=registry,
            bus=bus,
            life=life,
            media=media,
            homes=home_calls,
            audit=audit,
        )
        live_calls = LiveCalls(
            registry=registry, homes=home_calls, forwarding=forwarding, control=control
        )
        changes = RoomChanges(
            store=store,
            rooms=rooms,
            lists=lists,
            registry=registry,
            bus=bus,
            life=life,
            control=control,
            streams=streams,
            subscriptions=subscriptions,
            recordings=recordings,
            audit=audit,
        )
        turn = TurnIssuer(config.ice_servers, config.turn_servers, config.turn_ttl)
        room_service = RoomService(
            store=store,
            rooms=rooms,
            lists=lists,
            registry=registry,
            bus=bus,
            life=life,
            control=control,
            homes=homes,
            default_ttl=config.empty_room_ttl,
            turn=turn,
            audit=audit,
        )
        await life.start(config.session_timeout)
        stack.callback(life.stop)
        sessions = SessionControl(bus, life.end_session)
        upkeep = Upkeep(
            homes=homes,
            rooms=rooms,
            store=store,
            control=sessions,
            registry=registry,
            bus=bus,
            life=life,
            changes=changes,
            background=background,
            forwarding=forwarding,
            interval=config.heartbeat_interval,
        )
        upkeep.start()
        stack.push_async_callback(relay.close)
        await Exchange(relay, homes.instance, bus, registry, upkeep, forwarding).start()
        keys, holders = KeyStore(database), KeyHolders()
        admin = Admin(
            AdminParts(
                store=store,
                admin_store=AdminStore(database),
                keys=keys,
                holders=holders,
                audit=audit,
                audit_store=audit_store,
                lists=lists,
                registry=registry,
                bus=bus,
                sessions=sessions,
                control=control,
                homes=home_calls,
                live=live_calls,
                figures=Figures(
                    forwarding=forwarding,
                    homes=homes,
                    registry=registry,
                    bus=bus,
                    media=media_server,
                ),
            )
        )
        keeper = Sessions(
            bus=bus,
            life=life,
            background=background,
            timeout=config.session_timeout,
            capacity=config.max_connections,
            log=LogLimits(
                events=config.max_logged_events,
                bytes=config.max_logged_bytes,
                seconds=config.max_logged_seconds,
            ),
        )
        stack.callback(keeper.stop)
        lifetime = config.challenge_lifetime
        challenges = ChallengeTable(config.max_connections, lifetime)
        admission = Admission(config.rate_limits, metrics)
        methods = Methods(
            authenticator=Authenticator(bridge_id, store, challenges, lifetime),
            admission=admission,
            store=store,
            keys=keys,
            holders=holders,
            registry=registry,
            bus=bus,
            rooms=room_service,
            changes=changes,
            live=live_calls,
            sessions=keeper,
            streams=streams,
            subscriptions=subscriptions,
            recordings=recordings,
            paths=MediaPaths(registry, bus, media, streams, subscriptions),
            admin=admin,
            audit=audit,
        )
        DataCuts(registry, bus, media_server)
        metrics.watch("relay", "1: connected, 0: none or lost", lambda: relay.state == "connected")
        _watch(metrics, bus, registry, media_server)
        metrics.watch("parked_sessions", "Sessions without a socket", keeper.parked_count)
        dispatcher = Dispatcher(methods, admission, metrics)
        yield Core(
            bridge_id=bridge_id,
            store=store,
            keys=keys,
            audit=audit,
            admin=admin,
            admission=admission,
            dispatcher=dispatcher,
            upkeep=upkeep,
            relay=relay,
            forwarding=forwarding,
        )


def _watch(
    metrics: Metrics, bus: EventBus, registry: RoomRegistry, media_server: MediaServer
) -> None:
    rooms = registry.live
    metrics.watch("sessions", "Logged-in sessions", bus.session_count)
    metrics.watch("live_rooms", "Rooms with participants", lambda: len(rooms))
    metrics.watch(
        "participants",
        "Participants of all rooms",
        lambda: sum(len(room.participants) for room in rooms.values()),
    )
    metrics.watch(
        "streams",
        "Published streams",
        lambda: sum(len(room.streams) for room in rooms.values()),
    )
    for name in MediaServerStatistics.__dataclass_fields__:

        def read(name: str = name) -> float:
            return float(getattr(media_server.statistics(), name))

        metrics.watch(f"media_{name}", f"Media server: {name.replace('_', ' ')}", read)
