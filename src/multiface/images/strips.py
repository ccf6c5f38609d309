"""Large pictures from top to bottom in strips, so that work on one needs little memory."""

from collections.abc import Iterator

_PIXELS = 2_000_000


def strip_rows(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and the row behind the last one of each strip, of some two million pixels."""
    step = max(1, _PIXELS // width)
    for top in range(0, height, step):
        yield top, min(top + step, height)
