"""The crop that is kept of a template: its face aligned as networks of the field take it, whatever network was in use.

It serves every network that looks at no more of a face than ArcFace's crop, and at no more pixels: all in the
catalogue. The vector is nearly that of the picture: with SFace the cosine of the two was 0.997 or more for all of 66
faces of LFW and `photos/people`.
"""

import numpy as np

from multiface.arrays import Pixels
from multiface.errors import FaceError
from multiface.faces.align import align, similarity_transforms
from multiface.faces.face import Faces, Image
from multiface.gallery import Crop
from multiface.gallery.contents import CROP_SIDE
from multiface.images.jpeg import faithful_jpeg
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec

_SIZE = (CROP_SIDE, CROP_SIDE)
_TOLERANCE = 0.5
"""Pixels that another network's crop may lie outside the kept one, and its landmarks beside theirs."""


def kept_crop(image: Image, faces: Faces, position: int) -> Crop:
    """The crop to keep of one of the faces of an (h, w, 3) uint8 RGB picture. Raises FaceError."""
    return Crop(faithful_jpeg(align(image, faces.landmarks[[position]], ARCFACE_TEMPLATE, _SIZE)[0]))


def cut_from_crop(crop: Image, spec: InputSpec) -> Pixels | str:
    """What a network is to see of a kept crop, uint8 (h, w, 3) RGB, or why it cannot be made of it.

    crop: (112, 112, 3) uint8 RGB.
    """
    if crop.shape[:2] != _SIZE:
        return f"the crop is not {CROP_SIDE} pixels wide and high"
    landmarks = np.array([ARCFACE_TEMPLATE], np.float64)
    try:
        ((a, b),) = similarity_transforms(landmarks, spec.template)
    except FaceError as error:
        return str(error)
    places = (np.array([complex(x, y) for x, y in spec.template]) - b) / a
    beside = np.abs(places - landmarks[0].view(complex)[:, 0]).max()
    corners = (
        np.array([0, spec.width - 1, (spec.height - 1) * 1j, spec.width - 1 + (spec.height - 1) * 1j]) - b
    ) / a
    edges = np.concatenate([corners.real, corners.imag])
    outside = max(0.0, -edges.min(), edges.max() - (CROP_SIDE - 1))
    if beside > _TOLERANCE or outside > _TOLERANCE or abs(a) > 1.01:
        return "these weights need more of a face, or more pixels, than its crop has"
    pixels: Pixels = align(crop, landmarks, spec.template, (spec.width, spec.height))[0]
    return pixels
