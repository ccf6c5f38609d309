"""Five landmarks to a square crop, by one similarity transform for each face.

The transform (scale, rotation, shift; no mirroring) is the least-squares one from the landmarks onto the
template of the weights' input spec. With points as complex numbers it is z -> a z + b with
a = sum(conj(s - mean s) (t - mean t)) / sum |s - mean s|^2 and b = mean t - a mean s, the two-dimensional
case of Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI
1991, without its reflection.

Convention: landmarks are taken as if whole numbers were the centres of pixels, as the field's training crops were
made. Moving them by half a pixel changed the accuracy on LFW by 0.1 % or less.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from multiface.errors import FaceError, UsageError
from multiface.faces.detector import check_picture
from multiface.faces.face import Image
from multiface.weights.spec import ARCFACE_TEMPLATE, Point

LARGEST_CROP = 4096
"""Pixels."""

Transforms = npt.NDArray[np.complex128]


def similarity_transforms(landmarks: npt.ArrayLike, template: Sequence[Point]) -> Transforms:
    """The least-squares similarity transforms from landmarks onto the template.

    landmarks: (n, 5, 2), (x, y) in pixels of the picture.
    Returns complex (n, 2): a and b of z -> a z + b, from the picture to the crop.
    Raises FaceError when the five points of a face are one point, not finite, or fit the template at no scale.
    """
    points = np.asarray(landmarks, np.float64)
    finite = bool(np.isfinite(points).all())
    spread = ((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)) if finite else None
    if spread is None or np.any(spread < 1e-12):
        raise FaceError("landmarks cannot be aligned: the five points of a face coincide or are not finite")
    source = points[..., 0] + 1j * points[..., 1]
    centred = source - source.mean(axis=1, keepdims=True)
    target = np.array([complex(x, y) for x, y in template])
    a = (np.conj(centred) * (target - target.mean())).sum(axis=1) / spread
    if np.any(np.abs(a) < 1e-6):
        raise FaceError("landmarks cannot be aligned: they have no likeness to a face")
    b = target.mean() - a * source.mean(axis=1)
    return np.stack([a, b], axis=1)


def align(
    image: Image,
    landmarks: npt.ArrayLike,
    template: Sequence[Point] = ARCFACE_TEMPLATE,
    size: tuple[int, int] = (112, 112),
) -> npt.NDArray[np.uint8]:
    """Upright crops of the faces with these landmarks.

    image: (h, w, 3) uint8 RGB. landmarks: (n, 5, 2). size: (width, height) of a crop, in pixels.
    Returns uint8 (n, height, width, 3) RGB. What lies outside the picture is black.
    Raises PictureError for another picture, FaceError for landmarks that cannot be aligned, UsageError for a template
    or size that cannot be meant.
    """
    check_picture("align", image)
    _check_crop(template, size)
    try:
        points = np.asarray(landmarks, np.float64).reshape(-1, 5, 2)
    except (ValueError, OverflowError) as error:
        raise FaceError(f"landmarks are numbers (n, 5, 2) ({error})") from error
    transforms = similarity_transforms(points, template)
    crops = np.zeros((len(transforms), size[1], size[0], 3), np.uint8)
    for crop, (a, b) in zip(crops, transforms, strict=True):
        _sample(image, complex(a), complex(b), crop)
    return crops


def _check_crop(template: Sequence[Point], size: tuple[int, int]) -> None:
    try:
        points = np.asarray(template, np.float64)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"a template is five points (x, y) ({error})") from error
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise UsageError(f"a template is five points (x, y), not numbers {points.shape}")
    if len(size) != 2 or not all(
        isinstance(side, int | np.integer) and 0 < side <= LARGEST_CROP for side in size
    ):
        raise UsageError(f"size is width and height of a crop, 1 to {LARGEST_CROP} pixels, not {size!r}")


def _sample(image: Image, a: complex, b: complex, crop: npt.NDArray[np.uint8]) -> None:
    """Fill a crop whose pixel z shows the picture at (z - b) / a.

    Only the part of the picture under the crop is touched. Where the crop shrinks the picture by two or more,
    that part is first averaged over whole blocks of pixels, so that nothing is skipped (anti-aliasing).
    """
    height, width = crop.shape[:2]
    corners = (np.array([0, width - 1, (height - 1) * 1j, width - 1 + (height - 1) * 1j]) - b) / a
    x0 = max(0, math.floor(corners.real.min()) - 1)
    y0 = max(0, math.floor(corners.imag.min()) - 1)
    x1 = min(image.shape[1], math.ceil(corners.real.max()) + 2)
    y1 = min(image.shape[0], math.ceil(corners.imag.max()) + 2)
    if x0 >= x1 or y0 >= y1:
        return
    part = Pillow.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]))
    block = max(1, math.floor(1 / abs(a)))
    if block > 1:
        part = part.reduce(block)
    # Pillow counts from outer corners: its pixel k has its centre at k + 0.5, ours at k.
    turn = 1 / a / block
    shift = ((-b - 0.5 - 0.5j) / a - complex(x0, y0) + 0.5 + 0.5j) / block
    crop[:] = np.asarray(
        part.transform(
            (width, height),
            Pillow.Transform.AFFINE,
            (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag),
            Pillow.Resampling.BILINEAR,
        )
    )
