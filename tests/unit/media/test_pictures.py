"""Conversion of pictures starts no threads, which would live as long as the frames."""

import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av import VideoFrame

from sealroom.media.frames import DecodedFrame
from sealroom.media.pictures import convert_picture
from sealroom.media.video_codecs import VideoEncoder


def picture(number=0, size=(96, 128)):
    array = np.full((*size, 3), (number, 200, 30), np.uint8)
    return VideoFrame.from_ndarray(array, format="rgb24")


def decoded(frame):
    return DecodedFrame(convert_picture(frame, format="yuv420p"), "video", 0)


def count_threads():
    if sys.platform != "linux":
        pytest.skip("threads that Python does not know are counted in /proc/self/task")
    return len(list(Path("/proc/self/task").iterdir()))


def test_pictures_that_are_kept_keep_no_threads():
    encoder = VideoEncoder("vp8")
    encoder.encode(picture())
    before = count_threads()
    kept = [decoded(picture(number)) for number in range(20)]
    arrays = [one.to_ndarray() for one in kept]
    packets = [encoder.encode(convert_picture(one.frame, format="rgb24")) for one in kept]
    assert count_threads() == before
    assert len(arrays) == len(packets) == 20


def test_one_picture_may_be_converted_by_many_threads_at_once():
    frame = convert_picture(picture(7), format="yuv420p")
    expected = convert_picture(frame, format="rgb24").to_ndarray()
    with ThreadPoolExecutor(8) as threads:
        results = list(
            threads.map(lambda _: convert_picture(frame, format="rgb24").to_ndarray(), range(200))
        )
    assert all(np.array_equal(one, expected) for one in results)


def test_a_picture_that_is_as_wanted_is_not_copied():
    frame = picture()
    frame.pts, frame.time_base = 5, Fraction(1, 30)
    assert convert_picture(frame, format="rgb24") is frame
    smaller = convert_picture(frame, width=64, height=48)
    assert (smaller.width, smaller.height, smaller.format.name) == (64, 48, "rgb24")
