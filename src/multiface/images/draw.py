"""Boxes, landmarks and names drawn on a copy of a picture, readable on any background.

Every coloured line has a dark edge on both sides; text is black on a solid label in the box's colour. The two
colours (sky blue: known, orange: unknown) are told apart by colour-blind eyes too (Okabe and Ito, "Color
Universal Design", 2008). Line width and text size follow the picture and the face.

Only the pixels that change are touched (frames of a video are drawn on as well), and labels are kept ready for the
next picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageDraw

from multiface.arrays import Pixels
from multiface.errors import UsageError
from multiface.images.pixels import Image, rgb_from_array
from multiface.images.placing import place_labels
from multiface.images.surface import Colour, Surface, coded
from multiface.images.typeset import typeset

_KNOWN: Colour = (86, 180, 233)
_UNKNOWN: Colour = (230, 159, 0)
_EDGE: Colour = (0, 0, 0)
_INK: Colour = (0, 0, 0)

_SMALLEST_TEXT = 10
_DETAIL_SIZE = 0.8  # of the label's size
_LABELS_KEPT = 256


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What is drawn for one face.

    box: x0, y0, x1, y1 in pixels; it may leave the picture.
    label: the name, in any script; with an empty label and detail there is only the box.
    detail: smaller, on a second line, such as the similarity.
    known: the colour of the box.
    landmarks: (5, 2), (x, y) in pixels, or None.
    """

    box: tuple[float, float, float, float]
    label: str
    detail: str = ""
    known: bool = True
    landmarks: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.box) != 4 or not all(math.isfinite(value) for value in self.box):
            raise UsageError(f"the box of a mark is four finite numbers x0, y0, x1, y1, got {self.box}")
        if self.box[2] < self.box[0] or self.box[3] < self.box[1]:
            raise UsageError(f"the box of a mark has x0 <= x1 and y0 <= y1, got {self.box}")
        points = self.landmarks
        if points is not None and (points.shape != (5, 2) or not np.isfinite(points).all()):
            raise UsageError(
                f"the landmarks of a mark are finite numbers of shape (5, 2), got shape {points.shape}"
            )


def draw_faces(image: Image, marks: Sequence[Mark]) -> Image:
    """A copy of the picture ((h, w, 3) uint8 RGB) with the marks drawn on it.

    Labels stay inside the picture and are placed so that they do not overlap where there is room; one that
    had to move away from its face is tied to it by a line. Raises PictureError for what is no picture.
    """
    picture = rgb_from_array(image).copy()
    draw_marks(Surface.of_rgb(picture), marks)
    return picture


def draw_marks(surface: Surface, marks: Sequence[Mark]) -> None:
    """Draw on the picture itself; otherwise as `draw_faces`."""
    width, height = surface.width, surface.height
    boxes = [_clipped(mark.box, width, height) for mark in marks]
    text_sizes = [_text_size(mark.box, width, height) for mark in marks]
    for mark, box, text_size in zip(marks, boxes, text_sizes, strict=True):
        _draw_box(surface, box, _colour(mark), _line_width(text_size))
        if mark.landmarks is not None:
            _draw_landmarks(surface, mark.landmarks, _colour(mark), text_size)
    named = [index for index, mark in enumerate(marks) if mark.label.strip() or mark.detail.strip()]
    labels = [
        _label(marks[index].label, marks[index].detail, text_sizes[index], width, _colour(marks[index]))
        for index in named
    ]
    gap = max((_line_width(size) for size in text_sizes), default=1) + 1
    on_picture = np.array([np.clip(box, 0, [width, height] * 2) for box in boxes]).reshape(-1, 4)
    # the unnamed faces count as well: they must not be hidden either
    order = named + [index for index in range(len(marks)) if index not in set(named)]
    sizes = [(label.rgb.shape[1], label.rgb.shape[0]) for label in labels]
    places = place_labels(on_picture[order], sizes, gap, width, height)
    for index, place in zip(named, places, strict=False):
        _draw_tie(surface, on_picture[index], place, _colour(marks[index]), _line_width(text_sizes[index]))
    for label, place in zip(labels, places, strict=False):
        left, top = round(float(place[0])), round(float(place[1]))
        for plane, pixels in zip(surface.planes, label.pixels(surface), strict=True):
            plane.paste(left, top, pixels)


def _colour(mark: Mark) -> Colour:
    return _KNOWN if mark.known else _UNKNOWN


def _clipped(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Whole pixels; a side outside stays outside, yet near enough for the drawing library."""
    x0, y0, x1, y1 = np.clip(box, -width - height, 2 * (width + height)).round().astype(int).tolist()
    return x0, y0, x1, y1


def _text_size(box: Sequence[float], width: int, height: int) -> int:
    """The em in pixels: a sixth of the face's height, within bounds set by the picture's shorter side."""
    side = min(width, height)
    smallest = max(_SMALLEST_TEXT, side / 60)
    return round(min(max((box[3] - box[1]) / 6, smallest), max(smallest, side / 16)))


def _line_width(text_size: int) -> int:
    return max(1, round(text_size / 10))


def _draw_box(surface: Surface, box: tuple[int, int, int, int], colour: Colour, line_width: int) -> None:
    x0, y0, x1, y1 = box
    edge = max(1, line_width // 2)
    for inset, drawn, thick in ((-edge, _EDGE, line_width + 2 * edge), (0, colour, line_width)):
        left, top = x0 + inset, y0 + inset
        right, bottom = max(x1 - inset, left) + 1, max(y1 - inset, top) + 1
        for bar in (
            (left, top, right, min(top + thick, bottom)),
            (left, max(bottom - thick, top), right, bottom),
            (left, top, min(left + thick, right), bottom),
            (max(right - thick, left), top, right, bottom),
        ):
            for plane in surface.planes:
                plane.fill(bar, drawn)


def _draw_landmarks(
    surface: Surface, landmarks: npt.NDArray[np.float32], colour: Colour, text_size: int
) -> None:
    radius = max(1.0, text_size / 9)
    around = radius + max(1.0, radius / 2)
    for x, y in landmarks.tolist():
        if not (-around <= x <= surface.width + around and -around <= y <= surface.height + around):
            continue
        for r, drawn in ((around, _EDGE), (radius, colour)):
            for plane in surface.planes:
                plane.ellipse((x - r, y - r, x + r, y + r), drawn)


@dataclass(frozen=True, eq=False)
class _Label:
    """A label, ready to be put on pictures. rgb: (h, w, 3) uint8, not to be written to."""

    rgb: Image

    @cached_property
    def _coded(self) -> tuple[Pixels, Pixels, Pixels]:
        return coded(self.rgb)

    def pixels(self, surface: Surface) -> tuple[Pixels, ...]:
        """What it is in each plane of a surface."""
        return (self.rgb,) if len(surface.planes) == 1 else self._coded


@lru_cache(maxsize=_LABELS_KEPT)
def _label(text: str, detail: str, text_size: int, picture_width: int, colour: Colour) -> _Label:
    padding = max(2, text_size // 5)
    widest = max(picture_width - 2 * padding, 1)
    lines = []
    if text.strip():
        lines.append(typeset(text, text_size, widest))
    if detail.strip():
        detail_size = max(_SMALLEST_TEXT - 1, round(text_size * _DETAIL_SIZE))
        lines.append(typeset(detail, detail_size, widest))
    width = max(line.width for line in lines) + 2 * padding
    height = sum(line.height for line in lines) + 2 * padding
    label = PIL.Image.new("RGB", (width, height), colour)
    canvas = ImageDraw.Draw(label)
    canvas.rectangle((0, 0, width - 1, height - 1), outline=_EDGE)
    y = padding
    for line in lines:
        line.draw(canvas, (width - line.width) // 2, y, _INK)
        y += line.height
    return _Label(np.asarray(label))


def _draw_tie(
    surface: Surface,
    box: npt.NDArray[np.float64],
    place: npt.NDArray[np.float64],
    colour: Colour,
    line_width: int,
) -> None:
    """A line from the label to the nearest point of its box, unless they touch or nearly so."""
    start = _nearest(place, (box[:2] + box[2:]) / 2)
    end = _nearest(box, start)
    if math.dist(start, end) <= 4 * (line_width + 1):
        return
    for width, drawn in ((line_width + 2, _EDGE), (line_width, colour)):
        for plane in surface.planes:
            plane.line((*start.tolist(), *end.tolist()), drawn, width)


def _nearest(rectangle: npt.NDArray[np.float64], point: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.clip(point, rectangle[:2], rectangle[2:])
