"""Where streams of x264 are begun with by whoever joins, and what FFmpeg decodes from there."""

from __future__ import annotations

import fractions

import av
import pytest
from payload_support import HEIGHT, START_CODE, WIDTH, annex_b, pictures, rtp_packets, split_annex_b

from sealroom import jitter, rtp

COUNT, JOINED = 60, 15


def encode(parameters: str) -> list[bytes]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.bit_rate = fractions.Fraction(1, 30), 2_000_000
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "x264-params": parameters,
    }
    frames = [bytes(packet) for frame in pictures(COUNT) for packet in encoder.encode(frame)]
    return frames + [bytes(packet) for packet in encoder.encode(None)]


def with_headers(frames: list[bytes]) -> list[bytes]:
    """As FFmpeg's `dump_extra=freq=all` repeats them."""
    headers = annex_b([one for one in split_annex_b(frames[0]) if one[0] & 31 in (7, 8)])
    return [frame if frame.startswith(headers) else headers + frame for frame in frames]


def separately(packets: list[bytes]) -> list[bytes]:
    """Units that were aggregated in packets of their own, as GStreamer sends them."""
    result: list[bytes] = []
    for data in packets:
        packet = rtp.parse_rtp(data)
        part = rtp.depacketize("h264", packet.payload).data
        is_whole = packet.payload[0] & 31 != 28
        payloads = part.split(START_CODE)[1:] if is_whole else [packet.payload]
        for i, payload in enumerate(payloads):
            result.append(
                rtp.serialize_rtp(
                    payload,
                    payload_type=96,
                    sequence_number=len(result),
                    timestamp=packet.timestamp,
                    ssrc=7,
                    marker=packet.marker and i + 1 == len(payloads),
                )
            )
    return result


def joined(packets: list[bytes]) -> list[jitter.VideoFrame]:
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert([one for one in packets if rtp.parse_rtp(one).timestamp >= 3000 * JOINED], now=0)
    return buffer.pop()


def decoded(frames: list[jitter.VideoFrame]) -> int:
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    return sum(len(decoder.decode(av.Packet(frame.data.tobytes()))) for frame in frames)


@pytest.mark.parametrize("aggregated", [True, False])
def test_a_stream_that_repeats_its_headers_is_begun_with_at_its_idr(aggregated: bool) -> None:
    packets = rtp_packets("h264", with_headers(encode("keyint=1000")), 1150)
    frames = joined(packets if aggregated else separately(packets))
    assert [frame.timestamp // 3000 for frame in frames] == list(range(COUNT // 2, COUNT))
    assert [frame.is_key_frame for frame in frames] == [True] + [False] * (COUNT // 2 - 1)
    assert decoded(frames) == len(frames)


@pytest.mark.parametrize("aggregated", [True, False])
def test_a_stream_of_intra_refresh_is_begun_with_at_its_recovery_points(aggregated: bool) -> None:
    encoded = encode("intra-refresh=1:keyint=20")
    keys = [i for i, one in enumerate(encoded) if rtp.read_frame_info("h264", one).is_key_frame]
    units = [[unit[0] & 31 for unit in split_annex_b(one)] for one in encoded]
    assert any(5 not in units[i] for i in keys)
    assert len(keys) < 6
    packets = rtp_packets("h264", encoded, 1150)
    frames = joined(packets if aggregated else separately(packets))
    assert [frame.timestamp // 3000 for frame in frames if frame.is_key_frame] == [
        i for i in keys if i >= JOINED
    ]
    assert frames[0].is_key_frame
    assert decoded(frames) > 0
