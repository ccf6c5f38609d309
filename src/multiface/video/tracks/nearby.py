"""A detection that looks only around where the known faces should be: most of a picture holds none.

The regions around them are shrunk so that the faces are `FACE_SIDE` pixels wide, and are looked at together. What is
found is as good as a look at the whole picture as long as everybody is found again; where somebody is not, there is no
answer, and the whole picture is to be looked at. New faces elsewhere are for looks at the whole picture (`looking`).
"""

from collections.abc import Sequence

import numpy as np

from multiface.faces.boxes import iou
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, working_scale
from multiface.images.box import Box
from multiface.video.tracks.regions import regions_around
from multiface.video.tracks.sheet import Sheet

FACE_SIDE = 64.0
"""Shorter side of an expected face, in pixels of the shrunk region: landmarks are no less exact than in the whole
picture (by two clips and four detectors; larger ones were not better)."""
LARGER = 1.5
"""Times the detector's smallest face, that expected faces stay at least."""
SMALLER = 0.55
"""Times the smallest face that is expected, that faces must have to be found for sure."""
MOST_AREA = 0.5
"""Share of the picture as detectors work on it; where the sheet has more, the whole costs hardly more."""
AGAIN = 0.3
"""Intersection over union of a face with the box that was expected, from which on it is that face."""


def detect_nearby(detector: Detector, image: Image, boxes: Sequence[Box]) -> Faces | None:
    """Faces around these boxes, best score first; None where that does not do.

    image: (h, w, 3) uint8 RGB. boxes: x0, y0, x1, y1 in its pixels, at least one: where the faces should be.
    """
    height, width = image.shape[:2]
    regions = regions_around(boxes, width, height, max(FACE_SIDE, LARGER * detector.min_face))
    if sum(len(region.boxes) for region in regions) < len(boxes):
        return None
    sheet = Sheet.of(regions)
    most = MOST_AREA * width * height * working_scale(width, height, detector.min_face) ** 2
    shrunk = len(regions) > 1 and max(sheet.width, sheet.height) > BASE_SIDE
    if sheet.width * sheet.height > most or shrunk:
        return None
    smallest = SMALLER * min(region.smallest for region in regions)
    found = detector.detect(sheet.drawn(image), smallest)
    parts = []
    for position, region in enumerate(sheet.regions):
        part = sheet.faces_of(position, found, width, height)
        if not all_found(region.boxes, part):
            return None
        parts.append(part)
    faces = Faces.joined(parts)
    return faces.take(np.argsort(-faces.scores, kind="stable"))


def all_found(boxes: Sequence[Box], faces: Faces) -> bool:
    """Whether each box, where a face was expected, has a face of its own. boxes: at least one."""
    if len(faces) < len(boxes):
        return False
    again = iou(np.array(boxes), faces.boxes.astype(np.float64))
    return bool(np.all(again.max(axis=1) >= AGAIN)) and len(set(again.argmax(axis=1).tolist())) == len(boxes)
