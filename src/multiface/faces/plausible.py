"""Can these five points be a face that stands upright?

The limits are those of any head that people hold up: tilted by less than 55 degrees, seen from the front or from the
side. With d the line from the middle of the eyes to the middle of the mouth:

- d points down, at most 55 degrees off;
- along d, the nose lies between eyes and mouth;
- across d, the nose is at most one length of d away, and the eyes and the mouth are each at most 1.8 and 1.6 lengths
  wide; the left eye is not right of the right one by more than a quarter of the length, nor are the mouth's corners
  (in a profile they meet, and cross a little);
- d is 0.15 to 0.8 times as long as the box is high, and no point leaves the box by more than 15 % of its longer side.

Frontal faces have the nose halfway and the eyes 0.85 lengths apart.
"""

import numpy as np
import numpy.typing as npt

from multiface.faces.face import Faces

MOST_TILT = 55.0
"""Degrees between the line from eyes to mouth and the vertical."""
MOST_OUTSIDE = 0.15
"""How far a point may leave the box, as a share of the box's longer side."""

_WIDEST_EYES, _WIDEST_MOUTH, _CROSSED, _NOSE_ASIDE = 1.8, 1.6, -0.25, 1.0
_NOSE_ALONG = (0.1, 1.0)
_LENGTH_IN_BOX = (0.15, 0.8)


def plausible(faces: Faces) -> npt.NDArray[np.bool_]:
    """Which faces have a box and landmarks that can be those of an upright face: bool (n,)."""
    boxes, points = faces.boxes.astype(np.float64), faces.landmarks.astype(np.float64)
    finite = np.asarray(np.isfinite(boxes).all(axis=1) & np.isfinite(points).all(axis=(1, 2)))
    boxes, points = np.where(finite[:, None], boxes, 0.0), np.where(finite[:, None, None], points, 0.0)
    eyes, nose, mouth = points[:, :2], points[:, 2], points[:, 3:]
    down = mouth.mean(axis=1) - eyes.mean(axis=1)  # (n, 2)
    length = np.hypot(down[:, 0], down[:, 1])
    # Everything in lengths of `down`, along it and to its left in the picture (towards the right eye).
    unit = down / np.maximum(length, 1e-9)[:, None] ** 2
    across = np.stack([unit[:, 1], -unit[:, 0]], axis=1)
    nose_from_eyes = nose - eyes.mean(axis=1)
    along = (nose_from_eyes * unit).sum(axis=1)
    aside = (nose_from_eyes * across).sum(axis=1)
    eyes_apart = ((eyes[:, 1] - eyes[:, 0]) * across).sum(axis=1)
    mouth_wide = ((mouth[:, 1] - mouth[:, 0]) * across).sum(axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    slack = MOST_OUTSIDE * sides.max(axis=1)[:, None, None]
    inside = (points >= boxes[:, None, :2] - slack) & (points <= boxes[:, None, 2:] + slack)
    share = length / np.maximum(sides[:, 1], 1e-9)
    return np.asarray(
        finite
        & (sides > 0).all(axis=1)
        & inside.all(axis=(1, 2))
        & (down[:, 1] > np.cos(np.radians(MOST_TILT)) * length)
        & _within(share, _LENGTH_IN_BOX)
        & _within(along, _NOSE_ALONG)
        & (np.abs(aside) <= _NOSE_ASIDE)
        & _within(eyes_apart, (_CROSSED, _WIDEST_EYES))
        & _within(mouth_wide, (_CROSSED, _WIDEST_MOUTH))
    )


def _within(values: npt.NDArray[np.float64], limits: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return np.asarray((values >= limits[0]) & (values <= limits[1]))
