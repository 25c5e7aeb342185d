"""Text as pixels, with the font that FFmpeg's decoder for terminal art brings along."""

from __future__ import annotations

import io
from functools import lru_cache

import av
import numpy as np
import numpy.typing as npt

GLYPH_WIDTH = 8
LINE_HEIGHT = 16

Pixels = npt.NDArray[np.uint8]


@lru_cache(maxsize=64)
def draw_text(text: str, width: int, colour: tuple[int, int, int] = (230, 230, 230)) -> Pixels:
    """Returns one line of ASCII as (16, width, 3) pixels on black, cut off at `width`."""
    characters = max(1, width // GLYPH_WIDTH)
    line = "".join(one if " " <= one <= "~" else "?" for one in text)[:characters]
    canvas = np.zeros((LINE_HEIGHT, width, 3), np.uint8)
    if not line.strip():
        return canvas
    # One column more than there are characters: a full line would scroll out of sight.
    size = f"{(characters + 1) * GLYPH_WIDTH}x{LINE_HEIGHT}"
    source = io.BytesIO(line.encode("ascii"))
    with av.open(source, "r", format="tty", options={"video_size": size}) as container:
        grey = list(container.decode(video=0))[-1].to_ndarray(format="gray")
    inked = (grey[:, :width] > 0)[..., None]
    canvas[:, : inked.shape[1]] = inked * np.array(colour, np.uint8)
    return canvas
