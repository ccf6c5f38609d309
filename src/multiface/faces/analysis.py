"""Pictures to faces with embeddings: detection, alignment and embedding as one step."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.faces.align import align
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.face import Faces, Image
from multiface.faces.finding import Found, find_faces
from multiface.faces.picture_quality import PictureQuality


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The faces of one picture before they are embedded; the picture itself is not kept.

    width, height: of the picture, in pixels. crops: uint8 (n, h, w, 3) RGB, aligned for the embedder.
    """

    width: int
    height: int
    found: Found
    crops: npt.NDArray[np.uint8]


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
    """A detector and an embedder together. Threads may share one.

    flip: whether each crop is embedded together with its mirror image.
    """

    def __init__(self, detector: Detector, embedder: Embedder, flip: bool = True) -> None:
        self.detector = detector
        self.embedder = embedder
        self.flip = flip

    def analyse(self, images: Iterable[Image]) -> list[Analysis]:
        """The faces of (h, w, 3) uint8 RGB pictures, one after another; all their crops are embedded as batches."""
        return self.embed([self.cut(image) for image in images])

    def cut(self, image: Image) -> Cut:
        """The faces of a (h, w, 3) uint8 RGB picture, found and aligned."""
        found, spec = find_faces(self.detector, image), self.embedder.spec
        crops = align(image, found.faces.landmarks, spec.template, (spec.width, spec.height))
        return Cut(image.shape[1], image.shape[0], found, crops)

    def embed(self, pictures: list[Cut]) -> list[Analysis]:
        """The same faces with their embeddings, all crops of all pictures as batches."""
        if not pictures:
            return []
        together = np.concatenate([one.crops for one in pictures])
        embeddings, norms = self.embedder.embed_with_norms(together, self.flip)
        starts = np.cumsum([0] + [len(one.crops) for one in pictures])
        return [
            Analysis(
                width=one.width,
                height=one.height,
                faces=one.found.faces,
                embeddings=embeddings[start:stop],
                quality=PictureQuality.of(one.found.faces.landmarks, one.crops, norms[start:stop]),
                turn=one.found.turn,
                bordered=one.found.bordered,
            )
            for one, start, stop in zip(pictures, starts[:-1], starts[1:], strict=True)
        ]
