"""Faces of a picture, with second looks where the first finds none or is not sure.

Upright first, then a border, then quarter turns. A look is worth the score of its best face whose landmarks can be a
face that stands upright (`plausible`), 0 without one; it is sure from the detector's `sure` on.

1. The picture as it stands. If that is sure, nothing else is looked at.
2. The picture with a black border as wide as its longer side: networks made for faces in scenes miss, or doubt, faces
   that fill their picture. Small faces are lost in this look, so it must not see fewer than the first.
3. The three other quarter turns: detectors see faces in pictures that lie on their side, and plausible ones in
   pictures that stand on their head.

A second look replaces a plausible face found before only by a clear margin (`MARGIN`); of its faces those with
landmarks that can be a face are kept. If no second look wins, the faces of the first stand as they are. Boxes and
landmarks are always in pixels of the picture as it was handed in.
"""

import math
from dataclasses import dataclass

import numpy as np

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, resized
from multiface.faces.plausible import plausible

MARGIN = 0.15
"""By how much the odds of a second look's best face must be better: its log odds less those of the best before.

Scores saturate (YuNet's near 0.93, MTCNN's near 1), so that a difference of scores means another thing for each
detector. On LFW the log odds of a face the right way up are this much higher than those of the same face seen in any
wrong turn in all but 0.2 % of the pictures."""


@dataclass(frozen=True, slots=True)
class Found:
    """Faces and how they were found.

    turn: quarter turns, counter-clockwise, after which the picture showed its faces upright (0..3).
    bordered: whether the picture had to be looked at with a border.
    """

    faces: Faces
    turn: int = 0
    bordered: bool = False


def find_faces(detector: Detector, image: Image) -> Found:
    """Faces of an (h, w, 3) uint8 RGB picture, best score first."""
    first = detector.detect(image)
    best, worth = Found(first), _worth(first)
    if worth >= detector.sure:
        return best
    faces = _plausible(_with_border(detector, image))
    if len(faces) >= plausible(first).sum() and _clearly_better(_worth(faces), worth):
        best, worth = Found(faces, bordered=True), _worth(faces)
    if worth >= detector.sure:
        return best
    upright = worth
    for turn in (1, 3, 2):
        faces = _plausible(detector.detect(np.ascontiguousarray(np.rot90(image, turn))))
        if _worth(faces) > worth and _clearly_better(_worth(faces), upright):
            best, worth = (
                Found(_turned_back(faces, turn, image.shape[1], image.shape[0]), turn),
                _worth(faces),
            )
    return best


def _worth(faces: Faces) -> float:
    """The score of the best face that can be one, 0..1; 0 without."""
    return float(faces.scores[plausible(faces)].max(initial=0.0))


def _clearly_better(worth: float, before: float) -> bool:
    if before == 0.0:
        return worth > 0.0
    return _log_odds(worth) >= _log_odds(before) + MARGIN


def _log_odds(score: float) -> float:
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _plausible(faces: Faces) -> Faces:
    return faces.take(plausible(faces))


def _with_border(detector: Detector, image: Image) -> Faces:
    """Faces seen when the picture is the middle of a black square three times as wide.

    The picture is first shrunk to 640 pixels if it is larger: what is looked for here is large in it.
    """
    height, width = image.shape[:2]
    scale = min(1.0, BASE_SIDE / max(height, width))
    small = resized(image, max(1, round(width * scale)), max(1, round(height * scale)))
    side = max(small.shape[:2])
    canvas = np.zeros((small.shape[0] + 2 * side, small.shape[1] + 2 * side, 3), np.uint8)
    canvas[side : side + small.shape[0], side : side + small.shape[1]] = small
    faces = detector.detect(canvas)
    factor = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
    return Faces((faces.boxes - side) * np.tile(factor, 2), faces.scores, (faces.landmarks - side) * factor)


def _turned_back(faces: Faces, turn: int, width: int, height: int) -> Faces:
    """Faces of a picture turned counter-clockwise, in pixels of the picture before the turn."""
    points = np.concatenate([faces.boxes.reshape(-1, 2, 2), faces.landmarks], axis=1)
    x, y = points[..., 0], points[..., 1]
    if turn == 1:
        x, y = width - y, x
    elif turn == 2:
        x, y = width - x, height - y
    else:
        x, y = y, height - x
    points = np.stack([x, y], axis=-1)
    corners = points[:, :2]
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Faces(boxes.astype(np.float32), faces.scores, points[:, 2:].astype(np.float32))
