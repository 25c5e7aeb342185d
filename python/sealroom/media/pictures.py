"""Pictures in other sizes and pixel formats, without a thread more.

`av.VideoFrame.reformat` and `to_ndarray(format=...)` have FFmpeg start threads for each frame that
live as long as the frame: 300 frames that are kept are 600 threads. Nor may two threads convert one
frame at once.
"""

from __future__ import annotations

import threading

from av import VideoFrame
from av.video.reformatter import VideoReformatter

_own = threading.local()


def convert_picture(
    frame: VideoFrame,
    *,
    width: int | None = None,
    height: int | None = None,
    format: str | None = None,
) -> VideoFrame:
    """Returns the picture in this size and PyAV pixel format, itself where it is so already."""
    reformatter: VideoReformatter | None = getattr(_own, "reformatter", None)
    if reformatter is None:
        reformatter = _own.reformatter = VideoReformatter()
    return reformatter.reformat(frame, width=width, height=height, format=format, threads=1)
