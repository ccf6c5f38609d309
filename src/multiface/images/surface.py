"""What marks are drawn on: the pixels of an RGB picture, or the three planes of a coded one.

A coded picture is Y'CbCr 4:2:0 of 8 bits with the matrix of BT.709 in limited range (ITU-R BT.709-6, items 3.2 to 3.5):
luma for every pixel, the two colour differences for each square of 2 x 2. So frames of a video are drawn on without
being converted to RGB and back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageDraw

from multiface.arrays import Pixels
from multiface.images.pixels import Image

Colour = tuple[int, int, int]
"""R, G, B, 0..255."""
Part = tuple[int, int, int, int]
"""Left, top, right, bottom."""

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722  # of luma


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One array of a surface, written to in place.

    pixels: (h, w, 3) or (h, w). step: side of the square of the picture that a pixel of it stands for, 1 or 2.
    shade: what a colour is in it.
    """

    pixels: Pixels
    step: int
    shade: Callable[[Colour], Colour | int]

    def fill(self, part: Part, colour: Colour) -> None:
        """Colour a part of the picture; what of it lies outside is passed over."""
        left, top, right, bottom = (max(side, 0) for side in part)  # a negative one would count from the end
        rows = slice(top // self.step, -(-bottom // self.step))
        self.pixels[rows, left // self.step : -(-right // self.step)] = self.shade(colour)

    def paste(self, left: int, top: int, picture: Pixels) -> None:
        """Put pixels of this plane where they belong; what of them lies beyond its right and lower sides is cut."""
        x, y = left // self.step, top // self.step
        part = self.pixels[y : y + picture.shape[0], x : x + picture.shape[1]]
        part[:] = picture[: part.shape[0], : part.shape[1]]

    def ellipse(self, bounds: Sequence[float], colour: Colour) -> None:
        """A filled one within bounds x0, y0, x1, y1 in the picture."""
        scaled = [side / self.step for side in bounds]
        with self._canvas(*scaled) as (canvas, left, top):
            x0, y0, x1, y1 = scaled
            canvas.ellipse((x0 - left, y0 - top, x1 - left, y1 - top), fill=self.shade(colour))

    def line(self, ends: Sequence[float], colour: Colour, width: int) -> None:
        """From x0, y0 to x1, y1 in the picture."""
        scaled = [end / self.step for end in ends]
        thick = max(1, round(width / self.step))
        around = thick + 2
        low, high = np.minimum(scaled[:2], scaled[2:]) - around, np.maximum(scaled[:2], scaled[2:]) + around
        with self._canvas(*low.tolist(), *high.tolist()) as (canvas, left, top):
            shifted = [scaled[0] - left, scaled[1] - top, scaled[2] - left, scaled[3] - top]
            canvas.line(shifted, fill=self.shade(colour), width=thick)

    @contextmanager
    def _canvas(
        self, x0: float, y0: float, x1: float, y1: float
    ) -> Iterator[tuple[ImageDraw.ImageDraw, int, int]]:
        """A canvas over the part within these bounds, in pixels of the plane, and where its corner lies."""
        height, width = self.pixels.shape[:2]
        left, right = (min(max(int(np.floor(x)), 0), width) for x in (x0 - 2, x1 + 3))
        top, bottom = (min(max(int(np.floor(y)), 0), height) for y in (y0 - 2, y1 + 3))
        part = self.pixels[top : max(bottom, top), left : max(right, left)]
        drawn = PIL.Image.fromarray(part)
        yield ImageDraw.Draw(drawn), left, top
        part[:] = np.asarray(drawn)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A picture that is drawn on in place. width, height: in pixels of the picture."""

    planes: tuple[Plane, ...]
    width: int
    height: int

    @staticmethod
    def of_rgb(picture: Image) -> "Surface":
        """picture: (h, w, 3) uint8."""
        return Surface((Plane(picture, 1, lambda colour: colour),), picture.shape[1], picture.shape[0])

    @staticmethod
    def of_coded(luma: Pixels, blue: Pixels, red: Pixels) -> "Surface":
        """luma: (h, w) uint8, h and w even. blue, red: (h / 2, w / 2), the differences Cb and Cr."""
        planes = (
            Plane(luma, 1, lambda colour: _coded_colour(colour)[0]),
            Plane(blue, 2, lambda colour: _coded_colour(colour)[1]),
            Plane(red, 2, lambda colour: _coded_colour(colour)[2]),
        )
        return Surface(planes, luma.shape[1], luma.shape[0])


def coded(picture: Image) -> tuple[Pixels, Pixels, Pixels]:
    """Luma (h, w), Cb and Cr (half of it, rounded up) of an RGB picture (h, w, 3) of any size."""
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    luma, blue, red = _coded_values(even.astype(np.float32))
    rows, columns = even.shape[0] // 2, even.shape[1] // 2
    halves = [one.reshape(rows, 2, columns, 2).mean(axis=(1, 3)) for one in (blue, red)]
    return _rounded(luma[:height, :width]), _rounded(halves[0]), _rounded(halves[1])


@lru_cache(maxsize=16)
def _coded_colour(colour: Colour) -> Colour:
    luma, blue, red = (int(_rounded(one)) for one in _coded_values(np.array(colour, np.float32)))
    return luma, blue, red


def _coded_values(
    rgb: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Luma 16..235, Cb and Cr 16..240, not rounded, of R, G, B 0..255 on the last axis."""
    luma = rgb @ np.array([_RED, _GREEN, _BLUE], np.float32)
    blue = 128 + 224 / 255 * (rgb[..., 2] - luma) / (2 * (1 - _BLUE))
    red = 128 + 224 / 255 * (rgb[..., 0] - luma) / (2 * (1 - _RED))
    return 16 + 219 / 255 * luma, blue, red


def _rounded(values: npt.NDArray[np.float32]) -> Pixels:
    return np.rint(values).astype(np.uint8)
