"""A detection that looks only around where the known faces should be: most of a picture holds none.

Each box is widened by `MARGIN` of its longer side all around; regions that overlap become one, and are shrunk so that
faces expected in them are `FACE_SIDE` pixels wide. What is found is as good as a look at the whole picture as long as
everybody is found again; where somebody is not, there is no answer, and the whole picture is to be looked at. New faces
elsewhere are found by looks at the whole picture, which are never more than `WHOLE_SECONDS` apart where looks are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.faces.boxes import iou
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import resized, working_scale
from multiface.video.results import Box

WHOLE_SECONDS = 0.65
"""Seconds between two looks at the whole picture, at most: three looks of a file at 0.2 s, and a rate like 29.97."""
MARGIN = 0.5
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
    """A part of a picture to look at: left, top, right, bottom in whole pixels. scale: 0..1, what it is shrunk by.
    boxes: of the faces that are expected in it.
    """

    part: _Part
    scale: float
    boxes: tuple[Box, ...]

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
    if sum(region.area for region in regions) > most or sum(len(region.boxes) for region in regions) < len(
        boxes
    ):
        return None
    parts = []
    for region in regions:
        part = _faces_of(detector, image, region)
        if not _all_found(region.boxes, part):
            return None
        parts.append(part)
    found = Faces(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )
    return found.take(np.argsort(-found.scores, kind="stable"))


def _all_found(boxes: Sequence[Box], faces: Faces) -> bool:
    """Whether each box has a face of its own."""
    if len(faces) < len(boxes):
        return False
    again = iou(np.array(boxes), faces.boxes.astype(np.float64))
    return bool(np.all(again.max(axis=1) >= AGAIN)) and len(set(again.argmax(axis=1).tolist())) == len(boxes)


def regions_around(boxes: Sequence[Box], width: int, height: int, side: float) -> list[Region]:
    """What to look at in a picture of this size for faces in boxes, none of which overlaps another.

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
