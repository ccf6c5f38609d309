"""Decoded pictures that can go into a copy as they are, but for the marks drawn on them.

A copy is Y'CbCr 4:2:0 of 8 bits, BT.709, limited range (`picture_stream`). Most films are just that: their planes are
copied and drawn on (`multiface.images.Surface`), which costs a quarter of the way over RGB and back, and leaves
pixels without marks as they were.
"""

from collections.abc import Sequence

import numpy as np

from multiface.arrays import Pixels
from multiface.images import Mark, Surface, draw_marks
from multiface.video.sources.colour import is_bt709_limited
from multiface.video.sources.pyav import av
from multiface.video.sources.upright import UPRIGHT, Rotation


def fits_copy(picture: "av.VideoFrame", rotation: Rotation) -> bool:
    """Whether a decoded picture is what a copy is made of: the pixel format, the colours, upright, even sides."""
    return (
        picture.format.name == "yuv420p"
        and rotation == UPRIGHT
        and picture.width % 2 == picture.height % 2 == 0
        and is_bt709_limited(picture)
    )


def drawn_copy(picture: "av.VideoFrame", marks: Sequence[Mark]) -> "av.VideoFrame":
    """A new picture like a decoded one that `fits_copy`, with the marks drawn on it."""
    copy = av.VideoFrame(picture.width, picture.height, "yuv420p")
    planes = []
    for source, target in zip(picture.planes, copy.planes, strict=True):
        pixels = _pixels(target)
        pixels[:] = _pixels(source)
        planes.append(pixels)
    draw_marks(Surface.of_coded(*planes), marks)
    return copy


def luma_of(picture: "av.VideoFrame") -> Pixels:
    """Luma of a picture that `fits_copy`, (h, w) uint8, black 16, white 235; not to be written to."""
    return _pixels(picture.planes[0])


def _pixels(plane: "av.video.plane.VideoPlane") -> Pixels:
    """The pixels of a plane, in place."""
    rows: Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
