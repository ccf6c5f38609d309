"""Pictures of people to templates: one clear face a picture, or a reason why not.

A file is read once, so that digest and pixels belong together. Pictures are decoded and aligned one after
another and only the crop of the face is kept; the crops of a batch are embedded together.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from multiface.decision import QualityLimits
from multiface.errors import MultifaceError, NoFace, SeveralFaces, UndecodablePicture
from multiface.faces.align import align
from multiface.faces.analysis import Analyser
from multiface.faces.face import Floats
from multiface.faces.finding import find_faces
from multiface.faces.picture_quality import PictureQuality
from multiface.gallery import NewTemplate, PictureFacts, Refusal
from multiface.images import open_picture, read_picture, share_in_words
from multiface.images.path_text import path_text
from multiface.recognition.only_face import only_face
from multiface.recognition.picture_faults import picture_faults

BATCH = 32
"""Crops embedded together."""

_LASTING = (NoFace, SeveralFaces, UndecodablePicture)
"""What the same bytes end in again; every other reason may be gone tomorrow (rights, packages, memory)."""

_NAME = "the picture"
"""What messages about a picture's bytes begin with; a refusal stands beside its path and needs no name."""


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    """The face of one picture before it is embedded.

    landmarks: float32 (1, 5, 2), in the picture. pixels: uint8 (1, h, w, 3) RGB, aligned.
    """

    path: Path
    digest: str
    facts: PictureFacts
    landmarks: Floats
    pixels: npt.NDArray[np.uint8]


def templates_of(
    analyser: Analyser, paths: Sequence[Path], limits: QualityLimits | None, force: bool = False
) -> Iterator[tuple[Path, NewTemplate | Refusal]]:
    """For each path, in order, its template, or the reason (without the path) why there is none.

    limits: what a picture must show; None takes poor ones too. force: take poor and damaged ones all the same.
    """
    for start in range(0, len(paths), BATCH):
        yield from _templates_of_batch(analyser, paths[start : start + BATCH], limits, force)


def _templates_of_batch(
    analyser: Analyser, paths: Sequence[Path], limits: QualityLimits | None, force: bool
) -> Iterator[tuple[Path, NewTemplate | Refusal]]:
    cut = [_cut(analyser, path, force) for path in paths]
    crops = [one for one in cut if isinstance(one, _Crop)]
    embedded = iter(_embedded(analyser, crops, None if force else limits) if crops else ())
    for path, one in zip(paths, cut, strict=True):
        if isinstance(one, Refusal):
            yield path, one
            continue
        vector, fault = next(embedded)
        if fault is not None:
            yield path, Refusal(f"picture too poor ({fault}); --force takes it all the same")
        else:
            yield path, NewTemplate(vector, one.digest, path.name, one.facts)


def _embedded(
    analyser: Analyser, crops: Sequence[_Crop], limits: QualityLimits | None
) -> list[tuple[Floats, str | None]]:
    """For each crop its vector and what makes it too poor."""
    pixels = np.concatenate([crop.pixels for crop in crops])
    vectors, norms = analyser.embedder.embed_with_norms(pixels, analyser.flip)
    landmarks = np.concatenate([crop.landmarks for crop in crops])
    faults = picture_faults(limits, PictureQuality.of(landmarks, pixels, norms))
    words = [None if fault is None else fault.words for fault in faults]
    return list(zip(vectors, words, strict=True))


def _cut(analyser: Analyser, path: Path, force: bool) -> _Crop | Refusal:
    """The aligned face of a picture; the picture itself is not kept."""
    try:
        data = read_picture(path)
        picture = open_picture(data)
        if picture.whole_share is not None and picture.damaged and not force:
            return Refusal(
                f"damaged, {share_in_words(picture.whole_share)}; --force takes it all the same", True
            )
        image = picture.pixels
        found = find_faces(analyser.detector, image)
        main = only_face(found.faces, _NAME)
        spec = analyser.embedder.spec
        landmarks = found.faces.landmarks[main : main + 1]
        pixels = align(image, landmarks, spec.template, (spec.width, spec.height))
    except MultifaceError as error:
        reason = str(error).removeprefix(_NAME).removeprefix(path_text(path)).removeprefix(":").strip()
        return Refusal(reason, isinstance(error, _LASTING))
    x0, y0, x1, y1 = (float(edge) for edge in found.faces.boxes[main])
    facts = PictureFacts(
        width=image.shape[1],
        height=image.shape[0],
        box=(x0, y0, x1, y1),
        score=float(found.faces.scores[main]),
        detector=analyser.detector.name,
        quarter_turns=found.turn,
        faces_in_picture=len(found.faces),
    )
    return _Crop(path, hashlib.sha256(data).hexdigest(), facts, landmarks, pixels)
