"""How well one view of a face shows who it is, 0..1, from the detection and the pixels under it.

The product of four factors, each 0..1:
- the detector's score;
- size: the side of a square of the box's area over 112 pixels, the size of the crops that networks see, at most 1;
- frontality: how far the nose lies from the middle, between the eyes (turned aside) and between the lines of eyes and
  mouth (up or down), by the five landmarks; 1 in the middle, 0.05 where it lies on an eye or outside;
- sharpness: s / (s + 0.05) with s the mean square of the Laplacian (4 co_presence) of the aligned crop's luma at half
  size (56 x 56), in its middle from brows to chin, over the luma's variance there, so that contrast does not count; but
  over 400 at least, since in a crop of less contrast (dark and out of focus) the noise is all the detail there is. Blur
  takes away fine detail first.
"""

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import FaceError
from multiface.faces.align import align, similarity_transforms
from multiface.faces.boxes import iou
from multiface.faces.face import Faces, Image
from multiface.faces.picture_quality import LUMA, laplacian
from multiface.weights.spec import ARCFACE_TEMPLATE

LEAST_QUALITY = 0.08
"""Vectors of poorer faces (tiny, out of focus, dark, in profile) say little: such faces are alike whoever they are
(Deng and others, "Harnessing unrecognizable faces for improving face recognition", 2021)."""
FULL_SIZE = 112.0
LEAST_FRONTALITY = 0.05
HALF_SHARP = 0.05
LEAST_VARIANCE = 400.0
_CROP = 56
_BROWS, _CHIN, _LEFT, _RIGHT = 18, 54, 12, 44
_HALF_TEMPLATE = tuple((x / 2, y / 2) for x, y in ARCFACE_TEMPLATE)


def qualities(faces: Faces, image: Image) -> Floats:
    """Quality of each face, float32 (n,), 0..1, lowered by the share that another face covers; 0 for useless landmarks.

    image: (h, w, 3) uint8 RGB, in whose pixels boxes and landmarks are.
    """
    usable = alignable(faces.landmarks)
    result = np.zeros(len(faces), np.float32)
    if not usable.any():
        return result
    some = faces.take(usable)
    sides = np.maximum(some.boxes[:, 2:] - some.boxes[:, :2], 0.0)
    size = np.minimum(np.sqrt(sides[:, 0] * sides[:, 1]) / FULL_SIZE, 1.0)
    crops = align(image, some.landmarks, _HALF_TEMPLATE, (_CROP, _CROP))[:, _BROWS:_CHIN, _LEFT:_RIGHT]
    quality = np.clip(some.scores, 0.0, 1.0) * size * frontality(some.landmarks) * sharpness(crops)
    result[usable] = quality * (1.0 - covered(faces.boxes)[usable])
    return result


def alignable(landmarks: Floats) -> npt.NDArray[np.bool_]:
    """Which faces, of landmarks (n, 5, 2), can be aligned at all: (n,)."""
    fit = np.ones(len(landmarks), np.bool_)
    try:
        similarity_transforms(landmarks.reshape(-1, 5, 2), ARCFACE_TEMPLATE)
    except FaceError:
        pass
    else:
        return fit
    for position, points in enumerate(landmarks):
        try:
            similarity_transforms(points[None], ARCFACE_TEMPLATE)
        except FaceError:
            fit[position] = False
    return fit


def frontality(landmarks: Floats) -> Floats:
    """1 for a face that looks into the camera, falling to 0.05 for one in profile; float32 (n,)."""
    left, right, nose, left_mouth, right_mouth = landmarks.astype(np.float64).transpose(1, 0, 2)
    eyes, mouth = (left + right) / 2, (left_mouth + right_mouth) / 2
    aside = _share(nose - left, right - left)
    down = _share(nose - eyes, mouth - eyes)
    front = (1.0 - np.abs(2.0 * aside - 1.0)) * (1.0 - np.abs(2.0 * down - 1.0))
    front = np.where((aside > 0) & (aside < 1) & (down > 0) & (down < 1), front, 0.0)
    return np.maximum(front, LEAST_FRONTALITY).astype(np.float32)


def sharpness(crops: npt.NDArray[np.uint8]) -> Floats:
    """0 for an even picture, nearer to 1 the more fine detail there is; float32 (n,) for (n, h, w, 3) uint8 RGB."""
    luma = crops.astype(np.float32) @ LUMA
    detail = (laplacian(luma) ** 2).mean(axis=(1, 2))
    variance = luma[:, 1:-1, 1:-1].var(axis=(1, 2))
    ratio = detail / np.maximum(variance, LEAST_VARIANCE)
    return np.asarray(ratio / (ratio + HALF_SHARP), np.float32)


def covered(boxes: Floats) -> Floats:
    """How much of each box another one overlaps, intersection over union, 0..1: float32 (n,)."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.float32)
    overlaps = iou(boxes, boxes)
    np.fill_diagonal(overlaps, 0.0)
    return np.asarray(overlaps.max(axis=1), np.float32)


def _share(point: npt.NDArray[np.float64], line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where points lie along lines from the origin, 0 at the start and 1 at the end: (n,) of (n, 2)."""
    length = (line**2).sum(axis=1)
    share: npt.NDArray[np.float64] = (point * line).sum(axis=1) / np.where(length > 0, length, 1.0)
    return share
