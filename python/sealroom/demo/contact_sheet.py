"""Draws `received.png`: pictures bob received beside what the SFU had of the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from av import CodecContext, VideoFrame

from sealroom.demo.lettering import GLYPH_WIDTH, LINE_HEIGHT, Pixels, draw_text
from sealroom.demo.observer import View
from sealroom.demo.subscriber import Sample
from sealroom.media.pictures import convert_picture

TILE_WIDTH: Final = 320
TILE_HEIGHT: Final = 240
MARGIN: Final = 12
GAP: Final = 4
PAIRS_IN_A_ROW: Final = 2
BACKGROUND: Final = (24, 26, 30)
WHITE: Final = (235, 235, 235)
GREEN: Final = (120, 220, 140)
RED: Final = (255, 140, 120)
_DOT: Final = 4  # pixels per byte and direction where bytes are drawn


def draw_contact_sheet(samples: Sequence[Sample], title: str) -> Pixels:
    """Returns the sheet as (height, width, 3) pixels, one pair of tiles for each sample."""
    pair_width = 2 * TILE_WIDTH + GAP
    pair_height = TILE_HEIGHT + 2 * LINE_HEIGHT + GAP
    rows = max(1, -(-len(samples) // PAIRS_IN_A_ROW))
    header = 2 * MARGIN + 2 * LINE_HEIGHT
    width = PAIRS_IN_A_ROW * (pair_width + MARGIN) + MARGIN
    sheet = np.empty((header + rows * (pair_height + MARGIN), width, 3), np.uint8)
    sheet[:] = BACKGROUND
    _write(sheet, MARGIN, MARGIN, title, WHITE)
    explanation = "Left: decoded by bob. Right: the same frame as the SFU forwards it."
    _write(sheet, MARGIN + LINE_HEIGHT, MARGIN, explanation, WHITE)
    for number, sample in enumerate(samples):
        row, column = divmod(number, PAIRS_IN_A_ROW)
        top = header + row * (pair_height + MARGIN)
        left = MARGIN + column * (pair_width + MARGIN)
        _paste(sheet, top, left, _tile(VideoFrame.from_ndarray(sample.picture, format="rgb24")))
        right = left + TILE_WIDTH + GAP
        _paste(sheet, top, right, _sfu_tile(sample.view))
        caption = top + TILE_HEIGHT + GAP
        _write(sheet, caption, left, f"bob, {sample.seconds:.1f} s", GREEN)
        for line, text in enumerate(_describe(sample.view)):
            _write(sheet, caption + line * LINE_HEIGHT, right, text, RED)
    return sheet


def write_png(path: Path, pixels: Pixels) -> None:
    """Writes pixels as a PNG file."""
    encoder: Any = CodecContext.create("png", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt = "rgb24"
    encoder.time_base = Fraction(1)
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def _describe(view: View | None) -> list[str]:
    if view is None:
        return ["SFU: this frame was not tapped"]
    size = f"{len(view.payload)} bytes"
    if view.picture is None:
        return [f"SFU: {size}, decoder refuses.", "The bytes as grey dots."]
    return [f"SFU: {size}, decoder's picture.", f"Likeness to alice's: {view.likeness:+.2f} of 1."]


def _sfu_tile(view: View | None) -> Pixels:
    if view is None:
        return np.zeros((TILE_HEIGHT, TILE_WIDTH, 3), np.uint8)
    if view.picture is not None:
        return _tile(view.picture)
    columns, rows = TILE_WIDTH // _DOT, TILE_HEIGHT // _DOT
    dots = np.zeros(columns * rows, np.uint8)
    data = np.frombuffer(view.payload, np.uint8)[: len(dots)]
    dots[: len(data)] = data
    grid = dots.reshape(rows, columns).repeat(_DOT, axis=0).repeat(_DOT, axis=1)
    return np.repeat(grid[..., None], 3, axis=2)


def _tile(frame: VideoFrame) -> Pixels:
    """The whole picture in a tile, with bars where the shapes differ."""
    scale = min(TILE_WIDTH / frame.width, TILE_HEIGHT / frame.height)
    width = max(2, min(TILE_WIDTH, round(frame.width * scale)))
    height = max(2, min(TILE_HEIGHT, round(frame.height * scale)))
    picture = convert_picture(frame, width=width, height=height, format="rgb24").to_ndarray()
    tile = np.zeros((TILE_HEIGHT, TILE_WIDTH, 3), np.uint8)
    _paste(tile, (TILE_HEIGHT - height) // 2, (TILE_WIDTH - width) // 2, picture)
    return tile


def _write(sheet: Pixels, top: int, left: int, text: str, colour: tuple[int, int, int]) -> None:
    line = draw_text(text, min(len(text) * GLYPH_WIDTH, sheet.shape[1] - left), colour)
    ink = line.any(axis=2)
    sheet[top : top + LINE_HEIGHT, left : left + line.shape[1]][ink] = line[ink]


def _paste(sheet: Pixels, top: int, left: int, picture: Any) -> None:
    height, width = picture.shape[:2]
    sheet[top : top + height, left : left + width] = picture
