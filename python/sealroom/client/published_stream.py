"""A stream of one's own as the Bridge and the others know it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sealroom.client.data_track import StagedDataTrack
from sealroom.client.room_link import RoomLink
from sealroom.client.staged_stream import AnyStagedTrack, StagedTrack
from sealroom.crypto.announcement import VerifiedStream, make_announcement, verify_update
from sealroom.crypto.signed_object import read_unverified
from sealroom.crypto.stream_details import StreamDetails
from sealroom.protocol import SignedObject, StreamAnnouncement


@dataclass(slots=True)
class PublishedStream:
    """What was announced last, and what the next version will be."""

    stream_id: str
    nonce: bytes
    tracks: list[AnyStagedTrack]
    details: StreamDetails
    version: int = 0
    stream: VerifiedStream | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    has_ended: bool = False
    is_in_doubt: bool = False
    """Whether it is unknown if the Bridge took the version announced last."""

    def end(self, reason: str) -> None:
        """It is not published again; idempotent."""
        self.has_ended = True
        end_data(self.tracks, reason)

    def tells(self, track: StagedTrack) -> bool:
        """Whether the others know for certain if the track is muted."""
        stream = self.stream
        if self.is_in_doubt or stream is None or not stream.has_track(track.track_id):
            return False
        return stream.track(track.track_id).enabled is track.is_enabled

    def announce(
        self, link: RoomLink, tracks: Sequence[AnyStagedTrack], details: StreamDetails
    ) -> tuple[SignedObject, VerifiedStream]:
        """Makes the next version, signed and as others read it.

        It is counted even if it gets lost: the Bridge may have taken it.
        """
        identity, user_id = link.connection.identity, link.connection.user_id
        self.version += 1
        signed = make_announcement(
            identity,
            user_id,
            keys=link.keys.sending,
            stream_id=self.stream_id,
            tracks=[one.announced for one in tracks],
            nonce=self.nonce,
            version=self.version,
            details=details,
        )
        stream = VerifiedStream(
            stream_id=self.stream_id,
            participant_id=link.participant_id,
            user_id=user_id,
            fingerprint=identity.public.fingerprint,
            announcement=read_unverified(signed, StreamAnnouncement),  # our own
            details=details,
        )
        if self.stream is not None:
            stream, _ = verify_update(self.stream, stream)
        return signed, stream


def end_data(tracks: Sequence[AnyStagedTrack], reason: str) -> None:
    """Nothing can be sent on the data tracks among these, unless they are published again."""
    for one in tracks:
        if isinstance(one, StagedDataTrack):
            one.end(reason)


def number_from_here(tracks: Sequence[AnyStagedTrack]) -> None:
    """The next publication of the data tracks among these goes on counting."""
    for one in tracks:
        if isinstance(one, StagedDataTrack):
            one.number_from_here()
