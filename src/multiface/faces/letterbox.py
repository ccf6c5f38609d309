"""A picture at the size a single-shot detector works at, and the way back.

The picture is resized with its proportions kept, put into the upper left corner, and padded with black to
whole multiples of 32 pixels (the coarsest stride of these networks).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from multiface.arrays import Floats
from multiface.faces.boxes import nms
from multiface.faces.face import Faces, Image

STRIDE = 32
BASE_SIDE = 640
"""Longer side, in pixels, that single-shot detectors were made for; larger pictures are shrunk to it."""
LARGEST_SIDE = 2560
"""Longer side, in pixels, beyond which a picture is not worked on, so that memory stays bounded."""
SMALLEST_SEEN = 12.0
"""Shorter side of the smallest face, in pixels, that these networks find with any certainty."""

_STRIP_PIXELS = 8_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Letterbox:
    """A padded working copy.

    image: (h, w, 3) uint8 RGB, h and w multiples of 32.
    scale_x, scale_y: working pixels per pixel of the picture.
    """

    image: Image
    scale_x: float
    scale_y: float

    def settle(
        self, boxes: Floats, scores: Floats, landmarks: Floats, min_face: float, overlap: float
    ) -> Faces:
        """Candidates in working pixels (shapes as in `Faces`) as faces in pixels of the picture.

        Those whose shorter side is below `min_face` pixels of the picture are dropped, and those that overlap
        a better one by more than `overlap` (intersection over union).
        """
        scale = np.array([self.scale_x, self.scale_y], np.float32)
        faces = Faces(
            (boxes / np.tile(scale, 2)).astype(np.float32),
            scores.astype(np.float32),
            (landmarks / scale).astype(np.float32),
        )
        faces = faces.take((faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) >= min_face)
        return faces.take(nms(faces.boxes, faces.scores, overlap))


def working_scale(width: int, height: int, min_face: float) -> float:
    """How many times as large, 0..1, a picture is worked on so that faces of `min_face` pixels can still be found.

    The longer side becomes 640 pixels; more (at most 2,560) where faces of the wanted size would otherwise
    shrink below 12 pixels. Nothing is enlarged: on LFW's 250 pixels that cost six times the time and found no
    face more.
    """
    longer = max(height, width)
    return min(1.0, max(BASE_SIDE / longer, min(SMALLEST_SEEN / min_face, LARGEST_SIDE / longer)))


def letterbox(image: Image, min_face: float) -> Letterbox:
    """The working copy at that scale."""
    height, width = image.shape[:2]
    scale = working_scale(width, height, min_face)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    padded = np.zeros((_whole_strides(new_height), _whole_strides(new_width), 3), np.uint8)
    padded[:new_height, :new_width] = resized(image, new_width, new_height)
    return Letterbox(padded, new_width / width, new_height / height)


def resized(image: Image, width: int, height: int) -> Image:
    """The picture at another size: bilinear, anti-aliased when it shrinks, with bounded memory."""
    if image.shape[:2] == (height, width):
        return image
    block = min(image.shape[0] // height, image.shape[1] // width)
    if image.shape[0] * image.shape[1] > _STRIP_PIXELS and block >= 2:
        image = _blocks_averaged(image, block)
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR))


def _blocks_averaged(image: Image, block: int) -> Image:
    """Averages over block x block pixels, made strip by strip; the last ones may be smaller."""
    rows = max(block, _STRIP_PIXELS // image.shape[1] // block * block)
    strips = (image[y : y + rows] for y in range(0, image.shape[0], rows))
    return np.concatenate([np.asarray(Pillow.fromarray(strip).reduce(block)) for strip in strips])


def _whole_strides(length: int) -> int:
    return -(-length // STRIDE) * STRIDE
