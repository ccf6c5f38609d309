"""What shows a stranger of an album: the best half of the faces, and of these the few least like one another."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.gallery import album_faces
from multiface.gallery.connection import BadContent
from multiface.gallery.contents import CROP_SIDE, VectorOrigin
from multiface.gallery.sql import Connection
from multiface.gallery.stranger_rows import MOST_VIEWS, View
from multiface.gallery.template_rows import vector_fault


@dataclass(frozen=True, slots=True)
class Shown:
    """A face that shows a stranger. crop: JPEG; None where none is kept."""

    view: View
    crop: bytes | None


def shown_by(
    connection: Connection, faces: Sequence[int], vectors: Floats, quality: Floats, seen: str
) -> list[Shown]:
    """The faces that show a stranger, the best first.

    faces: ids (n,), at least one, by picture and then by id. vectors: float32 (n, d), unit length. quality: float32
    (n,), lengths of raw features. seen: when last, UTC, ISO 8601.
    """
    shown = []
    for k in views_of(vectors, quality):
        crop = album_faces.crop_of(connection, faces[k])
        digest = view_digest(crop, vectors[k])
        view = View(vectors[k], 0.0, _share(quality[k]), digest, CROP_SIDE, CROP_SIDE, seen)
        shown.append(Shown(view, crop))
    return shown


def of_stranger(connection: Connection, number: int, origin: VectorOrigin, seen: str) -> list[Shown]:
    """The same of all faces that a stranger has, whether their files are there or not; nothing where no face has a
    vector. Raises BadContent for a vector that is not what the gallery holds.
    """
    faces, vectors = list[album_faces.AlbumFace](), list[Floats]()
    for face in sorted(
        album_faces.faces_of_stranger(connection, number), key=lambda one: (one.picture, one.id)
    ):
        vector = album_faces.vector_of(connection, face.id)
        if vector is None:
            continue
        if (fault := vector_fault(vector, origin.dimension)) is not None:
            raise BadContent(f"it is damaged: face {face.id} of the album: {fault}")
        faces.append(face)
        vectors.append(vector)
    if not faces:
        return []
    quality = np.array([face.quality for face in faces], np.float32)
    return shown_by(connection, [face.id for face in faces], np.stack(vectors), quality, seen)


def views_of(vectors: Floats, quality: Floats) -> Ints:
    """The positions of the few faces that stand for a person: of the best half those least like one another.

    vectors: float32 (n, d); quality: (n,). The best comes first.
    """
    order = np.lexsort((np.arange(len(quality)), -quality))
    good = order[: max(MOST_VIEWS, (len(order) + 1) // 2)]
    chosen = [int(good[0])]
    while len(chosen) < min(MOST_VIEWS, len(good)):
        nearest = (vectors[good] @ vectors[chosen].T).max(axis=1)
        nearest[np.isin(good, chosen)] = np.inf
        chosen.append(int(good[np.argmin(nearest)]))
    return np.array(chosen, np.int64)


def view_digest(crop: bytes | None, vector: Floats) -> str:
    """What tells one picture of a face from others."""
    return hashlib.sha256(vector.tobytes() if crop is None else crop).hexdigest()


def _share(quality: float) -> float:
    """The length of a raw feature as a quality in 0..1."""
    return float(quality / (quality + 10.0))
