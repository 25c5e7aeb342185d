"""Jitter buffers for RTP streams."""

from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from . import BytesLike
from .rtp import ReportBlock

_Packet = TypeVar("_Packet", bound=BytesLike)  # a list of one kind of bytes-like

class AudioFrame:
    """An encoded frame, or the mark of one that is missing."""
    @property
    def arrival(self) -> float:
        """Seconds, on the time line of `now`; of a missing frame: of the packet behind the gap."""
    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """uint8, shape (bytes,): a view of the frame's own memory, shape (0,) where
        `is_missing`.
        """
    @property
    def is_missing(self) -> bool:
        """Conceal this frame; its timestamp is interpolated."""
    @property
    def sequence_number(self) -> int:
        """RTP sequence number, 16 bits."""
    @property
    def timestamp(self) -> int:
        """RTP timestamp, 32 bits, in units of the clock rate."""

class AudioJitterBuffer:
    """RTP packets of one audio stream in, frames in order out.

    In order a packet leaves at once; behind a gap it waits at most the target delay, then the gap
    leaves as frames with `is_missing`, at most 10. The target is the 0.95 quantile of the relative
    delay with forgetting, within `min_target_delay` and `max_target_delay`. With `pull` frames
    leave by next(), at the pace of a player with its own clock. Without `ssrc` the first packet
    decides which stream it is. Times are seconds on any one clock. Bounds: `max_packets` (16 to
    16384), `max_bytes` (1500 to 2**30); over one the oldest frames go. Thread-safe.

    Raises InvalidArgumentError for a codec that is not audio and what is out of its range.
    """
    def __init__(
        self,
        codec: str = "opus",
        *,
        ssrc: int | None = None,
        max_packets: int = 256,
        max_bytes: int = 262144,
        min_target_delay: float = 0.02,
        max_target_delay: float = 0.4,
        pull: bool = False,
    ) -> None: ...
    def handle_timeout(self, now: float) -> None:
        """To be called at next_timeout(); then pop()."""
    def hint(self) -> Literal["normal", "accelerate", "expand"]:
        """With `pull`: "accelerate", "expand" or "normal", to keep the delay at the target."""
    def insert(self, packets: list[_Packet], now: float) -> None:
        """Takes a list of bytes-like RTP packets (RFC 3550) that came at `now`, in seconds. What is
        not RTP or of another stream is counted and changes nothing. Raises TypeError for another
        list, InvalidArgumentError for a `now` that is no finite number within 1e11.
        """
    def insert_batch(self, data: BytesLike, sizes: npt.NDArray[np.integer], now: float) -> None:
        """The same for packets laid end to end in `data`: uint8, shape (bytes,), and their `sizes`
        in bytes, integers, shape (packets,). Raises InvalidArgumentError where sizes do not add up
        to the bytes; then nothing is taken.
        """
    def next(
        self, now: float
    ) -> tuple[Literal["frame", "missing", "underrun", "filling"], AudioFrame | None]:
        """With `pull`: what the player needs now, once per frame of its clock. One of ("frame",
        AudioFrame), ("missing", AudioFrame) to conceal, ("underrun", None) to conceal without a
        packet to come, ("filling", None) to play silence. Raises InvalidArgumentError without
        `pull`.
        """
    def next_timeout(self) -> float | None:
        """Seconds on the clock of `now`; None if nothing waits, and with `pull`."""
    def pop(self) -> list[AudioFrame]:
        """The frames that are ready, taken out, in order. Raises InvalidArgumentError with
        `pull`.
        """
    def pop_batch(
        self,
    ) -> tuple[
        npt.NDArray[np.uint8],
        npt.NDArray[np.int32],
        npt.NDArray[np.uint32],
        npt.NDArray[np.bool_],
    ]:
        """The same as four arrays: the frames end to end (uint8, shape (bytes,)), and of each,
        shape (frames,), its size (int32, 0 where it is missing), timestamp (uint32), and whether it
        is missing (bool).
        """
    def reset(self, ssrc: int | None = None) -> None:
        """Starts anew, for the stream `ssrc` or that of the next packet; counters begin at zero."""
    def take_report_block(
        self, *, last_sender_report: int = 0, delay_since_last_sender_report: int = 0
    ) -> ReportBlock | None:
        """The stream's ReportBlock for rtp.write_receiver_report or a sender report (RFC 3550
        section 6.4.1): fraction lost since the last call, packets lost, highest sequence number,
        jitter. The two arguments are what the stream's last SenderReport gives: the middle 32 bits
        of its NTP time, and the time since, in 1/65536 s. None before the first packet.
        """
    @property
    def statistics(self) -> AudioStatistics:
        """A copy of the counters."""

class AudioStatistics:
    """Counters under the names of W3C webrtc-stats; times are in seconds."""
    @property
    def buffered_delay(self) -> float:
        """With `pull`: between the player and the newest packet, smoothed over a second."""
    @property
    def clock_drift_ppm(self) -> float | None:
        """Positive if the sender's clock is faster than `now`; None in the first minute."""
    @property
    def concealed_samples(self) -> int:
        """In missing frames and underruns handed out."""
    @property
    def concealment_events(self) -> int:
        """Runs of these."""
    @property
    def frames_delivered(self) -> int:
        """Taken out, without missing ones."""
    @property
    def jitter(self) -> float:
        """Interarrival jitter (RFC 3550 section 6.4.1), in seconds."""
    @property
    def jitter_buffer_delay(self) -> float:
        """From arrival to leaving, summed over samples."""
    @property
    def jitter_buffer_emitted_count(self) -> int:
        """Video: frames. Audio: samples at the clock rate."""
    @property
    def jitter_buffer_minimum_delay(self) -> float:
        """The target without the configured bounds, summed over samples."""
    @property
    def jitter_buffer_target_delay(self) -> float:
        """The target, summed over samples."""
    @property
    def packets_discarded(self) -> int:
        """Too late, out of range, or over a bound."""
    @property
    def packets_duplicated(self) -> int:
        """Came before."""
    @property
    def packets_given_up(self) -> int:
        """Not there when they were needed."""
    @property
    def packets_lost(self) -> int:
        """Expected less received (RFC 3550): negative where duplicates, or packets from before the
        first one that came, prevail.
        """
    @property
    def packets_malformed(self) -> int:
        """Not RTP, or a payload that breaks its format."""
    @property
    def packets_received(self) -> int:
        """Of this stream; also duplicates and what was discarded."""
    @property
    def packets_unmatched(self) -> int:
        """Of another SSRC."""
    @property
    def target_delay(self) -> float:
        """The target now, seconds."""

class VideoFrame:
    """A complete encoded frame."""
    @property
    def completed_at(self) -> float:
        """Seconds: arrival of the packet that made it whole."""
    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """uint8, shape (bytes,): a view of the frame's own memory. The picture is as it was sent,
        its framing may not be: H.264 start codes have 4 bytes, AV1 has no temporal delimiters.
        """
    @property
    def first_packet_arrival(self) -> float:
        """Seconds, on the time line of `now`."""
    @property
    def first_sequence_number(self) -> int:
        """Of its first packet, 16 bits."""
    @property
    def is_key_frame(self) -> bool:
        """It needs no frame before it."""
    @property
    def last_sequence_number(self) -> int:
        """Of its last packet, 16 bits."""
    @property
    def timestamp(self) -> int:
        """RTP timestamp, 32 bits, in 1/90000 s."""

class VideoJitterBuffer:
    """RTP packets of one video stream in, complete frames in order out, the first a key frame.

    `codec` is a name of sealroom.rtp; without `ssrc` the first packet decides which stream it is.
    Times are seconds on any one clock. Bounds: `max_packets` (16 to 16384) between the oldest and
    the newest, `max_bytes` (1500 to 2**30), `nack_max_packets` (1 to 16384) missing ones. A missing
    packet is asked for `nack_reorder_wait` after a later one, every `nack_retry` (until
    set_round_trip_time), `nack_max_tries` times (0 to 1000), and given up after `max_gap_wait`;
    then a key frame is. Thread-safe.

    Raises InvalidArgumentError for a codec that is not video and what is out of its range.
    """
    def __init__(
        self,
        codec: str,
        *,
        ssrc: int | None = None,
        max_packets: int = 2048,
        max_bytes: int = 4194304,
        max_gap_wait: float = 0.5,
        key_frame_interval: float = 0.5,
        nack_retry: float = 0.1,
        nack_reorder_wait: float = 0.01,
        nack_max_tries: int = 10,
        nack_max_packets: int = 256,
    ) -> None: ...
    def handle_timeout(self, now: float) -> None:
        """To be called at next_timeout(); then drain as after insert()."""
    def insert(self, packets: list[_Packet], now: float) -> None:
        """Takes a list of bytes-like RTP packets (RFC 3550) that came at `now`, in seconds. What is
        not RTP, of another stream or malformed is counted and changes nothing. Raises TypeError for
        another list, InvalidArgumentError for a `now` that is no finite number within 1e11.
        """
    def insert_batch(self, data: BytesLike, sizes: npt.NDArray[np.integer], now: float) -> None:
        """The same for packets laid end to end in `data`: uint8, shape (bytes,), and their `sizes`
        in bytes, integers, shape (packets,). Raises InvalidArgumentError where sizes do not add up
        to the bytes; then nothing is taken.
        """
    def next_timeout(self) -> float | None:
        """Seconds on the clock of `now`; None if nothing waits."""
    def pop(self) -> list[VideoFrame]:
        """The frames that are ready, taken out, in order."""
    def require_key_frame(self) -> None:
        """Decryption (AuthenticationError of sframe) or the decoder cannot go on: drop frames until
        a key frame and ask for one.
        """
    def reset(self, ssrc: int | None = None) -> None:
        """Starts anew, for the stream `ssrc` or that of the next packet; counters begin at zero."""
    def take_report_block(
        self, *, last_sender_report: int = 0, delay_since_last_sender_report: int = 0
    ) -> ReportBlock | None:
        """The stream's ReportBlock for rtp.write_receiver_report or a sender report (RFC 3550
        section 6.4.1): fraction lost since the last call, packets lost, highest sequence number,
        jitter. The two arguments are what the stream's last SenderReport gives: the middle 32 bits
        of its NTP time, and the time since, in 1/65536 s. None before the first packet.
        """
    def set_round_trip_time(self, round_trip_time: float) -> None:
        """Seconds; from now on the time between two requests for a packet, at least 10 ms. Raises
        InvalidArgumentError for a negative one.
        """
    def take_key_frame_request(self, now: float) -> bool:
        """True at most once per `key_frame_interval` while a key frame is needed: send a PLI (RFC
        4585 section 6.3.1).
        """
    def take_nacks(self, now: float) -> npt.NDArray[np.uint16]:
        """Sequence numbers to ask for now (RFC 4585 section 6.2.1): uint16, shape (n,), ascending,
        at most `nack_max_packets`.
        """
    @property
    def statistics(self) -> VideoStatistics:
        """A copy of the counters."""

class VideoStatistics:
    """Counters under the names of W3C webrtc-stats; times are in seconds."""
    @property
    def frames_assembled_from_multiple_packets(self) -> int:
        """Of frames_received."""
    @property
    def frames_delivered(self) -> int:
        """Taken out, without missing ones."""
    @property
    def frames_dropped(self) -> int:
        """Incomplete, undecodable after a loss, or not fetched."""
    @property
    def frames_received(self) -> int:
        """Complete, in order and decodable."""
    @property
    def freeze_count(self) -> int:
        """As if every frame were shown in the moment it leaves."""
    @property
    def jitter(self) -> float:
        """Interarrival jitter (RFC 3550 section 6.4.1), in seconds."""
    @property
    def jitter_buffer_delay(self) -> float:
        """From a frame's first packet until it could be popped, summed."""
    @property
    def jitter_buffer_emitted_count(self) -> int:
        """Video: frames. Audio: samples at the clock rate."""
    @property
    def key_frames_received(self) -> int:
        """Of frames_received."""
    @property
    def nack_count(self) -> int:
        """Requests taken, for any number of packets."""
    @property
    def packets_discarded(self) -> int:
        """Too late, out of range, or over a bound."""
    @property
    def packets_duplicated(self) -> int:
        """Came before."""
    @property
    def packets_given_up(self) -> int:
        """Not there when they were needed."""
    @property
    def packets_lost(self) -> int:
        """Expected less received (RFC 3550): negative where duplicates, or packets from before the
        first one that came, prevail.
        """
    @property
    def packets_malformed(self) -> int:
        """Not RTP, or a payload that breaks its format."""
    @property
    def packets_received(self) -> int:
        """Of this stream; also duplicates and what was discarded."""
    @property
    def packets_recovered(self) -> int:
        """Arrived after they were asked for."""
    @property
    def packets_requested(self) -> int:
        """Packets in these requests, retries counted."""
    @property
    def packets_unmatched(self) -> int:
        """Of another SSRC."""
    @property
    def pli_count(self) -> int:
        """Key-frame requests taken."""
    @property
    def total_assembly_time(self) -> float:
        """From first to last packet of these frames, summed."""
    @property
    def total_freezes_duration(self) -> float:
        """Their length, seconds, summed."""

def playout_hint(
    buffered_delay: float, target_delay: float
) -> Literal["normal", "accelerate", "expand"]:
    """What a player with `buffered_delay` seconds ahead of it should do: "accelerate", "expand" or
    "normal". NetEq's limits. Raises InvalidArgumentError for negative ones.
    """
