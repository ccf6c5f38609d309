"""Faces of a picture, with second looks where the first finds none or is not sure.

A detector is asked about the picture as it stands. If it finds nothing, it is asked again with a black border
as wide as the longer side (networks made for faces in scenes miss faces that fill their picture). If even the best
face is below the detector's `sure` score, the picture may lie on its side, where detectors see faces that are not
there: it is asked about the three other quarter turns, and the turn with the best face counts. What was done is
said in the result; boxes and landmarks are always in pixels of the picture as it was handed in.
"""

from dataclasses import dataclass

import numpy as np

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.letterbox import BASE_SIDE, resized


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
    best = Found(detector.detect(image))
    if not len(best.faces):
        best = Found(_with_border(detector, image), bordered=True)
    if _score(best) >= detector.sure:
        return best
    for turn in (1, 3, 2):
        faces = detector.detect(np.ascontiguousarray(np.rot90(image, turn)))
        turned = Found(_turned_back(faces, turn, image.shape[1], image.shape[0]), turn)
        if _score(turned) > _score(best):
            best = turned
    return best if len(best.faces) else Found(Faces.none())


def _score(found: Found) -> float:
    return float(found.faces.scores[0]) if len(found.faces) else 0.0


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
