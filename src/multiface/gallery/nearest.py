"""Who a probe is most like, among many: the exact best few, by a quick scan and a second look at what it leaves.

Letters: q probes, p people, d numbers in a vector.
"""

import numpy as np

from multiface.arrays import Floats, Indices
from multiface.gallery.int8_codes import bounds
from multiface.gallery.matrix import Matrix

FEW = 4096
"""Up to so many people all are scored in float32, which takes no longer."""
_SHARE = 64
"""Of so many people the largest lower bound counts alone: enough of them are left to know one near that of the best."""


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
    codes = [group.codes for group in matrix.groups]
    share = max(1, min(_SHARE, people // count))
    for at in range(0, len(probes), 8):
        few = probes[at : at + 8]
        above = np.empty((len(few), people), np.float32)
        below: list[Floats] = []
        begin = 0
        for known in bounds(few, codes):
            end = begin + known.middle.shape[1]
            np.add(known.middle, known.radius, out=above[:, begin:end])
            below.append(_largest(known.middle - known.radius, share))
            begin = end
        lows = np.concatenate(below, axis=1)
        place = lows.shape[1] - count
        for high, low in zip(above, np.partition(lows, place, axis=1)[:, place], strict=True):
            found |= high >= np.float32(min(float(low), least))
    return np.flatnonzero(found)


def exact_similarities(probes: Floats, matrix: Matrix, positions: Indices) -> Floats:
    """Cosines to the mean vectors of some people: float32 (q, d), positions (n,) -> float32 (q, n) in -1..1.

    They are added up in float64, so that nothing depends on who else is scored with them.
    """
    centres = matrix.centres_at(positions).astype(np.float64)
    similarities = np.clip(probes.astype(np.float64) @ centres.T, -1.0, 1.0)
    return similarities.astype(np.float32)


def _largest(values: Floats, share: int) -> Floats:
    """The largest of each so many columns, and of those that are left: float32 (q, n) -> (q, n / share, rounded up)."""
    queries, columns = values.shape
    whole = columns // share * share
    largest: Floats = values[:, :whole].reshape(queries, -1, share).max(axis=2)
    if whole == columns:
        return largest
    return np.concatenate([largest, values[:, whole:].max(axis=1, keepdims=True)], axis=1)
