"""Packets that an application has encoded, as the frames that payload formats carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av import Packet
from av.bitstream import BitStreamFilterContext

from sealroom.media.codecs import Encoded, SourceClock
from sealroom.media.errors import CodecError
from sealroom.media.frames import CLOCK_RATES
from sealroom.media.sections import KIND_OF_CODEC, CodecName
from sealroom.media.video_codecs import is_key_frame

_START_CODES = (b"\0\0\1", b"\0\0\0\1")


class EncodedInput:
    """Reads packets of one codec, in the order in which they are shown. For one thread."""

    def __init__(self, codec: CodecName) -> None:
        self._codec: CodecName = codec
        rate = CLOCK_RATES[codec]
        self._clock = SourceClock(rate, rate // (50 if KIND_OF_CODEC[codec] == "audio" else 30))
        self._last: tuple[int, int] | None = None
        self._annex_b: Any = None

    def read(self, packet: Packet[Any]) -> list[Encoded]:
        """Returns the frames in a packet, of which H.264 of MP4 or Matroska becomes Annex B.

        There are none in an empty one, with which PyAV's `demux` ends.

        Raises:
            CodecError: the packet is of another codec, H.264 is not in Annex B and has no stream to
                tell how it is, or pictures are not in the order in which they are shown (B-frames).
        """
        if not packet.size:
            return []
        self._check(packet)
        ticks = self._clock.convert(packet.pts, packet.time_base)
        is_audio = KIND_OF_CODEC[self._codec] == "audio"
        return [
            Encoded(data, ticks, is_audio or is_key_frame(self._codec, data))
            for data in (self._to_annex_b(packet) if self._codec == "h264" else [bytes(packet)])
        ]

    def _check(self, packet: Packet[Any]) -> None:
        codec = _codec_of(packet)
        if codec is not None and codec != self._codec:
            raise CodecError(f"a packet of {codec} on a track of {self._codec}: add_track(codec=)")
        if packet.pts is None or packet.dts is None:
            return
        now, last = (packet.dts, packet.pts), self._last
        self._last = now
        if last is not None and now[0] > last[0] and now[1] < last[1]:
            raise CodecError("pictures out of order: encode without B-frames")

    def _to_annex_b(self, packet: Packet[Any]) -> Iterator[bytes]:
        stream = packet.stream
        extradata = getattr(getattr(stream, "codec_context", None), "extradata", None)
        if extradata and extradata[0] == 1:  # ISO/IEC 14496-15 section 5.3.3.1: an avcC box
            if self._annex_b is None:
                self._annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
            for converted in self._annex_b.filter(_copy(packet)):
                yield bytes(converted)
            return
        data = bytes(packet)
        if not data.startswith(_START_CODES):
            raise CodecError("H.264 must come in Annex B, or as packets of an opened container")
        yield data


def _codec_of(packet: Packet[Any]) -> str | None:
    context = getattr(packet.stream, "codec_context", None)
    return None if context is None else str(context.codec.canonical_name)


def _copy(packet: Packet[Any]) -> Packet[Any]:
    # A filter takes the packet it is given away from its owner.
    copy: Packet[Any] = Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    return copy
