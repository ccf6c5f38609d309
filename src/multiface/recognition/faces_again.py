"""Faces that were embedded before, embedded again: each found where it was in its picture.

A picture is decoded and aligned alone, a crop that was kept is taken as it is; the crops of all are embedded together.
A face is taken where a box that is found now overlaps the box of then as two boxes of one face do
(`gallery.contents.SAME_FACE_OVERLAP`); where two faces of then would be the same one now, only the nearer of them is.
The picture's quality is not judged: it was, at enrolment.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multiface.arrays import Floats, Pixels
from multiface.errors import FaceError, MultifaceError, PictureError
from multiface.faces.align import align
from multiface.faces.analysis import Analyser
from multiface.faces.face import Faces
from multiface.faces.finding import find_faces
from multiface.faces.main_face import clear_main_face
from multiface.gallery.contents import SAME_FACE_OVERLAP, PictureFacts
from multiface.gallery.reembedding import NOT_FOUND, WantedFaces
from multiface.images import open_picture, read_picture
from multiface.images.box import overlap
from multiface.recognition.kept_crop import cut_from_crop

Outcome = list[Floats | str]


def faces_again(analyser: Analyser, wanted: Sequence[WantedFaces]) -> list[Outcome]:
    """For each picture, for each of its faces the vector, float32 (d,) of unit length, or why there is none."""
    cut = [_cut(analyser, one) for one in wanted]
    crops = [crop for faces in cut for crop in faces if not isinstance(crop, str)]
    vectors = iter(analyser.embedder.embed(np.stack(crops), analyser.flip) if crops else ())
    return [[crop if isinstance(crop, str) else next(vectors) for crop in faces] for faces in cut]


def _cut(analyser: Analyser, wanted: WantedFaces) -> list[Pixels | str]:
    """The aligned crops of the faces, uint8 (h, w, 3), or why there is none; the picture itself is not kept."""
    content = _content(wanted)
    if content is None:
        return [NOT_FOUND] * len(wanted.faces)
    spec = analyser.embedder.spec
    try:
        image = open_picture(content).pixels
        if wanted.aligned:
            return [cut_from_crop(image, spec)]
        faces = find_faces(analyser.detector, image).faces
    except MultifaceError as error:
        return [str(error)] * len(wanted.faces)
    crops: list[Pixels | str] = []
    for position in _positions(faces, wanted.faces):
        if position is None:
            crops.append(f"the face was not found in the picture again ({len(faces)} others were)")
            continue
        try:
            crops.append(
                align(image, faces.landmarks[[position]], spec.template, (spec.width, spec.height))[0]
            )
        except FaceError as error:
            crops.append(str(error))
    return crops


def _content(wanted: WantedFaces) -> bytes | None:
    """The bytes of the picture, from the first place that has them."""
    for place in wanted.places:
        try:
            content = read_picture(place) if isinstance(place, Path) else place
        except PictureError:
            continue
        if hashlib.sha256(content).hexdigest() == wanted.digest:
            return content
    return None


def _positions(faces: Faces, wanted: Sequence[PictureFacts | None]) -> list[int | None]:
    """For each face that is wanted its position among those found; no face is given twice."""
    if not len(faces):
        return [None] * len(wanted)
    found = [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in faces.boxes]
    shared = np.array(
        [[0.0] * len(found) if one is None else [overlap(one.box, box) for box in found] for one in wanted]
    )
    positions: list[int | None] = []
    for number, one in enumerate(wanted):
        at = int(shared[number].argmax())
        nearest = shared[number, at] >= SAME_FACE_OVERLAP and int(shared[:, at].argmax()) == number
        positions.append(clear_main_face(faces) if one is None else at if nearest else None)
    return positions
