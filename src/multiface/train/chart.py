"""Line charts as pictures, drawn with Pillow: loss over learning rate, and ROC curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from multiface.arrays import Doubles, Pixels

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 30, 45
_GRID, _INK, _LINE, _MARK = (225, 225, 225), (40, 40, 40), (31, 90, 180), (200, 60, 40)


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, low < high; `ticks` are values and what is written there."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    @staticmethod
    def decades(title: str, low: int, high: int) -> "Axis":
        """A logarithmic axis in units of log10, a tick at each power of ten."""
        return Axis(title, low, high, tuple((k, f"1e{k}") for k in range(low, high + 1)))

    @staticmethod
    def even(title: str, low: float, high: float, steps: int = 5) -> "Axis":
        """A linear axis with evenly spaced ticks."""
        high = high if high > low else low + 1
        return Axis(
            title, low, high, tuple((v, f"{v:.3g}") for v in np.linspace(low, high, steps + 1).tolist())
        )


def line_chart(
    x: Sequence[float] | Doubles,
    y: Sequence[float] | Doubles,
    x_axis: Axis,
    y_axis: Axis,
    title: str,
    mark: float | None = None,
    size: tuple[int, int] = (720, 440),
) -> Pixels:
    """uint8 (h, w, 3) RGB: a line through (x, y), cut at the axes' ends; `mark` is an x with a line of its
    own.
    """
    width, height = size
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    across, down = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def place(px: float, py: float) -> tuple[float, float]:
        right = (px - x_axis.low) / (x_axis.high - x_axis.low)
        up = (py - y_axis.low) / (y_axis.high - y_axis.low)
        return _LEFT + min(max(right, 0), 1) * across, _TOP + (1 - min(max(up, 0), 1)) * down

    for value, text in x_axis.ticks:
        px, _ = place(value, y_axis.low)
        draw.line([(px, _TOP), (px, _TOP + down)], _GRID)
        draw.text((px, _TOP + down + 4), text, _INK, anchor="ma")
    for value, text in y_axis.ticks:
        _, py = place(x_axis.low, value)
        draw.line([(_LEFT, py), (_LEFT + across, py)], _GRID)
        draw.text((_LEFT - 6, py), text, _INK, anchor="rm")
    draw.text((_LEFT + across / 2, height - 6), x_axis.title, _INK, anchor="md")
    draw.text((6, 6), y_axis.title, _INK)
    draw.text((_LEFT + across / 2, 6), title, _INK, anchor="ma")
    if mark is not None:
        px, _ = place(mark, y_axis.low)
        draw.line([(px, _TOP), (px, _TOP + down)], _MARK, 2)
    draw.line([place(px, py) for px, py in zip(x, y, strict=True)], _LINE, 2)
    return np.asarray(picture)
