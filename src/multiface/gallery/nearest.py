"""Who a probe is most like, among many: the exact best few, by a quick scan and a second look at what it leaves.

Letters: q probes, p people, d numbers in a vector.
"""

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats, Indices
from multiface.gallery.int8_codes import bounds
from multiface.gallery.matrix import Matrix

FEW = 4096
"""Up to so many people all are scored in float32, which takes no longer."""
_GROUP = 64


def nearest_people(probes: Floats, matrix: Matrix, count: int, least: float = np.inf) -> Indices:
    """The positions, rising, of everybody who is among the `count` most similar people of some probe, or at least as
    similar to it as `least`; perhaps of a few others too.

    probes: float32 (q, d), unit length. Similarity is the cosine to the person's mean vector (the rule "mean"). With
    up to `FEW` people it is everybody.
    """
    people = len(matrix)
    if people <= max(FEW, count) or not len(probes):
        return np.arange(people, dtype=np.intp)
    found = np.zeros(people, np.bool_)
    for at in range(0, len(probes), 8):
        known = bounds(probes[at : at + 8], matrix.codes, [group.codes.integers for group in matrix.groups])
        for middle, radius in zip(known.middle, known.radius, strict=True):
            least_of_best = min(_low(middle - radius, count), least)
            found |= middle + radius >= np.float32(least_of_best)
    return np.flatnonzero(found)


def exact_similarities(probes: Floats, matrix: Matrix, positions: Indices) -> Floats:
    """Cosines to the mean vectors of some people: float32 (q, d), positions (n,) -> float32 (q, n) in -1..1.

    They are added up in float64, so that nothing depends on who else is scored with them.
    """
    centres = matrix.centres_at(positions).astype(np.float64)
    similarities = np.clip(probes.astype(np.float64) @ centres.T, -1.0, 1.0)
    return similarities.astype(np.float32)


def _low(values: npt.NDArray[np.float32], count: int) -> float:
    """A value that at least `count` of the values reach, near the `count`-th largest: by the largest of each group, the
    groups being so many that enough of them are there.
    """
    group = max(1, min(_GROUP, len(values) // count))
    whole = len(values) // group * group
    largest = values[:whole].reshape(-1, group).max(axis=1)
    return float(np.partition(largest, len(largest) - count)[len(largest) - count])
