"""A detection that looks only around where the known faces should be: most of a picture holds none.

Each box is widened by `MARGIN` of its longer side all around; regions that overlap become one. What is found is as good
as a look at the whole picture as long as everybody is found again; where somebody is not, there is no answer, and the
whole picture is to be looked at. New faces elsewhere are found by looks at the whole picture, which are never
`WHOLE_SECONDS` or more apart.
"""

from collections.abc import Sequence

import numpy as np

from multiface.faces.boxes import iou
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.video.results import Box

WHOLE_SECONDS = 0.5
"""Seconds after a look at the whole picture, from which on the next look is one again."""
MARGIN = 0.75
MOST_AREA = 0.4
"""Share of the picture; where the regions have more together, looking at the whole of it costs hardly more."""
AGAIN = 0.3
"""Intersection over union of a face with the box that was expected, from which on it is that face."""
EDGE = 2.0
"""Pixels from a side of a region that is not the picture's, within which a face may be cut off."""

_Region = tuple[int, int, int, int]


def detect_nearby(detector: Detector, image: Image, boxes: Sequence[Box]) -> Faces | None:
    """Faces around these boxes, best score first; None where that does not do.

    image: (h, w, 3) uint8 RGB. boxes: x0, y0, x1, y1 in its pixels, at least one: where the faces should be.
    """
    height, width = image.shape[:2]
    regions = regions_around(boxes, width, height)
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in regions)
    if not regions or area > MOST_AREA * width * height:
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


def regions_around(boxes: Sequence[Box], width: int, height: int) -> list[_Region]:
    """Parts of a picture of this size (left, top, right, bottom; whole pixels) around boxes, none of which overlap."""
    regions: list[_Region] = []
    for x0, y0, x1, y1 in boxes:
        margin = MARGIN * max(x1 - x0, y1 - y0)
        left, right = (round(min(max(x, 0.0), width)) for x in (x0 - margin, x1 + margin))
        top, bottom = (round(min(max(y, 0.0), height)) for y in (y0 - margin, y1 + margin))
        if left < right and top < bottom:
            regions.append((left, top, right, bottom))
    return _joined(regions)


def _joined(regions: list[_Region]) -> list[_Region]:
    """Regions that overlap are replaced by one around them, until none do."""
    apart: list[_Region] = []
    for region in regions:
        while touching := [one for one in apart if _overlap(one, region)]:
            apart = [one for one in apart if one not in touching]
            lefts, tops, rights, bottoms = zip(region, *touching, strict=True)
            region = (min(lefts), min(tops), max(rights), max(bottoms))
        apart.append(region)
    return apart


def _overlap(a: _Region, b: _Region) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _faces_of(detector: Detector, image: Image, region: _Region) -> Faces:
    """Faces of a region, in pixels of the picture, without those that its sides may cut off."""
    left, top, right, bottom = region
    found = detector.detect(np.ascontiguousarray(image[top:bottom, left:right]))
    offset = np.array([left, top], np.float32)
    boxes = found.boxes + np.tile(offset, 2)
    height, width = image.shape[:2]
    whole = (
        ((boxes[:, 0] >= left + EDGE) | (left == 0))
        & ((boxes[:, 1] >= top + EDGE) | (top == 0))
        & ((boxes[:, 2] <= right - EDGE) | (right == width))
        & ((boxes[:, 3] <= bottom - EDGE) | (bottom == height))
    )
    return Faces(boxes, found.scores, found.landmarks + offset).take(whole)
