"""Pictures to faces with embeddings: detection, alignment and embedding as one step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.faces.align import align
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.face import Faces, Image
from multiface.faces.finding import find_faces
from multiface.faces.picture_quality import PictureQuality


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The faces of one picture.

    width, height: of the picture, in pixels. embeddings: float32 (n, d), unit length, in the order of
    `faces`, as `quality` is. turn, bordered: how the faces were found, see `Found`.
    """

    width: int
    height: int
    faces: Faces
    embeddings: Floats
    quality: PictureQuality
    turn: int
    bordered: bool


class Analyser:
    """A detector and an embedder together.

    flip: whether each crop is embedded together with its mirror image.
    """

    def __init__(self, detector: Detector, embedder: Embedder, flip: bool = True) -> None:
        self.detector = detector
        self.embedder = embedder
        self.flip = flip

    def analyse(self, images: Sequence[Image]) -> list[Analysis]:
        """The faces of (h, w, 3) uint8 RGB pictures; all crops of all pictures are embedded as batches."""
        found = [find_faces(self.detector, image) for image in images]
        spec = self.embedder.spec
        crops: list[npt.NDArray[np.uint8]] = [
            align(image, one.faces.landmarks, spec.template, (spec.width, spec.height))
            for image, one in zip(images, found, strict=True)
        ]
        together = np.concatenate(crops) if crops else np.zeros((0, spec.height, spec.width, 3), np.uint8)
        embeddings, norms = self.embedder.embed_with_norms(together, self.flip)
        starts = np.cumsum([0] + [len(one.faces) for one in found])
        return [
            Analysis(
                width=image.shape[1],
                height=image.shape[0],
                faces=one.faces,
                embeddings=embeddings[start:stop],
                quality=PictureQuality.of(one.faces.landmarks, together[start:stop], norms[start:stop]),
                turn=one.turn,
                bordered=one.bordered,
            )
            for image, one, start, stop in zip(images, found, starts[:-1], starts[1:], strict=True)
        ]
