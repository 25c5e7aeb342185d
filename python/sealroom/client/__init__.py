"""Client of a Bridge: `Connection` logs in, `StreamApi` does rooms and streams."""

from sealroom.client.active_speaker import ActiveSpeakerDetector
from sealroom.client.connection import Connection
from sealroom.client.models import (
    AudioLevel,
    ParticipantInfo,
    RefusedRoom,
    RoomStatistics,
    StreamInfo,
    StreamRoom,
    StreamRoomList,
    StreamSubscription,
    StreamTrackInfo,
    UserIdentity,
)
from sealroom.client.stream_api import StreamApi
from sealroom.client.subscriber import RemoteTrack

__all__ = [
    "ActiveSpeakerDetector",
    "AudioLevel",
    "Connection",
    "ParticipantInfo",
    "RefusedRoom",
    "RemoteTrack",
    "RoomStatistics",
    "StreamApi",
    "StreamInfo",
    "StreamRoom",
    "StreamRoomList",
    "StreamSubscription",
    "StreamTrackInfo",
    "UserIdentity",
]
