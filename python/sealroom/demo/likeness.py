"""How alike two pictures are: what decides whether the SFU could have seen anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from sealroom.media.pictures import convert_picture

WIDTH, HEIGHT = 160, 120

RECOGNISABLE = 0.7
"""Correlation from which a picture counts as showing the scene. Decoded ciphertext of moving test
pictures stayed below 0.3, the same pictures decoded rightly were above 0.97."""

_FLAT = 1.0  # standard deviation in grey levels below which a picture shows nothing to recognise

Thumbnail = npt.NDArray[np.float32]


def thumbnail(frame: VideoFrame) -> Thumbnail:
    """Returns the brightness of a picture, 160 x 120, in grey levels."""
    small = convert_picture(frame, width=WIDTH, height=HEIGHT, format="gray")
    return small.to_ndarray().astype(np.float32)


def likeness(one: Thumbnail, other: Thumbnail) -> float:
    """Returns the correlation of two thumbnails, -1 to 1; 0 if either is a flat plane."""
    if one.std() < _FLAT or other.std() < _FLAT:
        return 0.0
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def carries_clear_text(payload: bytes, encoded: bytes, clear_bytes: int) -> bool:
    """True if more than half of an encoded frame, after its clear prefix, lies open in `payload`.

    Two unrelated byte strings agree in one of 256 places. Frames with fewer than 8 bytes after the
    prefix say nothing and are never counted.
    """
    hidden = np.frombuffer(encoded, np.uint8)[clear_bytes:]
    if len(hidden) < 8:
        return False
    seen = np.frombuffer(payload, np.uint8)
    # The SFrame header shifts what follows it by at most 17 bytes.
    for shift in range(18):
        part = seen[clear_bytes + shift : clear_bytes + shift + len(hidden)]
        if 2 * np.count_nonzero(part == hidden[: len(part)]) > len(hidden):
            return True
    return False
