"""How a video says that its pictures lie on their side, and how they are set upright.

A container keeps a display matrix of nine numbers in the order a b u, c d v, x y w (ISO/IEC 14496-12, 6.2.2,
`matrix`): a pixel at (p, q), q pointing down, is shown at (a p + c q + x, b p + d q + y). FFmpeg hands it out with
each frame as nine native int32. Turns that are no quarter turns are rounded to the nearest one; scales and shifts
in the matrix are ignored, as players do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from multiface.images import Image
from multiface.video.sources.pyav import av


@dataclass(frozen=True, slots=True)
class Rotation:
    """What is done to a decoded picture to set it upright.

    mirrored: left and right are swapped first. quarters: then so many quarter turns, counter-clockwise, 0..3.
    """

    quarters: int = 0
    mirrored: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture of one decoded at `width` x `height`."""
        return (height, width) if self.quarters % 2 else (width, height)


UPRIGHT = Rotation()
"""Nothing to be done."""


def rotation_of(frame: av.VideoFrame) -> Rotation:
    """The rotation that the display matrix of a decoded frame asks for; none without a matrix."""
    try:
        data = bytes(cast("Mapping[str, av.buffer.Buffer]", frame.side_data)["DISPLAYMATRIX"])
    except KeyError:
        return UPRIGHT
    except ValueError:  # beside data that PyAV has no name for, it hands out the angle alone
        return Rotation(round(frame.rotation / 90) % 4)
    if len(data) < 36:
        return UPRIGHT
    a, b, _, c, d = (int(number) for number in np.frombuffer(data, np.int32, 5))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return Rotation(round(-math.atan2(b, a) / (math.pi / 2)) % 4, mirrored)


class Rotations:
    """The rotation of each frame of one stream.

    A frame whose matrix was read lives on until Python's collector comes by, since PyAV's side data holds it and is
    held by it: dozens of pictures at a time. So the matrix is read again only when its angle changes.
    """

    def __init__(self) -> None:
        self._angle: int | None = None
        self._rotation = UPRIGHT

    def of(self, frame: av.VideoFrame) -> Rotation:
        """As `rotation_of`."""
        if frame.rotation != self._angle:
            self._angle, self._rotation = frame.rotation, rotation_of(frame)
        return self._rotation


def set_upright(image: Image, rotation: Rotation) -> Image:
    """The picture turned, contiguous in memory; the same array where nothing is to be done."""
    if rotation == UPRIGHT:
        return image
    turned = np.rot90(image[:, ::-1] if rotation.mirrored else image, rotation.quarters)
    upright = np.empty(turned.shape, np.uint8)
    for channel in range(3):  # twice as fast as all at once
        upright[:, :, channel] = turned[:, :, channel]
    return upright
