"""Who the faces of an album are: the decision of `identify`, for many pictures, from the vectors alone.

Faces of one photo are different people. What somebody decided by hand stays, and takes the person from the other faces
of that photo. A face is not given to a person of whom somebody said that it is not theirs.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from multiface.arrays import Bools, Doubles, Floats, Indices, Ints
from multiface.decision import PictureFault, Threshold, decide
from multiface.gallery import Matrix, score_people
from multiface.gallery.album_faces import FaceVectors
from multiface.recognition.deciding import RULE
from multiface.recognition.gallery_threshold import GalleryThreshold

_CELLS = 1 << 22
"""Similarities held at once: 16 MiB."""


def decided(
    faces: FaceVectors,
    barred: Mapping[int, set[int]],
    named: Mapping[int, set[int]],
    matrix: Matrix,
    threshold: GalleryThreshold,
) -> Ints:
    """The row of each face's person, int64 (n,); -1 for none. Those decided by hand are as they were.

    barred: for ids of faces the persons, by row, whom they are not. named: for photos the persons, by row, whom
    somebody named in a face that has no vector. Raises RateNotSupported.
    """
    persons = np.where(faces.by_hand, faces.persons, -1)
    asked = threshold.of(matrix)
    if asked is None:
        return persons
    rise = threshold.calibration.rise(matrix.spread)
    numbers = matrix.numbers
    for chunk in _chunks(faces.pictures, max(1, _CELLS // len(matrix))):
        similar = score_people(faces.vectors[chunk], matrix, RULE)
        for k in np.flatnonzero(np.isin(faces.ids[chunk], list(barred))):
            similar[k, np.isin(numbers, list(barred[int(faces.ids[chunk][k])]))] = -1.0
        above = (similar.astype(np.float64) >= asked.similarity + rise).any(axis=1)
        free = ~faces.by_hand[chunk] & ~faces.ignored[chunk] & ~faces.alone[chunk] & above
        for rows in _different_people(faces.pictures[chunk], faces.seconds[chunk], free):
            at = chunk.start + rows
            taken = named.get(int(faces.pictures[at[0]]), set()) | set(persons[at][persons[at] >= 0].tolist())
            _decide(faces, at, similar[rows], free[rows], taken, matrix, asked, threshold, rise, persons)
    return persons


def _decide(
    faces: FaceVectors,
    at: Indices,
    similar: Floats,
    free: Bools,
    taken: set[int],
    matrix: Matrix,
    asked: Threshold,
    threshold: GalleryThreshold,
    rise: Floats,
    persons: Ints,
) -> None:
    """Decide the free ones among faces that are all different people, into `persons`. taken: who is in it already."""
    if not free.any():
        return
    open_ = similar[free].copy()
    open_[:, np.isin(matrix.numbers, list(taken))] = -1.0
    # As in `decide_probes`: nobody but the most similar few, one more than there are faces, plays a part.
    most = min(len(matrix), len(open_) + 1)
    columns = np.unique(np.argpartition(-open_, most - 1, axis=1)[:, :most])
    passing = np.flatnonzero((open_.astype(np.float64) >= asked.similarity + rise).any(axis=0))
    columns = np.union1d(columns, passing)
    rows = at[free]
    faults = [PictureFault("", bool(faces.alone[k])) if faces.poor[k] else None for k in rows]
    answers = decide(
        open_[:, columns],
        [matrix.names[k] for k in columns],
        asked,
        threshold.calibration.margin,
        rise[columns],
        faults,
        [str(k) for k in columns],
    )
    for k, answer in zip(rows, answers, strict=True):
        if answer.person is not None:
            persons[k] = matrix.numbers[int(answer.person)]


def _chunks(pictures: Ints, most: int) -> Iterator[slice]:
    """Runs of whole pictures of at most so many faces; a picture with more is a run of its own."""
    begin = end = 0
    for stop in [*(np.flatnonzero(np.diff(pictures)) + 1).tolist(), len(pictures)]:
        if stop - begin > most and end > begin:
            yield slice(begin, end)
            begin = end
        end = stop
    if end > begin:
        yield slice(begin, end)


def _different_people(pictures: Ints, seconds: Doubles, wanted: Bools) -> Iterator[Indices]:
    """Sets of faces that are all different people, if one of them is wanted: all of a photo, each of a film alone.

    pictures: rising. seconds: float64 (n, 2), NaN in photos; a film shows one person at several times.
    """
    begins = np.flatnonzero(np.diff(pictures, prepend=-1))
    for begin, end in zip(begins, np.append(begins[1:], len(pictures)), strict=True):
        rows = np.arange(begin, end)
        for together in [rows] if np.isnan(seconds[begin, 0]) else rows[:, None]:
            if wanted[together].any():
                yield together
