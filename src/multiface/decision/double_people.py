"""One person under two names.

Each picture is compared with the other people as a probe is, at the threshold for a false-positive identification rate.
Two people are reported where at least half of the pictures of one are recognised as the other.

Measured on LFW with the defaults at 1 %: of people enrolled under two names 4 of 4, 25 of 25 and 48 of 50 are found in
galleries of 24, 125 and 1,050 people, with 0, 0 and 7 pairs of two people beside them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.decision.calibration import Calibration

_BLOCK = 1 << 22
"""Cosines held at once: 16 MiB."""


@dataclass(frozen=True, slots=True)
class Double:
    """Two people, 0..p-1, who may be one.

    recognised: how many of the `pictures` of `person` are recognised as `other`. similarity: the highest cosine among
    them.
    """

    person: int
    other: int
    recognised: int
    pictures: int
    similarity: float


def double_people(
    vectors: npt.NDArray[np.float32],
    person: npt.NDArray[np.intp],
    centres: npt.NDArray[np.float32],
    spread: npt.NDArray[np.float32],
    calibration: Calibration,
    rate: float,
) -> tuple[float, tuple[Double, ...]]:
    """The similarity asked (for one template) and the pairs, those with the most of their pictures recognised first.

    vectors: (t, d), unit length. person: (t,), rising from 0 to p - 1. centres: (p, d), each person's mean at unit
    length. spread: (p,), as `Calibration.rise` takes it. p is at least 1. rate: FPIR, above 0 and below 1.

    Raises UsageError, RateNotSupported as `Calibration.threshold_for_identify`.
    """
    people = len(centres)
    asked = calibration.threshold_for_identify(rate, max(1, people - 1)).similarity
    wanted = asked + calibration.rise(spread).astype(np.float64)
    seen: dict[tuple[int, int], list[float]] = {}
    step = max(1, _BLOCK // people)
    for start in range(0, len(vectors), step):
        own = person[start : start + step]
        scores = vectors[start : start + step] @ centres.T
        scores[np.arange(len(own)), own] = -np.inf
        for row, other in zip(*np.nonzero(scores >= wanted), strict=True):
            seen.setdefault((int(own[row]), int(other)), []).append(float(scores[row, other]))
    pictures = np.bincount(person, minlength=people)
    pairs: dict[frozenset[int], Double] = {}
    for (one, other), values in seen.items():
        found = Double(one, other, len(values), int(pictures[one]), max(values))
        if 2 * found.recognised >= found.pictures:
            pair = frozenset((one, other))
            pairs[pair] = max(found, pairs.get(pair, found), key=_evidence)
    return asked, tuple(sorted(pairs.values(), key=_evidence, reverse=True))


def _evidence(double: Double) -> tuple[float, int, float]:
    return double.recognised / double.pictures, double.recognised, double.similarity
