"""Where one scene ends and another begins, by the light of two frames that follow one another.

Both frames are looked at on a grid of 36 x 64 pixels. A cut is where two things come together: the histogram of luma
(32 bins) has changed, by half the sum of the differences of shares; and the grid itself has, by its mean difference.
Movement changes the grid but hardly the histogram, a change of light (a fade, an adjusting camera) moves both a
little in each frame. A very large change of the grid is enough alone. A flash counts as a cut, which does little harm:
tracks come back by their vectors. Dissolves are not found. In three clips the three cuts changed the histogram by 0.20
to 0.39 and the grid by 28 to 31, any other frame by 0.10 and 18 at most (docs/tracks.md).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from multiface.faces.face import Image

GRID = (36, 64)
BINS = 32
HISTOGRAM = 0.14
CHANGE = 18.0
GREAT_CHANGE = 50.0
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Grid = npt.NDArray[np.float32]


class CutFinder:
    """Is handed the grid of every frame in turn."""

    def __init__(self) -> None:
        self._before: Grid = np.zeros((0, 0), np.float32)

    def step(self, grid: Grid) -> bool:
        """Whether a new scene begins with this frame; False for the first. grid: as `luma_grid` makes it."""
        before, self._before = self._before, grid
        if not before.size:
            return False
        histogram, change = differences(before, grid)
        return (histogram >= HISTOGRAM and change >= CHANGE) or change >= GREAT_CHANGE

    def state(self) -> Grid:
        """What it remembers: (36, 64) luma 0..255, or (0, 0) before the first frame."""
        return self._before.copy()

    @staticmethod
    def from_state(state: Grid) -> "CutFinder":
        """A finder that goes on from there."""
        finder = CutFinder()
        finder._before = state.astype(np.float32)
        return finder


def luma_grid(image: Image) -> Grid:
    """Luma, 0..255, of 36 x 64 pixels at equal distances: float32 (36, 64). image: (h, w, 3) uint8 RGB, of any size."""
    return np.asarray(image[_places(*image.shape[:2])].astype(np.float32) @ _LUMA, np.float32)


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


def _counts(grid: Grid) -> npt.NDArray[np.intp]:
    """Pixels in each bin of luma; luma beyond 0..255, which a coded picture can hold, is in the first or last."""
    bins = np.clip(grid.ravel() * (BINS / 256), 0, BINS - 1).astype(np.intp)
    return np.bincount(bins, minlength=BINS)
