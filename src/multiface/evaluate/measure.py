"""Portraits to embeddings: one face a picture, whatever happens, so that every pair of a set can be scored.

The face of a portrait is the large one near the middle (`faces.main_face.central_face`). Where no face is
found, a crop of the middle is used in its place, and the picture is listed: leaving such pairs out would
flatter the figures.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.errors import PictureError
from multiface.faces.align import align
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.face import Image
from multiface.faces.finding import find_faces
from multiface.faces.main_face import central_face
from multiface.images import load_picture
from multiface.progress import Progress
from multiface.weights.spec import InputSpec, Point

BATCH = 64
"""Pictures between two calls of the embedder."""
MIDDLE = 0.55
"""Side of the middle crop as a share of the picture's shorter side: what LFW's faces fill."""


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """Embeddings of portraits.

    embeddings: float32 (n, d), unit length, one a picture. without_face: positions of pictures in which no
    face was found. second_looks: positions of pictures whose face was found only with a border or after a
    quarter turn.
    """

    embeddings: Floats
    without_face: tuple[int, ...]
    second_looks: tuple[int, ...]
    broken: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    pixels: npt.NDArray[np.uint8]
    found: bool
    second_look: bool


def embed_portraits(
    paths: Sequence[Path],
    detector: Detector,
    embedder: Embedder,
    flip: bool,
    workers: int,
    progress: Progress | None = None,
    strict: bool = True,
) -> Portraits:
    """The embedding of the one face of each picture.

    workers: pictures that are read and searched at the same time; networks opened with one thread each and as
    many workers as processors is the fastest. progress: called with pictures done and all pictures. strict: raise
    PictureError for a file that is not a picture, else list it in `broken`.
    """
    spec = embedder.spec
    embeddings = np.empty((len(paths), spec.dimension), np.float32)
    without, second, broken = [], [], []
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            crops = list(pool.map(lambda path: _crop_or_error(path, detector, spec), batch))
            for k, crop in enumerate(crops):
                if isinstance(crop, PictureError):
                    if strict:
                        raise crop
                    broken.append((start + k, str(crop)))
                elif not crop.found:
                    without.append(start + k)
                elif crop.second_look:
                    second.append(start + k)
            blank = np.zeros((spec.height, spec.width, 3), np.uint8)
            pixels = np.stack([blank if isinstance(crop, PictureError) else crop.pixels for crop in crops])
            shares = np.array_split(pixels, workers)
            done = pool.map(lambda share: embedder.embed(share, flip), shares)
            embeddings[start : start + len(batch)] = np.concatenate(list(done))
            if progress is not None:
                progress(start + len(batch), len(paths))
    embeddings[[k for k, _ in broken]] = 0
    return Portraits(embeddings, tuple(without), tuple(second), tuple(broken))


def _crop_or_error(path: Path, detector: Detector, spec: InputSpec) -> _Crop | PictureError:
    try:
        return _crop(path, detector, spec)
    except PictureError as error:
        return error


def _crop(path: Path, detector: Detector, spec: InputSpec) -> _Crop:
    image = load_picture(path)
    height, width = image.shape[:2]
    found = find_faces(detector, image)
    if len(found.faces):
        chosen = central_face(found.faces, width, height)
        landmarks = found.faces.landmarks[chosen : chosen + 1]
    else:
        landmarks = middle_landmarks(image, spec.template, (spec.width, spec.height))
    pixels = align(image, landmarks, spec.template, (spec.width, spec.height))[0]
    return _Crop(pixels, len(found.faces) > 0, found.bordered or found.turn > 0)


def middle_landmarks(image: Image, template: Sequence[Point], size: tuple[int, int]) -> Floats:
    """Landmarks (1, 5, 2) for which a crop of this template and size shows the middle of the picture, upright."""
    height, width = image.shape[:2]
    side = MIDDLE * min(width, height)
    centred = np.array(template) - (np.array(size) - 1) / 2
    middle = (np.array([width, height]) - 1) / 2
    landmarks: Floats = (centred * side / size[0] + middle)[None].astype(np.float32)
    return landmarks
