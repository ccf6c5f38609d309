"""Charts as SVG text, for pages that stand alone: lines, and rates with their intervals.

Drawn in the colour of the page's text, so that they show in light and dark. Values outside the axes are drawn at their
ends. Axes know where a value lies between 0 and 1: evenly, by powers of ten, or by normal deviates, as DET plots are
drawn (Martin et al. 1997, "The DET curve in assessment of detection task performance").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from multiface.html_page import text

PAGE_STYLE = """
body { max-width: 72em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
"""
"""Of a page with charts, and tables of figures in a `.scroll`."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6bb1", "#7f7f7f")
_DASHES = ("", "7 4", "2 3")
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 30, 46
_WIDTH, _HEIGHT = 640, 400
_ROW, _LABELS = 22, 210

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis. ticks: values that are written. place: a value to where it lies, any rising function."""

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    place: Callable[[float], float]

    @staticmethod
    def even(title: str, low: float, high: float) -> "Axis":
        """Evenly spaced, with round ticks."""
        high = high if high > low else low + 1
        step = 10.0 ** math.floor(math.log10((high - low) / 2))
        while (high - low) / step > 8:
            step *= 2.5 if str(step).lstrip("0.").startswith("2") else 2
        first = math.ceil(low / step - 1e-9)
        ticks = tuple(round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1))
        return Axis(title, low, high, ticks, lambda value: value)

    @staticmethod
    def decades(title: str, low: float, high: float) -> "Axis":
        """Powers of ten; 0 < low < high."""
        ticks = tuple(
            10.0**k for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        )
        return Axis(title, low, high, ticks, lambda value: math.log10(max(value, low)))

    @staticmethod
    def deviates(title: str, low: float, high: float) -> "Axis":
        """Rates by their normal deviates; 0 < low < high < 1."""
        known = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
        return Axis(
            title,
            low,
            high,
            tuple(value for value in known if low <= value <= high),
            lambda value: _NORMAL.inv_cdf(min(max(value, low), high)),
        )

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0..1."""
        low, high = self.place(self.low), self.place(self.high)
        return min(max((self.place(min(max(value, self.low), self.high)) - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points (x, y) in the values of the axes."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A value with its interval, low <= value <= high."""

    name: str
    value: float
    low: float
    high: float


def line_chart(title: str, x_axis: Axis, y_axis: Axis, lines: Sequence[Line]) -> str:
    """An SVG of lines, the names beside their colours below the chart."""
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    columns = 3
    height = _HEIGHT + 18 * math.ceil(len(lines) / columns)
    parts = []
    for value in x_axis.ticks:
        x = _LEFT + x_axis.share(value) * across
        parts.append(_grid(x, _TOP, x, _TOP + down))
        parts.append(_words(x, _TOP + down + 16, f"{value:g}", "middle"))
    for value in y_axis.ticks:
        y = _TOP + (1 - y_axis.share(value)) * down
        parts.append(_grid(_LEFT, y, _LEFT + across, y))
        parts.append(_words(_LEFT - 6, y + 4, f"{value:g}", "end"))
    parts.append(_words(_LEFT + across / 2, _TOP + down + 36, x_axis.title, "middle"))
    parts.append(_words(6, 18, y_axis.title, "start"))
    for number, line in enumerate(lines):
        places = " ".join(
            f"{_LEFT + x_axis.share(x) * across:.1f},{_TOP + (1 - y_axis.share(y)) * down:.1f}"
            for x, y in line.points
        )
        style = _stroke(number)
        parts.append(f'<polyline points="{places}" fill="none" {style}/>')
        x, y = (
            _LEFT + (number % columns) * across / columns,
            _HEIGHT + 18 * (number // columns) + 8,
        )
        parts.append(f'<line x1="{x:.1f}" y1="{y - 4}" x2="{x + 24:.1f}" y2="{y - 4}" {style}/>')
        parts.append(_words(x + 30, y, line.name, "start"))
    return _svg(title, _WIDTH, height, parts)


def interval_chart(title: str, unit: str, rows: Sequence[Row], middle: float = 0.0) -> str:
    """An SVG with a row for each value: a dot and its interval, beside a line at `middle`."""
    low, high = min([middle, *(row.low for row in rows)]), max([middle, *(row.high for row in rows)])
    room = 0.05 * (high - low or 1.0)
    axis = Axis.even(unit, low - room, high + room)
    across, height = _WIDTH - _LABELS - _RIGHT, _TOP + _ROW * len(rows) + _BOTTOM
    bottom = _TOP + _ROW * len(rows)
    parts = []
    for value in axis.ticks:
        x = _LABELS + axis.share(value) * across
        parts.append(_grid(x, _TOP, x, bottom))
        parts.append(_words(x, bottom + 16, f"{value:g}", "middle"))
    x = _LABELS + axis.share(middle) * across
    parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="currentColor"/>')
    for number, row in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        x1, x2, x3 = (_LABELS + axis.share(value) * across for value in (row.low, row.value, row.high))
        parts.append(_words(_LABELS - 8, y + 4, row.name, "end"))
        parts.append(f'<line x1="{x1:.1f}" y1="{y}" x2="{x3:.1f}" y2="{y}" {_stroke(0)}/>')
        parts.append(f'<circle cx="{x2:.1f}" cy="{y}" r="4" fill="{_COLOURS[0]}"/>')
    parts.append(_words(_LABELS + across / 2, bottom + 36, unit, "middle"))
    return _svg(title, _WIDTH, height, parts)


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    # The address of the name space is part of the format, not a place that is fetched from.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="system-ui, sans-serif" font-size="12" color="currentColor">'
        f"<title>{text(title)}</title>{_words(width / 2, 18, title, 'middle', True)}{''.join(parts)}</svg>\n"
    )


def _stroke(number: int) -> str:
    dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="2"{dashes}'


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" opacity="0.15"/>'


def _words(x: float, y: float, words: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{weight}>{text(words)}</text>'
