"""What a detector is. Whoever brings a detector of their own writes a class of this shape."""

import math
from typing import Protocol

import numpy as np

from multiface.errors import PictureError, UsageError
from multiface.faces.face import Faces, Image
from multiface.plain_number import plain_number


class Detector(Protocol):
    """Finds faces and their five landmarks in one picture."""

    @property
    def name(self) -> str:
        """Short name; calibrations are kept by it."""

    @property
    def sure(self) -> float:
        """A score, 0..1, from which on a picture's best face is taken to be one that stands upright.

        Below it the other quarter turns are looked at too (`faces.finding`).
        """

    @property
    def min_face(self) -> float:
        """Shorter side of the smallest face that is given, in pixels of the picture."""

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        """All faces of an (h, w, 3) uint8 RGB picture, best score first.

        None of them has a score below the detector's threshold, or a box whose shorter side is below `min_face`.
        smallest: shorter side, in pixels, of the smallest face that must be found this time, where that is more than
        `min_face`: a detector can save the time that smaller ones take.
        """


def check_limits(name: str, score: float, min_face: float) -> None:
    """The two limits that mean the same for every detector. Raises UsageError for those that cannot be meant.

    score: lowest score of a face, 0..1. min_face: shorter side of the smallest face, pixels above 0.
    """
    if not 0 <= plain_number(score, f"{name}: score") <= 1:
        raise UsageError(f"{name}: score must be within 0..1, not {score}", name=name)
    if not 0 < plain_number(min_face, f"{name}: min_face") < math.inf:
        raise UsageError(f"{name}: min_face must be a number of pixels above 0, not {min_face}", name=name)


def smallest_wanted(min_face: float, smallest: float | None) -> float:
    """Shorter side, in pixels, of the smallest face that must be found this time. Raises UsageError."""
    if smallest is None:
        return min_face
    if not plain_number(smallest, "smallest") < math.inf:
        raise UsageError(f"smallest must be a number of pixels, not {smallest}")
    return max(min_face, smallest)


def check_picture(name: str, image: Image) -> None:
    """Raises PictureError for anything but a picture (h, w, 3) of uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray):
        raise PictureError(
            f"{name}: wanted a picture (h, w, 3) of uint8, found {type(image).__name__}", name=name
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise PictureError(
            f"{name}: wanted a picture (h, w, 3) of uint8, found {image.shape} of {image.dtype}", name=name
        )
