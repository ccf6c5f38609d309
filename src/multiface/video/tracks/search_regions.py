"""The parts of a picture in which to search for faces that are expected there, and their pixels on one sheet.

Each expected box is widened by `MARGIN` of its longer side all around. Overlapping regions are joined, and each is
shrunk so that its faces are as large as asked for. On a sheet the regions lie side by side, so that one call of the
detector searches all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, resized
from multiface.images.box import Box

MARGIN = 0.5
GAP = 16
"""Pixels between two regions."""
EDGE = 2.0
"""Pixels of the picture from a side of a region that is not the picture's, within which a face may be cut off."""
_BETWEEN = 127

Part = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


@dataclass(frozen=True, slots=True)
class SearchRegion:
    """A part of a picture to search. scale: 0..1, by which it is shrunk. boxes: of the expected faces, one or more."""

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


def regions_around(boxes: Sequence[Box], width: int, height: int, side: float) -> list[SearchRegion]:
    """The regions of a picture of this size around expected boxes; no two overlap.

    Boxes too far outside the picture are left out. side: the shorter side to which larger faces are shrunk, in pixels.
    """
    regions: list[SearchRegion] = []
    for x0, y0, x1, y1 in boxes:
        margin = MARGIN * max(x1 - x0, y1 - y0)
        left, right = (round(min(max(x, 0.0), width)) for x in (x0 - margin, x1 + margin))
        top, bottom = (round(min(max(y, 0.0), height)) for y in (y0 - margin, y1 + margin))
        if left < right and top < bottom:
            scale = min(1.0, side / max(min(x1 - x0, y1 - y0), 1.0))
            regions.append(SearchRegion((left, top, right, bottom), scale, ((x0, y0, x1, y1),)))
    return _joined(regions)


def _joined(regions: list[SearchRegion]) -> list[SearchRegion]:
    """Replaces overlapping regions by their bounding region, at the larger scale, until none overlap."""
    apart: list[SearchRegion] = []
    for region in regions:
        while touching := [one for one in apart if _overlap(one.part, region.part)]:
            apart = [one for one in apart if one not in touching]
            lefts, tops, rights, bottoms = zip(region.part, *(one.part for one in touching), strict=True)
            scale = max(region.scale, *(one.scale for one in touching))
            expected = tuple(box for one in (region, *touching) for box in one.boxes)
            region = SearchRegion((min(lefts), min(tops), max(rights), max(bottoms)), scale, expected)
        apart.append(region)
    return apart


def _overlap(a: Part, b: Part) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Regions of a picture side by side. corners: left and top of each. width, height: of the sheet, in pixels."""

    regions: tuple[SearchRegion, ...]
    corners: tuple[tuple[int, int], ...]
    width: int
    height: int

    @staticmethod
    def of(regions: Sequence[SearchRegion]) -> "Sheet":
        """The regions in rows, the tallest first. A row is at most `BASE_SIDE` or the widest region wide."""
        widest = max(BASE_SIDE, *(region.size[0] for region in regions))
        ordered = sorted(regions, key=lambda region: region.size[1], reverse=True)
        corners: list[tuple[int, int]] = []
        x = y = below = right = 0
        for region in ordered:
            width, height = region.size
            if x and x + width > widest:
                x, y = 0, below + GAP
            corners.append((x, y))
            right, below = max(right, x + width), max(below, y + height)
            x += width + GAP
        return Sheet(tuple(ordered), tuple(corners), right, below)

    def drawn(self, image: Image) -> Image:
        """The sheet with the pixels of a picture, (height, width, 3) uint8 RGB."""
        sheet = np.full((self.height, self.width, 3), _BETWEEN, np.uint8)
        for region, (x, y) in zip(self.regions, self.corners, strict=True):
            left, top, right, bottom = region.part
            columns, rows = region.size
            pixels = np.ascontiguousarray(image[top:bottom, left:right])
            sheet[y : y + rows, x : x + columns] = resized(pixels, columns, rows)
        return sheet

    def faces_of(self, position: int, found: Faces, width: int, height: int) -> Faces:
        """The faces of one region in pixels of the picture, without those that a side of the region may have cut off.

        position: of the region in `regions`. width, height: of the picture.
        """
        region, (x, y) = self.regions[position], self.corners[position]
        columns, rows = region.size
        centre = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - np.array([x, y], np.float32)
        found = found.take(np.all((centre >= 0) & (centre < (columns, rows)), axis=1))
        left, top, right, bottom = region.part
        zoom = np.array([(right - left) / columns, (bottom - top) / rows], np.float32)
        here, there = np.array([x, y], np.float32), np.array([left, top], np.float32)
        boxes = (found.boxes - np.tile(here, 2)) * np.tile(zoom, 2) + np.tile(there, 2)
        whole = (
            ((boxes[:, 0] >= left + EDGE) | (left == 0))
            & ((boxes[:, 1] >= top + EDGE) | (top == 0))
            & ((boxes[:, 2] <= right - EDGE) | (right == width))
            & ((boxes[:, 3] <= bottom - EDGE) | (bottom == height))
        )
        return Faces(boxes, found.scores, (found.landmarks - here) * zoom + there).take(whole)
