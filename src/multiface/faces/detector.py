"""What a detector is. Whoever brings a detector of their own writes a class of this shape."""

from typing import Protocol

from multiface.faces.face import Faces, Image


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

    def detect(self, image: Image) -> Faces:
        """All faces of an (h, w, 3) uint8 RGB picture, best score first.

        None of them has a score below the detector's threshold, or a box whose shorter side is below its
        minimum face size in pixels of this picture.
        """
