"""Where one scene ends and another begins: the frame shows something else, and not the same in another light.

Two frames are compared on a grid of 36 x 64 pixels. A cut needs three changes: of the histogram of luma (32 bins), by
half the sum of the differences of shares; of the grid, by its mean difference, which alone is enough where it is very
large; and of the content. Movement changes the grid but hardly the histogram. A change of light, such as flicker, a
strobe, a flash or a lamp that goes on, changes both, but leaves the content: where a place is lighter than what lies
around it, it stays so. Content is compared by the correlation of the two grids, each smoothed over 3 x 3 pixels and
scaled to mean 0 and deviation 1 in each window of 9 x 9, at the best of all shifts by up to 2 pixels.

A frame that suddenly has no content (black, white) begins no scene; what follows is compared with the last one before
it. Dissolves are not found. The limits were measured on real clips and pictures (docs/tracks.md).
"""

import math
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from multiface.faces.face import Image
from multiface.faces.picture_quality import LUMA

GRID = (36, 64)
BINS = 32
HISTOGRAM = 0.14
CHANGE = 18.0
GREAT_CHANGE = 50.0
SAME_CONTENT = 0.45
"""Correlation of two frames from which on they show the same in another light."""
LEAST_CONTENT = 1.0
"""Mean deviation of luma, in grey levels, in the windows of a frame that shows anything."""
_SMOOTH, _WINDOW, _FARTHEST_SHIFT = 1, 4, 2
"""Pixels of the grid to either side."""

Grid = npt.NDArray[np.float32]


class CutFinder:
    """Is handed the grid of every frame in turn."""

    def __init__(self) -> None:
        self._before: Grid = np.zeros((0, 0), np.float32)

    def step(self, grid: Grid) -> bool:
        """Whether a new scene begins with this frame; False for the first. grid: as `luma_grid` makes it."""
        before = self._before
        if before.size:
            histogram, change = differences(before, grid)
            if (histogram < HISTOGRAM or change < CHANGE) and change < GREAT_CHANGE:
                self._before = grid
                return False
        if _deviations(_smoothed(grid)).mean() < LEAST_CONTENT:
            return False
        self._before = grid
        return bool(before.size) and likeness_of_content(before, grid) < SAME_CONTENT

    def state(self) -> Grid:
        """What it remembers, the last frame with content: (36, 64) luma 0..255, or (0, 0) before the first frame."""
        return self._before.copy()

    @staticmethod
    def from_state(state: Grid) -> "CutFinder":
        """A finder that goes on from there."""
        finder = CutFinder()
        finder._before = state.astype(np.float32)
        return finder


def luma_grid(image: Image) -> Grid:
    """Luma, 0..255, of 36 x 64 pixels at equal distances: float32 (36, 64). image: (h, w, 3) uint8 RGB, of any size."""
    return np.asarray(image[_places(*image.shape[:2])].astype(np.float32) @ LUMA, np.float32)


def coded_luma_grid(luma: npt.NDArray[np.uint8]) -> Grid:
    """Nearly the same from the luma (h, w) of a video in limited range, 16 for black, 235 for white.

    BT.709 weighs strong colours a little otherwise. Values beyond 16..235 give less than 0 and more than 255.
    """
    return (luma[_places(*luma.shape)].astype(np.float32) - 16) * np.float32(255 / 219)


@lru_cache(maxsize=8)
def _places(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    rows = (np.arange(GRID[0]) * 2 + 1) * height // (2 * GRID[0])
    columns = (np.arange(GRID[1]) * 2 + 1) * width // (2 * GRID[1])
    return rows[:, None], columns[None]


def differences(before: Grid, after: Grid) -> tuple[float, float]:
    """How much the histogram has changed, 0..1, and the grid, 0..255."""
    histogram = np.abs(_counts(before) - _counts(after)).sum() / (2 * before.size)
    return float(histogram), float(np.abs(before - after).mean())


def likeness_of_content(before: Grid, after: Grid) -> float:
    """-1..1: 1 for the same picture in any light, about 0 for different ones."""
    a, b = _evened(before), _evened(after)
    height, width = a.shape
    best = -1.0
    for down, right in product(range(-_FARTHEST_SHIFT, _FARTHEST_SHIFT + 1), repeat=2):
        mine = a[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
        theirs = b[max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
        size = math.sqrt(float((mine**2).sum() * (theirs**2).sum()))
        best = max(best, float((mine * theirs).sum()) / max(size, 1e-6))
    return best


def _evened(grid: Grid) -> npt.NDArray[np.float64]:
    """Smoothed, with mean 0 and deviation 1 around each pixel; what hardly differs from what is around it is near 0."""
    smooth = _smoothed(grid)
    return (smooth - _means(smooth, _WINDOW)) / (_deviations(smooth) + 1.5)


def _smoothed(grid: Grid) -> npt.NDArray[np.float64]:
    return _means(grid.astype(np.float64), _SMOOTH)


def _deviations(smooth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of the window around each pixel."""
    variance = _means(smooth**2, _WINDOW) - _means(smooth, _WINDOW) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _means(grid: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Of the square of `side` pixels to each side of every pixel, as far as it lies in the grid."""
    sums = np.pad(grid, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (top, bottom), (left, right) = (
        (np.maximum(np.arange(n) - side, 0), np.minimum(np.arange(n) + side + 1, n)) for n in grid.shape
    )
    inside = (
        sums[bottom[:, None], right]
        - sums[top[:, None], right]
        - sums[bottom[:, None], left]
        + sums[top[:, None], left]
    )
    return np.asarray(inside / np.outer(bottom - top, right - left))


def _counts(grid: Grid) -> npt.NDArray[np.intp]:
    """Pixels in each bin of luma; luma beyond 0..255, which a coded picture can hold, is in the first or last."""
    bins = np.clip(grid.ravel() * (BINS / 256), 0, BINS - 1).astype(np.intp)
    return np.bincount(bins, minlength=BINS)
