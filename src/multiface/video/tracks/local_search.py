"""Detection only around the expected positions of known faces: most of a picture holds none.

The search regions are shrunk so that faces are `FACE_SIDE` pixels wide, and are searched together. The result is as
good as that of the full picture as long as every known face is found again; where one is not, there is no result and
the full picture must be searched. Only full-frame detections find new faces elsewhere (`frame_detection`).
"""

from collections.abc import Sequence

import numpy as np

from multiface.faces.boxes import iou
from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, working_scale
from multiface.images.box import Box
from multiface.video.tracks.search_regions import Sheet, regions_around

FACE_SIDE = 64.0
"""Shorter side of an expected face, in pixels of the shrunk region: landmarks are no less exact than in the whole
picture (by two clips and four detectors; larger ones were not better)."""
LARGER = 1.5
"""Expected faces stay at least this many times as large as the detector's smallest face."""
SMALLER = 0.55
"""Faces at least this many times as large as the smallest expected face are sure to be found."""
MOST_AREA = 0.5
"""Largest share of the picture, at the detector's working size; beyond it a full-frame detection costs hardly more."""
AGAIN = 0.3
"""Least intersection over union of a face with its expected box."""


def detect_locally(detector: Detector, image: Image, boxes: Sequence[Box]) -> Faces | None:
    """Faces around the expected boxes, best score first; None if the local search is not worthwhile or misses a face.

    image: (h, w, 3) uint8 RGB. boxes: x0, y0, x1, y1 in its pixels, at least one.
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
    """Whether each expected box has a face of its own. boxes: at least one."""
    if len(faces) < len(boxes):
        return False
    again = iou(np.array(boxes), faces.boxes.astype(np.float64))
    return bool(np.all(again.max(axis=1) >= AGAIN)) and len(set(again.argmax(axis=1).tolist())) == len(boxes)
