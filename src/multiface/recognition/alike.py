"""The people of a gallery who are most alike: whom a decision confuses first."""

from dataclasses import dataclass

import numpy as np

from multiface.decision import Calibration
from multiface.errors import UsageError
from multiface.gallery import Matrix
from multiface.recognition.gallery_threshold import GalleryThreshold

MOST_PEOPLE = 20_000
"""Each is compared with each: at this number about two seconds."""
_CELLS = 1 << 22
"""Similarities held at once: 16 MiB."""


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two people. people, names: of both. similarity: cosine of their mean vectors. threshold: what a face has to reach
    to be named as one of them, the easier one.
    """

    people: tuple[str, str]
    names: tuple[str, str]
    similarity: float
    threshold: float


def most_alike(matrix: Matrix, calibration: Calibration, rate: float, most: int) -> tuple[AlikePair, ...]:
    """The pairs that are most alike, the most alike first; at most so many.

    rate: as for `identify`. Raises UsageError for more than `MOST_PEOPLE`, RateNotSupported.
    """
    people = len(matrix)
    if people > MOST_PEOPLE:
        raise UsageError(
            f"{people:,} people are too many to compare each with each; up to {MOST_PEOPLE:,} are"
        )
    asked = GalleryThreshold(calibration, rate).of(matrix)
    if asked is None or people < 2:
        return ()
    centres, wanted = matrix.centres, asked.similarity + calibration.rise(matrix.spread)
    found: list[tuple[float, int, int]] = []
    step = max(1, _CELLS // people)
    for begin in range(0, people, step):
        similar = centres[begin : begin + step] @ centres.T
        rows = np.arange(begin, begin + len(similar))
        similar[np.arange(people)[np.newaxis] <= rows[:, np.newaxis]] = -2.0  # each pair once
        flat = similar.ravel()
        best = np.argpartition(flat, -min(most, flat.size))[-min(most, flat.size) :]
        found += [(float(flat[k]), begin + int(k) // people, int(k) % people) for k in best if flat[k] > -2.0]
        found = sorted(found, key=lambda one: (-one[0], one[1:]))[:most]
    return tuple(
        AlikePair(
            (matrix.ids[one], matrix.ids[other]),
            (matrix.names[one], matrix.names[other]),
            similarity,
            float(min(wanted[one], wanted[other])),
        )
        for similarity, one, other in found
    )
