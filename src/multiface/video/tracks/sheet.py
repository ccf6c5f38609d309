"""Regions of a picture side by side on one sheet, so that a detector looks at all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, resized
from multiface.video.tracks.regions import Region

GAP = 16
"""Pixels between two regions."""
EDGE = 2.0
"""Pixels of the picture from a side of a region that is not the picture's, within which a face may be cut off."""
_BETWEEN = 127


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where regions lie on a sheet of so many pixels. corners: left and top of each."""

    regions: tuple[Region, ...]
    corners: tuple[tuple[int, int], ...]
    width: int
    height: int

    @staticmethod
    def of(regions: Sequence[Region]) -> "Sheet":
        """The regions in rows, the tallest first; a row is as wide as detectors like it, or as the widest region."""
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
        """Of the faces found on the sheet, those of a region that its sides cannot have cut off, where they are in the
        picture.

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
