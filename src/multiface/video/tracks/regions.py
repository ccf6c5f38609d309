"""The parts of a picture around faces that are expected there.

Each box is widened by `MARGIN` of its longer side all around; regions that overlap become one, and are shrunk so that
faces expected in them are as large as is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multiface.images.box import Box

MARGIN = 0.5

Part = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture to look at. scale: 0..1, what it is shrunk by. boxes: of the faces expected, one or more."""

    part: Part
    scale: float
    boxes: tuple[Box, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after shrinking, in whole pixels."""
        left, top, right, bottom = self.part
        return max(1, round((right - left) * self.scale)), max(1, round((bottom - top) * self.scale))

    @property
    def smallest(self) -> float:
        """Shorter side of the smallest face that is expected, in pixels after shrinking."""
        return min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in self.boxes) * self.scale


def regions_around(boxes: Sequence[Box], width: int, height: int, side: float) -> list[Region]:
    """What to look at in a picture of this size for faces in boxes; none overlaps another.

    Boxes so far outside the picture that nothing of it is near them are left out. side: what the shorter side of a
    larger face is shrunk to.
    """
    regions: list[Region] = []
    for x0, y0, x1, y1 in boxes:
        margin = MARGIN * max(x1 - x0, y1 - y0)
        left, right = (round(min(max(x, 0.0), width)) for x in (x0 - margin, x1 + margin))
        top, bottom = (round(min(max(y, 0.0), height)) for y in (y0 - margin, y1 + margin))
        if left < right and top < bottom:
            scale = min(1.0, side / max(min(x1 - x0, y1 - y0), 1.0))
            regions.append(Region((left, top, right, bottom), scale, ((x0, y0, x1, y1),)))
    return _joined(regions)


def _joined(regions: list[Region]) -> list[Region]:
    """Regions that overlap are replaced by one around them, at the larger scale, until none do."""
    apart: list[Region] = []
    for region in regions:
        while touching := [one for one in apart if _overlap(one.part, region.part)]:
            apart = [one for one in apart if one not in touching]
            lefts, tops, rights, bottoms = zip(region.part, *(one.part for one in touching), strict=True)
            scale = max(region.scale, *(one.scale for one in touching))
            expected = tuple(box for one in (region, *touching) for box in one.boxes)
            region = Region((min(lefts), min(tops), max(rights), max(bottoms)), scale, expected)
        apart.append(region)
    return apart


def _overlap(a: Part, b: Part) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
