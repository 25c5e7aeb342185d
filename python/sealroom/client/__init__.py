"""Client of a Bridge: `Connection` logs in, `StreamApi` does rooms and streams."""

from sealroom.client.active_speaker import ActiveSpeakerDetector
from sealroom.client.connection import Connection
from sealroom.client.data_track import DataTrackHandle
from sealroom.client.event_subscriptions import EventQuery, build_subscription_query
from sealroom.client.models import (
    AudioLevel,
    ParticipantInfo,
    RefusedRoom,
    RefusedStream,
    RoomStatistics,
    StreamInfo,
    StreamList,
    StreamRoom,
    StreamRoomList,
    StreamSubscription,
    StreamTrackInfo,
    UserIdentity,
)
from sealroom.client.reconnect import Reconnect
from sealroom.client.remote_data_track import DataMessage, RemoteDataTrack
from sealroom.client.stream_api import StreamApi
from sealroom.client.subscriber import RemoteTrack

__all__ = [
    "ActiveSpeakerDetector",
    "AudioLevel",
    "Connection",
    "DataMessage",
    "DataTrackHandle",
    "EventQuery",
    "ParticipantInfo",
    "Reconnect",
    "RefusedRoom",
    "RefusedStream",
    "RemoteDataTrack",
    "RemoteTrack",
    "RoomStatistics",
    "StreamApi",
    "StreamInfo",
    "StreamList",
    "StreamRoom",
    "StreamRoomList",
    "StreamSubscription",
    "StreamTrackInfo",
    "UserIdentity",
    "build_subscription_query",
]
