"""A track on its way in: native receiver, handler, decoder, queues."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from sealroom._core.session import FrameReceived, MediaSession
from sealroom.errors import SealroomError
from sealroom.media.audio_level import FrameLevel, LevelMeter
from sealroom.media.codecs import codec_threads
from sealroom.media.frame_decoding import (
    FrameDecoder,
    Job,
    Visit,
    begins_chain,
    size_of_decoded,
)
from sealroom.media.frame_queue import FrameQueue
from sealroom.media.frames import DecodedFrame, EncodedFrame, EncodedFrameHandler, run_handler
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.sections import CodecName, MediaKind

logger = logging.getLogger(__name__)

MAX_UNREAD_FRAMES = 64
"""Encoded frames kept for a consumer that has not begun or falls behind: 2 s of video."""

MAX_UNREAD_BYTES = 8 << 20

DECODED_QUEUE_SIZE = {"video": 8, "audio": 50}

MAX_DECODED_BYTES = 64 << 20
"""Of decoded pictures kept for the reader: 5 of 3840x2160, and one of any size."""

BATCH = 8
"""Encoded frames decoded in one visit to a codec thread."""

KEY_FRAME_PATIENCE = 1.0
"""Seconds before a key frame that did not come is asked for again."""

READER_GRACE = 3.0
"""Seconds for which decoding goes on without a reader: who breaks off and reads on soon, as for one
picture now and then, costs the publisher no key frame."""

RejectionHandler = Callable[[str, int], None]


@dataclass(slots=True)
class IncomingStatistics:
    """Counters since construction."""

    frames_received: int = 0
    """Authentic encoded frames."""
    frames_rejected: int = 0
    """Frames that decryption refused, by the receiver's events."""
    frames_decoded: int = 0
    frames_concealed: int = 0
    """Audio packets made up because they were lost."""
    frames_dropped: int = 0
    """Frames that nobody fetched in time, encoded or decoded, and the video built on them."""
    frames_skipped: int = 0
    """Video frames not decoded because a frame they build on is missing."""
    decode_errors: int = 0
    handler_errors: int = 0


class IncomingTrack(MediaStreamTrack):
    """Frames of one native receiver, as an aiortc track, as decoded or as encoded frames.

    Nothing is decoded unless somebody asks for decoded frames; whoever asks late begins at the next
    key frame. All queues are bounded and drop their oldest frames, encoded video up to the next key
    frame, which is asked for: neither readers nor handlers see what follows a hole. `recv` and
    `frames` take from one queue. While an iterator is open, or somebody waits, other readers are
    refused (AlreadyReadError): give them aiortc's MediaRelay.
    Event-loop thread only.
    """

    def __init__(
        self,
        session: MediaSession,
        receiver_id: int,
        kind: MediaKind,
        codec: CodecName,
        *,
        track_id: str = "",
        encoded_frame_handler: EncodedFrameHandler | None = None,
        on_rejected: RejectionHandler | None = None,
        queue_size: int | None = None,
        has_audio_level: bool = False,
    ) -> None:
        """`receiver_id` is one of the receivers of `session`.

        `on_rejected` gets a reason and a count, at most once a second per reason. `queue_size`
        bounds the decoded frames waiting for the reader. `has_audio_level`: each frame ends with
        its loudness (`sealroom.media.audio_level`), which neither handlers nor decoders see.
        """
        super().__init__()
        self.kind: MediaKind = kind
        self.codec: CodecName = codec
        if track_id:
            self._id = track_id
        self._handler = encoded_frame_handler
        self.on_rejected = on_rejected
        self.level_meter = LevelMeter() if has_audio_level else None
        """How loud this track is, if its publisher tells."""
        self._session = session
        self._receiver = receiver_id
        self._unread: FrameQueue[FrameReceived] = self._queue_of_encoded()
        self._decoded: FrameQueue[DecodedFrame] = FrameQueue(
            queue_size or DECODED_QUEUE_SIZE[kind], MAX_DECODED_BYTES, size_of_decoded
        )
        self._encoded: FrameQueue[EncodedFrame] | None = None
        self._decoder: FrameDecoder | None = None
        self._is_received = False
        self._decodes_until = 0.0
        self._needs_key_frame = kind == "video"
        self._key_frame_asked_at = -KEY_FRAME_PATIENCE
        self._task: asyncio.Task[None] | None = None
        self._statistics = IncomingStatistics()
        EventDispatcher.of(session).register_receiver(receiver_id, self._handle_event)
        if encoded_frame_handler is not None:
            self._start_worker()

    @property
    def encoded_frame_handler(self) -> EncodedFrameHandler | None:
        """Sees each frame after decryption; setting it has frames delivered without a reader.

        One that is set while video is under way begins at a key frame, which is asked for.
        """
        return self._handler

    @encoded_frame_handler.setter
    def encoded_frame_handler(self, handler: EncodedFrameHandler | None) -> None:
        self._handler = handler
        if handler is None:
            return
        if self._task is not None:
            self.request_key_frame()
        self._start_worker()

    @property
    def statistics(self) -> IncomingStatistics:
        dropped = self._statistics.frames_dropped + self._unread.dropped + self._decoded.dropped
        if self._encoded is not None:
            dropped += self._encoded.dropped
        return replace(self._statistics, frames_dropped=dropped)

    async def recv(self) -> VideoFrame | AudioFrame:
        """Returns the next decoded frame; raises MediaStreamError when the track has ended.

        From the first call on frames are decoded until the track ends.
        """
        self._is_received = True
        self._start_worker()
        decoded = await self._decoded.get()
        if decoded is None:
            raise MediaStreamError
        return decoded.frame

    def frames(self) -> AsyncIterator[DecodedFrame]:
        """Returns an iterator of decoded frames that ends with the track.

        Frames are decoded while it is open, and READER_GRACE longer: until it is closed, or nobody
        holds it any more.
        """
        reader = self._decoded.iterate()
        self._start_worker()
        return reader

    def encoded_frames(self) -> AsyncIterator[EncodedFrame]:
        """Returns an iterator of decrypted, still encoded frames that ends with the track.

        Of video that is under way each begins with a key frame, which is asked for.
        """
        is_under_way = self._task is not None or self._encoded is not None
        if self._encoded is None:
            self._encoded = self._queue_of_encoded()
            if self.readyState != "live":
                self._encoded.close()
        reader = self._encoded.iterate()
        if is_under_way:
            self._encoded.skip_to_beginning()
        self._start_worker()
        return reader

    def request_key_frame(self) -> None:
        """Asks the publisher for a key frame of video, unless one is on its way already.

        The pictures until then are withheld, for about a round trip. Nothing happens with audio.
        """
        if self.kind == "video" and self.readyState == "live":
            self._ask_for_key_frame()

    def stop(self) -> None:
        """Ends the track; the native receiver stays its owner's to remove."""
        EventDispatcher.of(self._session).unregister_receiver(self._receiver)
        if self._task is not None:
            self._task.cancel()
        self._unread.clear()
        self._decoded.close()
        if self._encoded is not None:
            self._encoded.close()
        super().stop()

    def _queue_of_encoded(self) -> FrameQueue[Any]:
        return FrameQueue(
            MAX_UNREAD_FRAMES,
            MAX_UNREAD_BYTES,
            lambda frame: len(frame.data),
            begins=begins_chain if self.kind == "video" else None,
            on_starved=self._ask_for_key_frame,
        )

    def _is_decoding(self) -> bool:
        now = time.monotonic()
        if self._is_received or self._decoded.has_reader:
            self._decodes_until = now + READER_GRACE
            return True
        return now < self._decodes_until

    def _start_worker(self) -> None:
        if self._task is None and self.readyState == "live":
            self._task = asyncio.create_task(self._run())

    def _handle_event(self, event: Any) -> None:
        match type(event).__name__:
            case "FrameReceived":
                self._enqueue(event)
            case "FrameRejected":
                if event.reason == "queue_overflow":  # authentic, but not fetched from the core
                    self._statistics.frames_dropped += event.count
                    self._unread.break_chain()
                else:
                    self._statistics.frames_rejected += event.count
                if self.on_rejected is not None:
                    self.on_rejected(event.reason, event.count)
            case "RemoteBye" | "TransportClosed":
                self._unread.end()
                if self._task is None:
                    self.stop()

    def _enqueue(self, event: FrameReceived) -> None:
        if not event.is_missing and event.rejected is None:
            self._statistics.frames_received += 1
            if self.level_meter is not None:
                if not len(event.data):  # its publisher does not do what it announced
                    self._statistics.decode_errors += 1
                    return
                self.level_meter.note(FrameLevel.from_byte(int(event.data[-1])))
        is_idle = self._task is None and not self._unread
        if is_idle and self._needs_key_frame and not event.is_key_frame:
            self._statistics.frames_dropped += 1
            return
        self._unread.put(event)

    async def _run(self) -> None:
        try:
            while (event := await self._unread.get()) is not None:
                await self._process([event, *self._unread.take(BATCH - 1)])
        except Exception:
            logger.exception("track %s stopped", self.id)
        finally:
            self._task = None
            self.stop()

    async def _process(self, events: list[FrameReceived]) -> None:
        jobs: Sequence[Job] = await self._jobs_of(events)
        while jobs:
            visit = await asyncio.get_running_loop().run_in_executor(
                codec_threads(), self._decode_on_thread, jobs
            )
            for item in visit.decoded:
                self._statistics.frames_decoded += not item.is_concealed
                self._statistics.frames_concealed += item.is_concealed
                self._decoded.put(item)
            self._statistics.decode_errors += visit.errors
            self._statistics.frames_skipped += visit.skipped
            # Not one that does not decode, of which the next would be asked for at once.
            keys = {job.event.rtp_timestamp for job in jobs if job.event.is_key_frame}
            if any(item.rtp_timestamp in keys for item in visit.decoded):
                self._key_frame_asked_at = -KEY_FRAME_PATIENCE
            if visit.has_hole:
                self._break_chain()
            jobs = visit.left

    async def _jobs_of(self, events: list[FrameReceived]) -> list[Job]:
        """Hands events on, and returns what of them is to be decoded."""
        jobs: list[Job] = []
        is_decoding = self._is_decoding()
        for event in events:
            frame = None if event.is_missing else await self._handled(event)
            if frame is not None and not is_decoding and begins_chain(event):
                self._key_frame_asked_at = -KEY_FRAME_PATIENCE
            if self._encoded is not None:
                self._pass_on(self._encoded, event, frame)
            if not is_decoding:  # whoever comes begins with what comes then
                self._needs_key_frame = self.kind == "video"
                self._decoded.clear()
            elif event.rejected is None and self._is_decodable(event, frame):
                jobs.append(Job(event, None if frame is None else frame.data))
        return jobs

    def _decode_on_thread(self, jobs: Sequence[Job]) -> Visit:
        if self._decoder is None:
            self._decoder = FrameDecoder(self.codec)
        return self._decoder.decode(jobs)

    def _pass_on(
        self, queue: FrameQueue[EncodedFrame], event: FrameReceived, frame: EncodedFrame | None
    ) -> None:
        if not queue.has_reader:
            queue.clear()
            queue.break_chain()
        elif frame is not None:
            queue.put(frame)
        elif event.rejected is None:
            queue.break_chain()  # what the handler dropped is missing as well

    async def _handled(self, event: FrameReceived) -> EncodedFrame | None:
        data = event.data
        if self.level_meter is not None and event.rejected is None:
            data = data[:-1]  # a view
        frame = EncodedFrame(
            data=data,
            rtp_timestamp=event.rtp_timestamp,
            is_key_frame=event.is_key_frame,
            kind=self.kind,
            codec=self.codec,
            track_id=self.id,
            rejected=event.rejected,
            arrival=event.arrival,
        )
        try:
            return await run_handler(self._handler, frame)
        except Exception:
            self._statistics.handler_errors += 1
            if self._statistics.handler_errors == 1:
                logger.exception("the encoded-frame handler of track %s failed", self.id)
            return None

    def _is_decodable(self, event: FrameReceived, frame: EncodedFrame | None) -> bool:
        if self.kind == "audio":
            return True  # a frame that is missing or dropped by the handler is concealed
        if frame is None or (self._needs_key_frame and not event.is_key_frame):
            self._statistics.frames_skipped += 1
            self._break_chain()
            return False
        self._needs_key_frame = False
        return True

    def _break_chain(self) -> None:
        if self.kind != "video":
            return
        self._needs_key_frame = True
        self._ask_for_key_frame()

    def _ask_for_key_frame(self) -> None:
        # Once per break: the core withholds video from a request to the next key frame, so asking
        # again for each frame already on its way would throw away the key frame's successors.
        now = time.monotonic()
        if now - self._key_frame_asked_at < KEY_FRAME_PATIENCE:
            return
        self._key_frame_asked_at = now
        try:
            self._session.request_key_frame(self._receiver)
        except SealroomError:
            logger.debug("receiver of track %s is gone", self.id)
