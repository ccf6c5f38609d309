"""How much of a face a picture shows: the pixels it has, how sharp they are, and what the network made of them.

The norm of an embedder's raw feature falls for crops that say little of who is seen (Meng and others, "MagFace: a
universal representation for face recognition and quality assessment", 2021; SFace and MobileFaceNet were not trained
for it and do it all the same).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.faces.face import Floats

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PictureQuality:
    """Of n faces, float32 (n,) each.

    eyes: pixels between the eyes in the picture. sharpness: of the aligned crop, 0 for an even picture, see
    `relative_detail`. norm: length of the embedder's raw feature of the crop, in the embedder's own units.
    """

    eyes: Floats
    sharpness: Floats
    norm: Floats

    @staticmethod
    def of(landmarks: Floats, crops: npt.NDArray[np.uint8], norm: Floats) -> "PictureQuality":
        """Of faces with landmarks (n, 5, 2) in the picture, aligned crops (n, h, w, 3) RGB and norms (n,)."""
        between = landmarks[:, 1].astype(np.float64) - landmarks[:, 0]
        eyes = np.hypot(between[:, 0], between[:, 1]).astype(np.float32)
        return PictureQuality(eyes, relative_detail(crops), norm)

    def take(self, part: slice) -> "PictureQuality":
        """The faces at these positions."""
        return PictureQuality(self.eyes[part], self.sharpness[part], self.norm[part])


def relative_detail(crops: npt.NDArray[np.uint8]) -> Floats:
    """Standard deviation of the Laplacian (4 neighbours) of the luma over that of the luma; float32 (n,), 0..8.

    crops: uint8 (n, h, w, 3) RGB, aligned. Only the middle is looked at, where the face is: all but a seventh above
    and below and three fourteenths at the sides. An even crop has 0.
    """
    height, width = crops.shape[1:3]
    top, left = height // 7, 3 * width // 14
    luma = crops[:, top : height - top, left : width - left].astype(np.float32) @ _LUMA
    middle = luma[:, 1:-1, 1:-1]
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    detail = (4.0 * middle - around).std(axis=(1, 2))
    contrast = luma.std(axis=(1, 2))
    sharpness: Floats = np.divide(detail, contrast, out=np.zeros_like(detail), where=contrast > 0)
    return sharpness
