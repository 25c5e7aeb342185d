"""Tracks of the media layer in one place."""

from sealroom.media.frames import DecodedFrame, EncodedFrame, EncodedFrameHandler
from sealroom.media.incoming_track import IncomingStatistics, IncomingTrack, RejectionHandler
from sealroom.media.outgoing_track import OutgoingStatistics, OutgoingTrack

__all__ = [
    "DecodedFrame",
    "EncodedFrame",
    "EncodedFrameHandler",
    "IncomingStatistics",
    "IncomingTrack",
    "OutgoingStatistics",
    "OutgoingTrack",
    "RejectionHandler",
]
