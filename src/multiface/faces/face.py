"""What a detector returns: arrays of n faces, not n objects.

Pixels are those of the upright picture, x to the right, y down, (0, 0) the outer corner of the first pixel, so that
boxes and landmarks scale with the picture. Boxes may leave the picture. Landmarks are the left eye in the upright
face, right eye, nose, left and right mouth corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import UsageError
from multiface.images import Image

__all__ = ["Faces", "Floats", "Image"]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """n faces, best score first.

    boxes: float32 (n, 4), x0, y0, x1, y1 in pixels.
    scores: float32 (n,), the detector's confidence, 0..1.
    landmarks: float32 (n, 5, 2), (x, y) in pixels.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __post_init__(self) -> None:
        if not all(isinstance(one, np.ndarray) for one in (self.boxes, self.scores, self.landmarks)):
            raise UsageError("faces are three arrays: boxes, scores and landmarks")
        n = len(self.scores) if self.scores.ndim else 0
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,) or self.landmarks.shape != (n, 5, 2):
            raise UsageError(
                f"shapes do not agree: boxes {self.boxes.shape}, scores {self.scores.shape}, "
                f"landmarks {self.landmarks.shape}"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Faces":
        """The faces at these positions (integers) or where true (booleans)."""
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])

    @staticmethod
    def joined(parts: Sequence["Faces"]) -> "Faces":
        """The faces of one part or more, in the order of the parts: sort them where that is not by score."""
        return Faces(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )

    @staticmethod
    def none() -> "Faces":
        """No faces."""
        return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
