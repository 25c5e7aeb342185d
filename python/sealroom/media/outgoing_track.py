"""A track on its way out: source, encoder, handler, native sender."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, Packet, VideoFrame

from sealroom._core.session import MediaSession
from sealroom.errors import InvalidArgumentError, LimitExceededError, NotReadyError
from sealroom.media.audio_codecs import (
    DEFAULT_AUDIO_BITRATE,
    OpusDecoder,
    OpusEncoder,
    measure_audio_level,
)
from sealroom.media.audio_level import SILENCE, FrameLevel, LevelMeter
from sealroom.media.codecs import DecodeError, Encoded, codec_threads
from sealroom.media.encoded_input import EncodedInput
from sealroom.media.frames import EncodedFrame, EncodedFrameHandler, run_handler
from sealroom.media.key_frame_budget import KeyFrameBudget
from sealroom.media.packet_transport import EventDispatcher, TransportClosed
from sealroom.media.sections import KIND_OF_CODEC, CodecName, MediaKind
from sealroom.media.video_codecs import DEFAULT_VIDEO_BITRATE, VideoEncoder

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class OutgoingStatistics:
    """Counters since `start`."""

    frames_sent: int = 0
    bytes_sent: int = 0
    """Encoded bytes, before encryption and packet headers."""
    key_frames_sent: int = 0
    key_frames_requested: int = 0
    frames_dropped: int = 0
    """By the handler, empty, too large, for want of keys, or built on a dropped frame."""
    handler_errors: int = 0


class OutgoingTrack:
    """Pulls frames from `source`, encodes them on the codec threads and sends them.

    A source may yield decoded frames or `av.Packet`s of the same codec, which pass unencoded; if
    such a source has a method `request_key_frame()`, it is called when a receiver needs one, no
    more often than an encoder here would make one (`key_frame_budget`).
    Event-loop thread only.
    """

    def __init__(
        self,
        session: MediaSession,
        sender_id: int,
        source: MediaStreamTrack,
        codec: CodecName,
        *,
        track_id: str = "",
        encoded_frame_handler: EncodedFrameHandler | None = None,
        bitrate: int | None = None,
        send_audio_level: bool = False,
        append_audio_level: bool = False,
        is_enabled: bool = True,
        on_ended: Callable[[Exception | None], None] | None = None,
    ) -> None:
        """`sender_id` is one of the senders of `session`.

        `bitrate` in bits per second. `send_audio_level` tells the servers how loud each packet is
        (RFC 6464), which is off by default because it is not encrypted. `append_audio_level` tells
        the receivers only (`sealroom.media.audio_level`). See `set_enabled`. `on_ended` is called
        once when the source has ended, with what it raised unless that is MediaStreamError; not
        after `stop`.
        """
        self.source = source
        self.codec: CodecName = codec
        self.kind: MediaKind = KIND_OF_CODEC[codec]
        self.track_id = track_id or source.id
        self.encoded_frame_handler = encoded_frame_handler
        self.on_ended = on_ended
        self._session = session
        self._sender = sender_id
        self._bitrate = bitrate
        self._send_audio_level = send_audio_level and codec == "opus"
        self.level_meter = LevelMeter() if append_audio_level and codec == "opus" else None
        """How loud this track is, if that is sent along."""
        self._meter_decoder: OpusDecoder | None = None
        self._encoder: VideoEncoder | OpusEncoder | None = None
        # RFC 3550 section 5.1: a random start, so that clear text of a known time is not known.
        self._timestamp_offset = secrets.randbits(32)
        self._input = EncodedInput(codec)
        self._key_frame_wanted = False
        self._is_source_to_be_asked = False
        self._key_frame_budget = KeyFrameBudget()
        self._is_chain_broken = False
        self._is_limit_told = False
        self._is_enabled = is_enabled
        self._task: asyncio.Task[None] | None = None
        self._statistics = OutgoingStatistics()

    @property
    def statistics(self) -> OutgoingStatistics:
        return replace(self._statistics)

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def is_enabled(self) -> bool:
        return self._is_enabled

    def set_enabled(self, is_enabled: bool) -> None:
        """Mutes or unmutes. A muted track pulls from its source and sends nothing at all.

        No frame leaves after this has returned. Video goes on with a key frame.
        """
        if is_enabled and not self._is_enabled and self.kind == "video":
            self._is_chain_broken = True
            self.request_key_frame()
        self._is_enabled = is_enabled

    def start(self) -> None:
        """Begins to pull, encode and send; later calls do nothing."""
        if self._task is None:
            EventDispatcher.of(self._session).register_sender(self._sender, self._handle_event)
            self._task = asyncio.create_task(self._run())

    def stop(self) -> asyncio.Future[Any]:
        """Stops sending; await the result to know that the last frame is out. Idempotent.

        The source and the native sender stay their owners' to stop and remove.
        """
        EventDispatcher.of(self._session).unregister_sender(self._sender)
        if self._task is None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        self._task.cancel()
        return asyncio.gather(self._task, return_exceptions=True)

    def request_key_frame(self) -> None:
        """Has the encoder, or the source of packets, make a key frame soon."""
        self._key_frame_wanted = True
        self._is_source_to_be_asked = True
        self._ask_source()

    def _ask_source(self) -> None:
        # Now or, if a peer asks too often, with a later packet. Of what is encoded here the encoder
        # spends the budget.
        ask = getattr(self.source, "request_key_frame", None)
        if ask is None or self._encoder is not None or not self._is_source_to_be_asked:
            return
        if self._key_frame_budget.take(time.monotonic()):
            self._is_source_to_be_asked = False
            ask()

    def _handle_event(self, event: Any) -> None:
        if type(event).__name__ == "KeyFrameRequested":
            self._statistics.key_frames_requested += 1
            self.request_key_frame()
        elif isinstance(event, TransportClosed):
            self.stop()

    async def _run(self) -> None:
        failure: Exception | None = None
        try:
            while True:
                frame = self._checked(await self.source.recv())
                if self._is_enabled:
                    for encoded in await self._encode(frame):
                        await self._send(encoded)
        except MediaStreamError:
            logger.debug("source of track %s ended", self.track_id)
        except Exception as error:
            logger.exception("track %s stopped", self.track_id)
            failure = error
        EventDispatcher.of(self._session).unregister_sender(self._sender)
        if self.on_ended is not None:
            self.on_ended(failure)

    def _checked(self, frame: Any) -> Any:
        expected = VideoFrame if self.kind == "video" else AudioFrame
        if not isinstance(frame, (expected, Packet)):
            raise InvalidArgumentError(
                f"track: recv() of {self.kind} returned {type(frame).__name__}, not"
                f" av.{expected.__name__} or av.Packet"
            )
        return frame

    async def _encode(self, frame: Any) -> list[Encoded]:
        if isinstance(frame, Packet):
            self._ask_source()
            frames = self._input.read(frame)
            if self.level_meter is None:
                return frames
            return await asyncio.get_running_loop().run_in_executor(
                codec_threads(), self._measured_on_thread, frames
            )
        force = self._take_key_frame_request()
        return await asyncio.get_running_loop().run_in_executor(
            codec_threads(), self._encode_on_thread, frame, force
        )

    def _measured_on_thread(self, frames: list[Encoded]) -> list[Encoded]:
        return [replace(one, audio_level=self._measure(one.data)) for one in frames]

    def _measure(self, packet: bytes) -> int:
        # Of a packet that comes encoded there is no other way to know.
        if self._meter_decoder is None:
            self._meter_decoder = OpusDecoder()
        try:
            levels = [measure_audio_level(one) for one in self._meter_decoder.decode(packet)]
        except DecodeError:
            levels = []
        return min(levels, default=SILENCE)

    def _encode_on_thread(self, frame: Any, force_key_frame: bool) -> list[Encoded]:
        if self._encoder is None:
            if self.kind == "video":
                self._encoder = VideoEncoder(self.codec, self._bitrate or DEFAULT_VIDEO_BITRATE)
            else:
                self._encoder = OpusEncoder(
                    self._bitrate or DEFAULT_AUDIO_BITRATE,
                    measure_level=self._send_audio_level or self.level_meter is not None,
                )
        return self._encoder.encode(frame, force_key_frame=force_key_frame)

    def _take_key_frame_request(self) -> bool:
        wanted = self._key_frame_wanted or self._is_chain_broken
        return wanted and self._key_frame_budget.take(time.monotonic())

    async def _send(self, encoded: Encoded) -> None:
        made = EncodedFrame(
            data=encoded.data,
            rtp_timestamp=(encoded.time + self._timestamp_offset) & 0xFFFFFFFF,
            is_key_frame=encoded.is_key_frame,
            kind=self.kind,
            codec=self.codec,
            track_id=self.track_id,
        )
        try:
            frame = await run_handler(self.encoded_frame_handler, made)
        except Exception:
            # Closed: what the handler did not get to change must not leave.
            frame = None
            self._statistics.handler_errors += 1
            if self._statistics.handler_errors == 1:
                logger.exception("the encoded-frame handler of track %s failed", self.track_id)
        if not self._is_enabled:  # muted while it was encoded
            return
        if frame is not None and self._is_chain_broken and not encoded.is_key_frame:
            frame = None
        if frame is not None and not len(frame.data):
            frame = None  # nothing that a decoder takes
        if frame is None or not self._send_natively(frame, encoded.audio_level):
            self._statistics.frames_dropped += 1
            if self.kind == "video" and not self._is_chain_broken:
                # Later frames build on this one: send none of them before a key frame.
                self._is_chain_broken = True
                self.request_key_frame()
            return
        if encoded.is_key_frame:
            self._is_chain_broken = False
            # Not before: who asked while it was being made is served by it.
            self._key_frame_wanted = self._is_source_to_be_asked = False
            self._statistics.key_frames_sent += self.kind == "video"
        self._statistics.frames_sent += 1
        self._statistics.bytes_sent += len(frame.data)

    def _send_natively(self, frame: EncodedFrame, audio_level: int | None) -> bool:
        level = None if audio_level is None else FrameLevel.measured(audio_level)
        data = frame.data
        if self.level_meter is not None:
            level = level or FrameLevel(SILENCE, False)
            self.level_meter.note(level)
            data = bytes(data) + level.to_byte()
        shown = level if self._send_audio_level else None
        try:
            self._session.send_frame(
                self._sender,
                data,
                rtp_timestamp=frame.rtp_timestamp,
                audio_level=None if shown is None else shown.level,
                voice_activity=shown is not None and shown.has_voice,
                is_key_frame=frame.is_key_frame,
            )
        except NotReadyError:
            return False
        except LimitExceededError as error:
            if not self._is_limit_told:
                self._is_limit_told = True
                logger.warning("track %s: a frame was not sent: %s", self.track_id, error)
            return False
        return True
