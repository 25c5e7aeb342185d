"""Data tracks at the media server: messages go from channel to channel, unopened and in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sealroom.bridge.data_rations import DataLimits, DataRations
from sealroom.bridge.media_server import TrackRef
from sealroom.media.data_channels import DataChannel, DataChannels
from sealroom.media.errors import TransportError
from sealroom.protocol import (
    DATA_MESSAGE_OVERHEAD,
    MAX_DATA_BACKLOG_BYTES,
    MAX_DATA_MESSAGE_BYTES,
    MAX_PARTICIPANT_DATA_BACKLOG_BYTES,
)

logger = logging.getLogger(__name__)

RESTART_TIMEOUT = 30.0
"""Seconds a subscriber has to make another association, or connection, after one that died."""

MAX_SEALED_BYTES = MAX_DATA_MESSAGE_BYTES + DATA_MESSAGE_OVERHEAD


def channel_label(ref: TrackRef) -> str:
    """Return the label of the channel that carries a track, on either side of the media server."""
    return f"{ref.stream_id} {ref.track_id}"


@dataclass(eq=False, slots=True)
class _Producer:
    channel: DataChannel | None = None
    consumers: dict[str, _Consumer] = field(default_factory=dict)  # by participant


@dataclass(eq=False, slots=True)
class _Consumer:
    """A track on its way to one subscriber.

    Without a channel before the subscriber answered, and while its connection is made again: what
    comes then it misses, and sees so by the numbers. `deadline` cuts it in the end.
    """

    data: DataChannels
    channel: DataChannel | None = None
    is_answered: bool = False
    deadline: asyncio.TimerHandle | None = None


class DataForwarding:
    """Published data tracks and who receives them. Event-loop thread only.

    A subscriber that does not take what it is sent is cut from the track, so that it costs no more
    than `MAX_DATA_BACKLOG_BYTES` and delays nobody; `on_cut` gets the participant and the track.
    """

    def __init__(self, limits: DataLimits) -> None:
        self.room_of: Callable[[str], str] = lambda participant_id: ""
        self._rations = DataRations(limits)
        self.on_cut: Callable[[str, TrackRef], None] | None = None
        self.messages_received = 0
        self.messages_forwarded = 0
        self.subscribers_cut = 0
        self._producers: dict[TrackRef, _Producer] = {}

    def __contains__(self, ref: TrackRef) -> bool:
        return ref in self._producers

    def take_channels(self, participant_id: str, data: DataChannels) -> None:
        """Takes the channels a publisher opens: one for each of its data tracks, by label."""
        data.on_channel = lambda channel: self._channel_came(participant_id, channel)
        if data.admit is None:
            room_id = self.room_of(participant_id)
            data.admit = lambda label, size: self._rations.take(
                participant_id, room_id, size, self._subscribers(_ref_of(participant_id, label))
            )

    def publish(self, ref: TrackRef) -> None:
        """Begins to forward a track."""
        self._producers[ref] = _Producer()

    def unpublish(self, ref: TrackRef) -> None:
        """Ends a track and its channels; no error if it is gone."""
        producer = self._producers.pop(ref, None)
        if producer is None:
            return
        if producer.channel is not None:
            producer.channel.close(discard=True)
        for consumer in producer.consumers.values():
            _stop_timer(consumer)
            if consumer.channel is not None:
                consumer.channel.on_closed = None
                consumer.channel.close()  # after what is queued

    def unpublish_stream(self, participant_id: str, stream_id: str) -> None:
        """Ends all tracks of a participant's stream."""
        for ref in list(self._producers):
            if (ref.participant_id, ref.stream_id) == (participant_id, stream_id):
                self.unpublish(ref)

    def subscriptions(self, participant_id: str) -> list[TrackRef]:
        """The tracks a participant is to receive."""
        return [ref for ref, one in self._producers.items() if participant_id in one.consumers]

    def subscribe(self, participant_id: str, ref: TrackRef, data: DataChannels) -> None:
        """A participant is to receive a track, from `answered` on."""
        self._producers[ref].consumers[participant_id] = _Consumer(data)
        data.on_restarted = lambda: self._open_channels(participant_id)

    def answered(self, participant_id: str) -> None:
        """Begins to send a participant what it subscribed to: it is ready for the channels.

        Messages wait for the connection, within the same bound as for a slow subscriber.
        """
        for ref in self.subscriptions(participant_id):
            self._producers[ref].consumers[participant_id].is_answered = True
        self._open_channels(participant_id)

    def unsubscribe(self, participant_id: str, ref: TrackRef) -> None:
        """Stops sending a participant a track; no error if it does not receive it."""
        producer = self._producers.get(ref)
        consumer = producer.consumers.pop(participant_id, None) if producer else None
        if consumer is not None:
            _stop_timer(consumer)
            if consumer.channel is not None:
                consumer.channel.on_closed = None
                consumer.channel.close(discard=True)

    def _open_channels(self, participant_id: str) -> None:
        for ref in self.subscriptions(participant_id):
            consumer = self._producers[ref].consumers[participant_id]
            if not consumer.is_answered or consumer.channel is not None:
                continue
            if consumer.data.is_down:
                self._await_restart(participant_id, ref, consumer)
                continue
            try:
                channel = consumer.channel = consumer.data.open(channel_label(ref))
            except TransportError:
                self._cut(participant_id, ref)
                continue
            _stop_timer(consumer)
            channel.on_closed = partial(self._channel_ended, participant_id, ref, consumer)

    def _channel_ended(self, participant_id: str, ref: TrackRef, consumer: _Consumer) -> None:
        # A subscriber that closes one channel by itself is cut with the next message.
        if consumer.data.is_down or consumer.data.is_closed:
            consumer.channel = None
            self._await_restart(participant_id, ref, consumer)

    def _await_restart(self, participant_id: str, ref: TrackRef, consumer: _Consumer) -> None:
        _stop_timer(consumer)
        loop = asyncio.get_running_loop()
        consumer.deadline = loop.call_later(RESTART_TIMEOUT, self._cut, participant_id, ref)

    def _channel_came(self, participant_id: str, channel: DataChannel) -> None:
        ref = _ref_of(participant_id, channel.label)
        producer = self._producers.get(ref)
        if producer is None or producer.channel is not None:
            logger.info("a publisher opens a data channel that belongs to no track of its own")
            channel.close()
            return
        producer.channel = channel
        channel.on_closed = lambda: self._publisher_channel_ended(producer, channel)
        channel.on_message = lambda message: self._forward(ref, producer, message)

    def _subscribers(self, ref: TrackRef) -> int:
        producer = self._producers.get(ref)
        return 0 if producer is None else len(producer.consumers)

    def _publisher_channel_ended(self, producer: _Producer, channel: DataChannel) -> None:
        # Another one may come, on another association.
        if producer.channel is channel:
            producer.channel = None

    def _forward(self, ref: TrackRef, producer: _Producer, message: bytes) -> None:
        self.messages_received += 1
        if len(message) < DATA_MESSAGE_OVERHEAD:
            return  # no message at all: its subscribers could only refuse it
        for participant_id, consumer in list(producer.consumers.items()):
            channel = consumer.channel
            if channel is None:
                continue
            try:
                if self._is_beyond(consumer.data, channel, len(message)):
                    self._cut(participant_id, ref)
                    continue
                channel.send(message)
            except TransportError:
                self._cut(participant_id, ref)
                continue
            self.messages_forwarded += 1

    def _is_beyond(self, data: DataChannels, channel: DataChannel, size: int) -> bool:
        waiting = channel.buffered_amount
        if waiting + size > MAX_DATA_BACKLOG_BYTES:
            return True
        if not waiting:
            return False
        together = data.buffered_amount  # of tracks that have ended, too
        return together + size > MAX_PARTICIPANT_DATA_BACKLOG_BYTES

    def _cut(self, participant_id: str, ref: TrackRef) -> None:
        self.subscribers_cut += 1
        self.unsubscribe(participant_id, ref)
        if self.on_cut is not None:
            self.on_cut(participant_id, ref)


def _ref_of(participant_id: str, label: str) -> TrackRef:
    """Return the track that a publisher's channel of this label carries."""
    stream_id, _, track_id = label.partition(" ")
    return TrackRef(participant_id, stream_id, track_id)


def _stop_timer(consumer: _Consumer) -> None:
    if consumer.deadline is not None:
        consumer.deadline.cancel()
        consumer.deadline = None
