"""The unknown people of an album, most useful first: large groups, and those that look like somebody known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.album.questions import HitFace, hit_face
from multiface.arrays import Doubles
from multiface.errors import NotInGallery
from multiface.gallery import (
    Matrix,
    Person,
    VectorOrigin,
    album_faces,
    album_strangers,
    score_people,
    stranger_rows,
)
from multiface.gallery.sql import Connection
from multiface.recognition.deciding import RULE
from multiface.recognition.gallery_threshold import GalleryThreshold

_NEAR = 0.8
"""A known person is named as near from this share of the similarity on that would give the name."""


@dataclass(frozen=True, slots=True)
class Near:
    """The known person whom a group looks like most.

    similarity: of the group's mean to the person's, cosine. wanted: what a single face would have to reach.
    """

    person: Person
    similarity: float
    wanted: float


@dataclass(frozen=True, slots=True)
class UnknownGroup:
    """Unknown faces that are one person.

    number: of the stranger. sightings: how often seen; pictures of one moment count once. first_seen, last_seen: UTC,
    ISO 8601. faces: best first. near: whom the group looks like; None for nobody. ignored: whether somebody said so.
    """

    number: int
    sightings: int
    first_seen: str
    last_seen: str
    faces: tuple[HitFace, ...]
    near: Near | None
    ignored: bool


@dataclass(frozen=True, slots=True)
class AlikeGroup:
    """A group beside another one. similarity: of their means, cosine."""

    group: UnknownGroup
    similarity: float


def alike_groups(
    connection: Connection, groups: Sequence[UnknownGroup], number: int, origin: VectorOrigin
) -> tuple[AlikeGroup, ...]:
    """The other groups, the most similar first. groups: all. Raises NotInGallery where the number is of none."""
    known = [one for one in groups if one.number == number]
    if not known:
        raise NotInGallery(f"there is no group {number} of unknown faces")
    means = _means(connection, origin, {face.id for group in groups for face in group.faces})
    directions = {of: mean / max(float(np.linalg.norm(mean)), 1e-12) for of, mean in means.items()}
    nothing = np.zeros(origin.dimension)
    own = directions.get(number, nothing)
    found = [
        AlikeGroup(one, float(own @ directions.get(one.number, nothing)))
        for one in groups
        if one.number != number
    ]
    return tuple(sorted(found, key=lambda one: (-one.similarity, one.group.number)))


def unknown_groups(
    connection: Connection,
    people: dict[str, Person],
    matrix: Matrix,
    threshold: GalleryThreshold,
    origin: VectorOrigin,
) -> tuple[UnknownGroup, ...]:
    """All groups, the most useful first; those to ignore last. people: by id."""
    found = []
    strangers = {one.number: one for one in stranger_rows.strangers(connection)}
    shown = album_faces.faces_of_strangers(connection)
    barred = album_faces.barred(connection)
    means = _means(connection, origin, {face.id for faces in shown.values() for face in faces})
    for number, one in album_strangers.all_of_them(connection).items():
        stranger = strangers.get(number)
        faces = sorted(shown.get(number, ()), key=lambda face: (-face.quality, face.id))
        if stranger is None or not faces:
            continue
        mean = means.get(number, np.zeros(origin.dimension))
        found.append(
            UnknownGroup(
                number,
                stranger.sightings,
                stranger.first_seen,
                stranger.last_seen,
                tuple(hit_face(face, {}, {number} if one.ignored else set()) for face in faces),
                _near(
                    mean, people, matrix, threshold, set().union(*(barred.get(face.id, ()) for face in faces))
                ),
                one.ignored,
            )
        )
    return tuple(sorted(found, key=_usefulness))


def _means(connection: Connection, origin: VectorOrigin, shown: set[int]) -> dict[int, Doubles]:
    """The mean vector of each stranger, float64 (d,), over these faces."""
    faces = album_faces.vectors(connection, origin)
    chosen = np.flatnonzero((faces.strangers >= 0) & np.isin(faces.ids, np.fromiter(shown, np.int64)))
    numbers, index, counts = np.unique(faces.strangers[chosen], return_inverse=True, return_counts=True)
    sums = np.zeros((len(numbers), origin.dimension))
    np.add.at(sums, index, faces.vectors[chosen])
    return dict(zip(numbers.tolist(), sums / counts[:, np.newaxis], strict=True))


def _near(
    mean: Doubles,
    people: dict[str, Person],
    matrix: Matrix,
    threshold: GalleryThreshold,
    barred: set[int],
) -> Near | None:
    """barred: people, by row, of whom somebody said that one of the faces is not theirs."""
    asked = threshold.of(matrix)
    length = float(np.linalg.norm(mean))
    if asked is None or length == 0.0:
        return None
    similar = score_people((mean / length).astype(np.float32)[np.newaxis], matrix, RULE)[0]
    similar = np.where(np.isin(matrix.numbers, list(barred)), -1.0, similar)
    best = int(np.argmax(similar))
    wanted = asked.similarity + float(threshold.calibration.rise(matrix.spread)[best])
    person = people.get(matrix.ids[best])
    if person is None or similar[best] < _NEAR * wanted:
        return None
    return Near(person, float(similar[best]), wanted)


def _usefulness(group: UnknownGroup) -> tuple[bool, int, float, int]:
    """A group that looks like somebody known counts as twice as large."""
    share = 0.0 if group.near is None else group.near.similarity / max(group.near.wanted, 1e-6)
    return group.ignored, -group.sightings * (1 if group.near is None else 2), -share, group.number
