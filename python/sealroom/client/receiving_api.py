"""The way in through the API: streams of others and their tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from sealroom.client.arguments import check_listener, check_subscriptions, check_type
from sealroom.client.models import AudioLevel, StreamInfo, StreamSubscription
from sealroom.client.remote_data_track import RemoteDataTrack
from sealroom.client.room_api import RoomApi
from sealroom.client.subscriber import RemoteTrack
from sealroom.errors import InvalidArgumentError


class ReceivingApi(RoomApi):
    """The methods of `StreamApi` that receive. Event-loop thread only."""

    async def list_streams(self, room_id: str) -> list[StreamInfo]:
        """The verified streams of a joined room, the caller's own included.

        It is what this side knows now and asks nobody: what somebody publishes comes a moment
        later, with `StreamPublished`. Begin `events` first, and then look here for what was there
        before; `list_stream_room_streams` asks the Bridge.
        """
        return [StreamInfo.of(one) for one in self._session(room_id).streams.values()]

    async def subscribe_to_remote_streams(
        self, room_id: str, subscriptions: Sequence[StreamSubscription]
    ) -> None:
        """Begins to receive these streams or tracks, besides what is received already.

        Cancelled, or if the Bridge does not answer, it may be done all the same, now or with the
        next change in the room; another call makes sure, `unsubscribe_from_remote_streams` undoes.
        """
        check_subscriptions("subscriptions", subscriptions)
        if not subscriptions:
            raise InvalidArgumentError("subscriptions: at least one")
        await self._settled(room_id)
        await self._session(room_id).receiving.subscribe(subscriptions, ())

    async def unsubscribe_from_remote_streams(
        self, room_id: str, subscriptions: Sequence[StreamSubscription]
    ) -> None:
        """Stops receiving these streams or tracks; what is not received is no error."""
        check_subscriptions("subscriptions", subscriptions)
        if not subscriptions:
            raise InvalidArgumentError("subscriptions: at least one")
        await self._settled(room_id)
        await self._session(room_id).receiving.subscribe((), subscriptions)

    async def modify_remote_streams_subscriptions(
        self,
        room_id: str,
        add: Sequence[StreamSubscription] = (),
        remove: Sequence[StreamSubscription] = (),
    ) -> None:
        """Adds and removes subscriptions at once, removals first; all of it or nothing.

        What is named in both is received afterwards. Removing what exists but is not received is
        no error.

        Raises:
            InvalidArgumentError: both are empty, or one names a stream that is not in the room or
                a track that is not in its stream; nothing has changed then.
            NotJoinedError: the room is not joined.
        """
        session = self._session(room_id)
        check_subscriptions("add", add)
        check_subscriptions("remove", remove)
        if not add and not remove:
            raise InvalidArgumentError("add, remove: at least one subscription")
        for field, subscriptions in (("add", add), ("remove", remove)):
            for index, one in enumerate(subscriptions):
                stream = session.streams.get(one.stream_id)
                if stream is None:
                    raise InvalidArgumentError(
                        f"{field}[{index}].stream_id: there is no verified stream"
                        f" {one.stream_id!r} in the room, see list_streams"
                    )
                if one.track_id is not None and not stream.has_track(one.track_id):
                    raise InvalidArgumentError(
                        f"{field}[{index}].track_id: stream {one.stream_id!r} has no track"
                        f" {one.track_id!r}, see list_streams"
                    )
        await session.receiving.subscribe(add, remove)

    def add_remote_stream_listener(
        self,
        room_id: str,
        on_track: Callable[[RemoteTrack], object],
        *,
        stream_id: str | None = None,
    ) -> Callable[[], None]:
        """Calls `on_track` with each track received, those already there first.

        Returns a function that ends it.
        """
        check_listener(on_track)
        check_type("stream_id", stream_id, str, type(None))
        return self._session(room_id).receiving.add_track_listener(on_track, stream_id)

    def remote_tracks(self, room_id: str) -> AsyncIterator[RemoteTrack]:
        """Iterates over the tracks received, those already there first, until the room is left."""
        return aiter(self._session(room_id).receiving.open_track_stream())

    def add_remote_data_track_listener(
        self,
        room_id: str,
        on_track: Callable[[RemoteDataTrack], object],
        *,
        stream_id: str | None = None,
    ) -> Callable[[], None]:
        """Calls `on_track` with each data track received, those already there first.

        Returns a function that ends it.
        """
        check_listener(on_track)
        check_type("stream_id", stream_id, str, type(None))
        return self._session(room_id).receiving.data.add_listener(on_track, stream_id)

    def remote_data_tracks(self, room_id: str) -> AsyncIterator[RemoteDataTrack]:
        """Iterates over the data tracks received, as `remote_tracks` does over audio and video."""
        return aiter(self._session(room_id).receiving.data.open_track_stream())

    def audio_levels(self, room_id: str) -> list[AudioLevel]:
        """How loud the audio tracks are that are received in a joined room, and one's own.

        As of the last 0.1 s; tracks whose publisher does not tell (`add_track`) are left out.
        """
        return self._session(room_id).levels.levels

    def add_audio_level_listener(
        self, room_id: str, listener: Callable[[list[AudioLevel]], object]
    ) -> Callable[[], None]:
        """Calls `listener` with `audio_levels` ten times a second while there are such tracks.

        `ActiveSpeakerChanged` events need no listener. Returns a function that ends it.
        """
        check_listener(listener)
        return self._session(room_id).levels.add_listener(listener)

    def drop_broken_frames(self, room_id: str, drop: bool) -> None:
        """Whether frames that fail decryption are dropped (the default) or shown to handlers.

        Shown ones carry the reason in `EncodedFrame.rejected`. No decoder ever sees them.
        """
        self._session(room_id).receiving.set_drop_broken_frames(drop)
