"""One line of text, in any script, measured and ready to be drawn.

Pixels; x to the right from the line's left edge, y down from its baseline.
"""

import math
import re
import unicodedata
from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

from multiface.images.bidi import levels, visual_order
from multiface.images.font import REPLACEMENT, best_layout, fonts_of, load_font, shows_nothing

# Shares of the em that every line takes at least, so that most labels side by side are equally high.
_ASCENT = 0.78
_DESCENT = 0.24
_LONGEST = 300
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one font and one direction; x is where its origin lies."""

    text: str
    font: ImageFont.FreeTypeFont
    direction: str | None
    x: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: its runs from left to right, its width, its extent above and below the baseline."""

    runs: tuple[Run, ...]
    width: int
    ascent: int
    descent: int

    @property
    def height(self) -> int:
        return self.ascent + self.descent

    def draw(self, canvas: ImageDraw.ImageDraw, x: float, top: float, colour: tuple[int, int, int]) -> None:
        """Draw it with its upper left corner at (x, top)."""
        for run in self.runs:
            canvas.text(
                (x + run.x, top + self.ascent),
                run.text,
                colour,
                run.font,
                anchor="ls",
                direction=run.direction,
            )


def typeset(text: str, size: int, widest: float = math.inf) -> Line:
    """The text as a line with an em of `size` pixels, cut with an ellipsis where it is wider than `widest`.

    Line breaks become spaces, control characters vanish, and what no font can draw (also the undecodable
    bytes of file names) is drawn as U+FFFD.
    """
    text = clean(text)
    line = _set(text, size, best_layout())
    if line.width <= widest:
        return line
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _set(text[:middle].rstrip() + _ELLIPSIS, size, best_layout()).width <= widest:
            fits = middle
        else:
            too_long = middle
    while 0 < fits < len(text) and unicodedata.category(text[fits])[0] == "M":
        fits -= 1
    return _set(text[:fits].rstrip() + _ELLIPSIS, size, best_layout())


def clean(text: str) -> str:
    """The text as it is drawn: composed (NFC), on one line, without control characters."""
    text = re.sub(r"\s+", " ", text).strip()[:_LONGEST]
    kept = (_drawn(character) for character in unicodedata.normalize("NFC", text))
    return "".join(kept)


def _drawn(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cs", "Cn"}:  # halves of surrogate pairs and unassigned code points
        return REPLACEMENT
    if category == "Cc" or (category == "Cf" and character not in "\u200c\u200d"):
        return ""
    return character


def _set(text: str, size: int, layout: ImageFont.Layout) -> Line:
    runs: list[Run] = []
    ascent, descent = math.ceil(_ASCENT * size), math.ceil(_DESCENT * size)
    x = left = right = 0.0
    stretches = _one_level_each(text)
    for index in visual_order([level for _, _, level in stretches]):
        stretch, file, level = stretches[index]
        if shows_nothing(stretch):  # with no letter beside it; Raqm refuses such text
            continue
        font = load_font(file, size, layout)
        direction = None
        if layout is ImageFont.Layout.RAQM:
            direction = "rtl" if level % 2 else "ltr"
        elif level % 2:
            stretch = stretch[::-1]
        box = font.getbbox(stretch, direction=direction, anchor="ls")
        left, right = min(left, x + box[0]), max(right, x + box[2])
        ascent, descent = max(ascent, math.ceil(-box[1])), max(descent, math.ceil(box[3]))
        runs.append(Run(stretch, font, direction, x))
        x += font.getlength(stretch, direction=direction)
    shifted = tuple(Run(run.text, run.font, run.direction, run.x - left) for run in runs)
    return Line(shifted, math.ceil(max(right, x) - left), ascent, descent)


def _one_level_each(text: str) -> list[tuple[str, str, int]]:
    """The text cut where the font or the direction changes: (stretch, font file, level)."""
    parts: list[tuple[str, str, int]] = []
    at = 0
    stretches = fonts_of(text)
    level_of = levels("".join(stretch for stretch, _ in stretches))
    for stretch, file in stretches:
        start = 0
        for end in range(1, len(stretch) + 1):
            if end == len(stretch) or level_of[at + end] != level_of[at + start]:
                parts.append((stretch[start:end], file, level_of[at + start]))
                start = end
        at += len(stretch)
    return parts
