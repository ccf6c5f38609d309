"""A detection that looks only around where the known faces should be: most of a picture holds none.

Each box is widened by `MARGIN` of its longer side all around; regions that overlap become one, and are shrunk so that
faces expected in them are `FACE_SIDE` pixels wide. What is found is as good as a look at the whole picture as long as
everybody is found again; where somebody is not, there is no answer, and the whole picture is to be looked at. New faces
elsewhere are found by looks at the whole picture: each that is `WHOLE_SECONDS` or more after the last such is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.faces.boxes import iou
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import resized, working_scale
from multiface.video.results import Box

WHOLE_SECONDS = 0.5
"""Seconds after a look at the whole picture, from which on the next look is one again."""
MARGIN = 0.75
FACE_SIDE = 64.0
"""Shorter side of an expected face, in pixels of the shrunk region: landmarks are no less exact than in the whole
picture (by two clips and four detectors; larger ones were not better)."""
LARGER = 1.5
"""Times the detector's smallest face, that expected faces stay at least."""
MOST_AREA = 0.5
"""Share of the picture as detectors work on it; where the shrunk regions have more, the whole costs hardly more."""
AGAIN = 0.3
"""Intersection over union of a face with the box that was expected, from which on it is that face."""
EDGE = 2.0
"""Pixels from a side of a region that is not the picture's, within which a face may be cut off."""

_Part = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture to look at: left, top, right, bottom in whole pixels. scale: 0..1, what it is shrunk by."""

    part: _Part
    scale: float

    @property
    def area(self) -> float:
        """Pixels after shrinking."""
        left, top, right, bottom = self.part
        return (right - left) * (bottom - top) * self.scale**2


def detect_nearby(detector: Detector, image: Image, boxes: Sequence[Box]) -> Faces | None:
    """Faces around these boxes, best score first; None where that does not do.

    image: (h, w, 3) uint8 RGB. boxes: x0, y0, x1, y1 in its pixels, at least one: where the faces should be.
    """
    height, width = image.shape[:2]
    side = max(FACE_SIDE, LARGER * detector.min_face)
    regions = regions_around(boxes, width, height, side)
    most = MOST_AREA * width * height * working_scale(width, height, detector.min_face) ** 2
    if not regions or sum(region.area for region in regions) > most:
        return None
    parts = [_faces_of(detector, image, region) for region in regions]
    found = Faces(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )
    again = iou(np.array(boxes), found.boxes.astype(np.float64))
    if not len(found) or not np.all(again.max(axis=1) >= AGAIN):
        return None
    return found.take(np.argsort(-found.scores, kind="stable"))


def regions_around(boxes: Sequence[Box], width: int, height: int, side: float) -> list[Region]:
    """What to look at in a picture of this size for faces in boxes, none of which overlaps another.

    side: what the shorter side of a larger face is shrunk to.
    """
    regions: list[Region] = []
    for x0, y0, x1, y1 in boxes:
        margin = MARGIN * max(x1 - x0, y1 - y0)
        left, right = (round(min(max(x, 0.0), width)) for x in (x0 - margin, x1 + margin))
        top, bottom = (round(min(max(y, 0.0), height)) for y in (y0 - margin, y1 + margin))
        if left < right and top < bottom:
            scale = min(1.0, side / max(min(x1 - x0, y1 - y0), 1.0))
            regions.append(Region((left, top, right, bottom), scale))
    return _joined(regions)


def _joined(regions: list[Region]) -> list[Region]:
    """Regions that overlap are replaced by one around them, at the larger scale, until none do."""
    apart: list[Region] = []
    for region in regions:
        while touching := [one for one in apart if _overlap(one.part, region.part)]:
            apart = [one for one in apart if one not in touching]
            lefts, tops, rights, bottoms = zip(region.part, *(one.part for one in touching), strict=True)
            scale = max(region.scale, *(one.scale for one in touching))
            region = Region((min(lefts), min(tops), max(rights), max(bottoms)), scale)
        apart.append(region)
    return apart


def _overlap(a: _Part, b: _Part) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _faces_of(detector: Detector, image: Image, region: Region) -> Faces:
    """Faces of a region, in pixels of the picture, without those that its sides may cut off."""
    left, top, right, bottom = region.part
    columns, rows = (max(1, round(length * region.scale)) for length in (right - left, bottom - top))
    found = detector.detect(resized(np.ascontiguousarray(image[top:bottom, left:right]), columns, rows))
    zoom = np.array([(right - left) / columns, (bottom - top) / rows], np.float32)
    offset = np.array([left, top], np.float32)
    boxes = found.boxes * np.tile(zoom, 2) + np.tile(offset, 2)
    height, width = image.shape[:2]
    whole = (
        ((boxes[:, 0] >= left + EDGE) | (left == 0))
        & ((boxes[:, 1] >= top + EDGE) | (top == 0))
        & ((boxes[:, 2] <= right - EDGE) | (right == width))
        & ((boxes[:, 3] <= bottom - EDGE) | (bottom == height))
    )
    return Faces(boxes, found.scores, found.landmarks * zoom + offset).take(whole)
