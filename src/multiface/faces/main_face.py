"""Which of several faces is meant."""

import numpy as np

from multiface.faces.face import Faces

CLEARLY_LARGER = 2.0
"""The main face has at least this many times the area of the next one."""


def clear_main_face(faces: Faces) -> int | None:
    """The position of the one face, or of a face clearly larger than all others; None where there is none."""
    if len(faces) == 0:
        return None
    areas = _areas(faces)
    order = np.argsort(-areas)
    if len(faces) > 1 and areas[order[0]] < CLEARLY_LARGER * areas[order[1]]:
        return None
    return int(order[0])


def central_face(faces: Faces, width: int, height: int) -> int:
    """The position of the face a portrait is about: large and near the middle.

    The highest area minus twice the squared distance (pixels) from the middle of the picture, the rule of the
    field's alignment of LFW. `faces` must not be empty.
    """
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    offset = ((centres - np.array([width, height]) / 2) ** 2).sum(axis=1)
    return int(np.argmax(_areas(faces) - 2.0 * offset))


def _areas(faces: Faces) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    size = (faces.boxes[:, 2:] - faces.boxes[:, :2]).astype(np.float64)
    return np.asarray(size[:, 0] * size[:, 1])
