"""Pictures of people to templates: one clear face a picture, or a reason why not.

A file is read once, so that digest and pixels belong together. Pictures are decoded and aligned one after
another and only the crop of the face is kept; the crops of a batch are embedded together.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt
import PIL.Image

from multiface.arrays import Floats
from multiface.decision import QualityLimits
from multiface.errors import MultifaceError, NoFace, PictureError, SeveralFaces, UndecodablePicture
from multiface.faces.align import align
from multiface.faces.analysis import Analyser
from multiface.faces.finding import find_faces
from multiface.faces.picture_quality import PictureQuality
from multiface.gallery import Crop, NewTemplate, PictureFacts, Refusal
from multiface.images import Image, PictureSource, open_picture, share_in_words, undecoded
from multiface.images.path_text import path_text
from multiface.recognition.kept_crop import kept_crop
from multiface.recognition.only_face import only_face
from multiface.recognition.picture_faults import picture_faults

Source = TypeVar("Source", bound=PictureSource)

BATCH = 32
"""Crops embedded together."""

_LASTING = (NoFace, SeveralFaces, UndecodablePicture)
"""What the same bytes end in again; every other reason may be gone tomorrow (rights, packages, memory)."""

_NAME = "the picture"
"""What messages about a picture's bytes begin with; a refusal stands beside its path and needs no name."""


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    """The face of one picture before it is embedded.

    landmarks: float32 (1, 5, 2), in the picture. pixels: uint8 (1, h, w, 3) RGB, aligned. kept: the crop to keep.
    """

    label: str
    digest: str
    facts: PictureFacts
    landmarks: Floats
    pixels: npt.NDArray[np.uint8]
    kept: Crop | None


def pictures_in(given: PictureSource | Iterable[PictureSource]) -> Iterable[PictureSource]:
    """The pictures that were given: one, or several. A path is not read by its letters, nor a picture by its rows."""
    if isinstance(given, str | Path | bytes | bytearray | memoryview | PIL.Image.Image) or _is_file(given):
        return [given]
    if isinstance(given, np.ndarray):
        # Of four dimensions it is several pictures.
        return [*given] if given.ndim == 4 else [given]
    if not isinstance(given, Iterable):
        raise PictureError(f"pictures are one picture or several, got {type(given).__name__}")
    return given


def _is_file(given: object) -> TypeGuard[BinaryIO]:
    return callable(getattr(given, "read", None))


def templates_of(
    analyser: Analyser,
    pictures: Iterable[Source],
    limits: QualityLimits | None,
    force: bool = False,
    crops: bool = False,
) -> Iterator[tuple[Source, NewTemplate | Refusal]]:
    """For each picture, in order, its template, or the reason (without the path) why there is none.

    limits: what a picture must show; None takes poor ones too. force: take poor and damaged ones all the same. crops:
    keep a crop of each face with its template.
    """
    rest = iter(pictures)
    while batch := list(itertools.islice(rest, BATCH)):
        yield from _templates_of_batch(analyser, batch, limits, force, crops)


def _templates_of_batch(
    analyser: Analyser, pictures: Sequence[Source], limits: QualityLimits | None, force: bool, keep: bool
) -> Iterator[tuple[Source, NewTemplate | Refusal]]:
    cut = [_cut(analyser, picture, force, keep) for picture in pictures]
    crops = [one for one in cut if isinstance(one, _Crop)]
    embedded = iter(_embedded(analyser, crops, None if force else limits) if crops else ())
    for picture, one in zip(pictures, cut, strict=True):
        if isinstance(one, Refusal):
            yield picture, one
            continue
        vector, fault = next(embedded)
        if fault is not None:
            yield picture, Refusal(f"picture too poor ({fault}); --force accepts it")
        else:
            yield picture, NewTemplate(vector, one.digest, one.label, one.facts, one.kept)


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


def _cut(analyser: Analyser, source: PictureSource, force: bool, keep: bool) -> _Crop | Refusal:
    """The aligned face of a picture; the picture itself is not kept."""
    path = Path(source) if isinstance(source, str | Path) else None
    try:
        held = undecoded(source)
        picture = open_picture(held)
        if picture.whole_share is not None and picture.damaged and not force:
            return Refusal(f"damaged, {share_in_words(picture.whole_share)}; --force accepts it", True)
        image = picture.pixels
        found = find_faces(analyser.detector, image)
        main = only_face(found.faces, _NAME)
        spec = analyser.embedder.spec
        landmarks = found.faces.landmarks[main : main + 1]
        pixels = align(image, landmarks, spec.template, (spec.width, spec.height))
        kept = kept_crop(image, found.faces, main) if keep else None
    except MultifaceError as error:
        named = "" if path is None else path_text(path)
        reason = str(error).removeprefix(_NAME).removeprefix(named).removeprefix(":").strip()
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
    label = "a picture from memory" if path is None else path.name
    return _Crop(label, _digest(held), facts, landmarks, pixels, kept)


def _digest(held: bytes | Image) -> str:
    """sha256 of a file's bytes; of a picture without a file, of its size and pixels."""
    if isinstance(held, bytes):
        return hashlib.sha256(held).hexdigest()
    return hashlib.sha256(str(held.shape).encode() + held.tobytes()).hexdigest()
