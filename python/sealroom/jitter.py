"""Jitter buffers: RTP packets as the network delivers them in, encoded frames in order out.

They have no clock and send nothing. Give packets in batches with the time they came at (`now`,
seconds on any one clock, such as `time.monotonic()`), then drain what is ready: `pop`, and for
video `take_nacks` and `take_key_frame_request` (what `sealroom.rtp` writes as RTCP). Call
`handle_timeout` when `next_timeout` is reached. Packets must be authentic already; malformed ones
are counted, never raised. Safe from several threads.

>>> from sealroom import jitter
>>> buffer = jitter.AudioJitterBuffer("opus")
>>> def packet(number):
...     header = b"\\x80\\x6f" + number.to_bytes(2) + (960 * number).to_bytes(4) + bytes(4)
...     return header + b"an Opus packet"
>>> buffer.insert([packet(1), packet(3)], now=0.0)
>>> [bytes(frame.data) for frame in buffer.pop()]
[b'an Opus packet']
>>> buffer.handle_timeout(now=buffer.next_timeout())
>>> [frame.is_missing for frame in buffer.pop()]
[True, False]

The counters of `statistics` have the names of W3C webrtc-stats, in snake_case, times in seconds.
"""

from sealroom._core.jitter import (
    AudioFrame,
    AudioJitterBuffer,
    AudioStatistics,
    VideoFrame,
    VideoJitterBuffer,
    VideoStatistics,
    playout_hint,
)

__all__ = [
    "AudioFrame",
    "AudioJitterBuffer",
    "AudioStatistics",
    "VideoFrame",
    "VideoJitterBuffer",
    "VideoStatistics",
    "playout_hint",
]
