"""What a person before a camera should do so that the picture serves for enrolling, in words.

The face that is meant is measured in its aligned crop of 112x112 pixels (`faces.align`) and by its five landmarks:

- size: the side, in pixels of the picture, of the square under the crop;
- light: the luma (ITU-R BT.601, 0..255) of the crop's middle, from eyebrows to chin and cheek to cheek. Dark is
  judged by the 90th percentile, since dark skin too has highlights when it is lit; bright by what is clipped;
- frontality: as in `quality`;
- detail: the standard deviation of the second difference of luma over that of luma, in the crop's middle at half size,
  along the direction (of four) in which it is least: blur takes detail away in all directions, motion in one.

The limits were set on 289 portraits of LFW, one a person, with SCRFD-2.5g. Of the 256 that have one clear face 96 %
are "ok", 3 % look aside, one is blurred and none too dark or too bright. Blurred by a Gaussian of 2 pixels or a motion
of 12, with a third of their light, or with 2.5 times their light, 9 of 10 get the hint that fits.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.faces.align import align, similarity_transforms
from multiface.faces.face import Faces, Image
from multiface.faces.main_face import clear_main_face
from multiface.faces.picture_quality import LUMA
from multiface.video.tracks.quality import alignable, frontality, qualities
from multiface.weights.spec import ARCFACE_TEMPLATE

SMALLEST = 64.0
"""Pixels of the picture under the crop's side, below which a face is too far away."""
DARK = 70.0
"""90th percentile of the face's luma, below which it is too dark."""
BRIGHT, CLIPPED = 250.0, 0.15
"""Luma that counts as clipped, and the share of the face that may be."""
FRONTAL = 0.3
"""Frontality below which a face looks aside, up or down."""
DETAIL = 0.18
"""Detail below which a face is blurred."""
OUTSIDE = 0.15
"""Share of the box's width or height that may lie outside the picture on one side."""

_SIDE = 112
_HALF_TEMPLATE = tuple((x / 2, y / 2) for x, y in ARCFACE_TEMPLATE)
_MIDDLE = (slice(30, 105), slice(26, 86))
"""Rows and columns of the crop from eyebrows to chin and from cheek to cheek."""
_MIDDLE_OF_HALF = (slice(14, 53), slice(12, 44))
"""The same of the crop at half size, and one pixel around it."""


class Hint(Enum):
    """What is wrong with a picture, in the words for the person in it."""

    OK = "ok"
    NO_FACE = "no face"
    ONLY_ONE_PERSON = "only one person"
    WHOLE_FACE = "show the whole face"
    COME_CLOSER = "come closer"
    TOO_DARK = "too dark"
    TOO_BRIGHT = "too bright"
    LOOK_STRAIGHT = "look straight"
    HOLD_STILL = "hold still"


@dataclass(frozen=True, slots=True)
class Advice:
    """The hint for one picture.

    face: the position of the face that is meant, None where there is none or it is not clear which. quality: of that
    face, 0..1 (`quality`); 0 without one.
    """

    hint: Hint
    face: int | None
    quality: float


def advise(faces: Faces, image: Image) -> Advice:
    """What to tell the person in an (h, w, 3) uint8 RGB picture with these faces: the first thing that is wrong."""
    if not len(faces):
        return Advice(Hint.NO_FACE, None, 0.0)
    main = clear_main_face(faces)
    if main is None:
        return Advice(Hint.ONLY_ONE_PERSON, None, 0.0)
    face = faces.take(np.array([main]))
    return Advice(_hint(face, image), main, float(qualities(face, image)[0]))


def _hint(face: Faces, image: Image) -> Hint:
    """Of one face."""
    if not alignable(face.landmarks)[0]:
        return Hint.LOOK_STRAIGHT
    if _outside(face.boxes[0], image) > OUTSIDE:
        return Hint.WHOLE_FACE
    if _SIDE / abs(similarity_transforms(face.landmarks, ARCFACE_TEMPLATE)[0, 0]) < SMALLEST:
        return Hint.COME_CLOSER
    luma: Floats = align(image, face.landmarks)[0][_MIDDLE].astype(np.float32) @ LUMA
    if np.percentile(luma, 90) < DARK:
        return Hint.TOO_DARK
    if np.mean(luma >= BRIGHT) > CLIPPED:
        return Hint.TOO_BRIGHT
    if frontality(face.landmarks)[0] < FRONTAL:
        return Hint.LOOK_STRAIGHT
    return Hint.HOLD_STILL if _detail(face, image) < DETAIL else Hint.OK


def _detail(face: Faces, image: Image) -> float:
    """Detail of one face along the direction in which it is least; 0 for an even surface."""
    crop = align(image, face.landmarks, _HALF_TEMPLATE, (_SIDE // 2, _SIDE // 2))[0]
    luma: Floats = crop[_MIDDLE_OF_HALF].astype(np.float32) @ LUMA
    here = luma[1:-1, 1:-1]
    contrast = float(here.std())
    along = (
        luma[1:-1, :-2] + luma[1:-1, 2:] - 2 * here,
        luma[:-2, 1:-1] + luma[2:, 1:-1] - 2 * here,
        (luma[:-2, :-2] + luma[2:, 2:] - 2 * here) / 2,  # steps of sqrt(2) pixels
        (luma[:-2, 2:] + luma[2:, :-2] - 2 * here) / 2,
    )
    return min(float(second.std()) for second in along) / contrast if contrast > 0 else 0.0


def _outside(box: npt.NDArray[np.float32], image: Image) -> float:
    """The largest share of the box's width or height that lies outside the picture on one side."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box.astype(float).tolist()
    across, down = max(-x0, x1 - width), max(-y0, y1 - height)
    return float(max(across / max(x1 - x0, 1e-6), down / max(y1 - y0, 1e-6)))
