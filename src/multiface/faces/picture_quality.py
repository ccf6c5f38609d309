"""How much of a face a picture shows: the pixels it has, how sharp they are, and what the network made of them.

The norm of an embedder's raw feature falls for crops that say little of who is seen (Meng and others, "MagFace: a
universal representation for face recognition and quality assessment", 2021; SFace and MobileFaceNet were not trained
for it and do it all the same).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureQuality:
    """Of n faces, float32 (n,) each.

    eyes: pixels between the eyes in the picture. sharpness: relative detail of the aligned crop's middle, see
    `detail_and_contrast`; blurred crops have little, noisy ones much. contrast: of the same. norm: length of the
    embedder's raw feature of the crop, in the embedder's own units.
    """

    eyes: Floats
    sharpness: Floats
    contrast: Floats
    norm: Floats

    @staticmethod
    def of(landmarks: Floats, crops: npt.NDArray[np.uint8], norm: Floats) -> "PictureQuality":
        """Of faces with landmarks (n, 5, 2) in the picture, aligned crops (n, h, w, 3) RGB and norms (n,)."""
        between = landmarks[:, 1].astype(np.float64) - landmarks[:, 0]
        eyes = np.hypot(between[:, 0], between[:, 1]).astype(np.float32)
        sharpness, contrast = detail_and_contrast(crops)
        return PictureQuality(eyes, sharpness, contrast, norm)


def detail_and_contrast(crops: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """How much detail crops have for their contrast, and the contrast; float32 (n,) each.

    crops: uint8 (n, h, w, 3) RGB, aligned. Only the middle is looked at, where the face is: all but a seventh above
    and below and three fourteenths at the sides. Contrast is the standard deviation of the luma, 0..127.5; detail is
    that of the luma's Laplacian (4 neighbours) over the contrast, 0..8. An even crop has 0 of both.
    """
    height, width = crops.shape[1:3]
    top, left = height // 7, 3 * width // 14
    luma = crops[:, top : height - top, left : width - left].astype(np.float32) @ LUMA
    detail = laplacian(luma).std(axis=(1, 2))
    contrast = luma.std(axis=(1, 2))
    sharpness: Floats = np.divide(detail, contrast, out=np.zeros_like(detail), where=contrast > 0)
    return sharpness, contrast


def laplacian(luma: Floats) -> Floats:
    """Of 4 neighbours, without the outermost pixels: float32 (n, h - 2, w - 2) of float32 (n, h, w)."""
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    return around - np.float32(4.0) * luma[:, 1:-1, 1:-1]
