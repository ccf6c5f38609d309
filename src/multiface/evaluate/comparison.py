"""Two embedders on the same pairs: how far apart they are, with an interval that knows that the pairs are the same.

Accuracy of the ten folds, by `metrics.paired`. TAR at a FAR: both thresholds are found anew in each replicate of the
people (the same replicate for both), and the interval is that of the differences' percentiles, never shorter than the
one at the set's own thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles, Ints
from multiface.errors import UsageError
from multiface.evaluate.protocol import PairSet
from multiface.metrics.curves import threshold_at_far
from multiface.metrics.folds import fold_accuracy, squared_distances
from multiface.metrics.intervals import Interval, tar_at_far_replicates
from multiface.metrics.paired import paired_difference

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Compared:
    """measure: "accuracy", or "TAR at FAR 0.001". difference: first less second, -1..1. interval: of it, at 95 %."""

    measure: str
    difference: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """On one set: what `first` has more than `second`."""

    set: str
    first: str
    second: str
    differences: tuple[Compared, ...]


def compare(
    pairs: PairSet,
    first: Doubles,
    second: Doubles,
    fars: Sequence[float],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> tuple[Compared, ...]:
    """The differences of two embedders. first, second: cosines of the pairs, float64 (n,).

    Raises UsageError where the scores are not those of these pairs.
    """
    if first.shape != (len(pairs),) or second.shape != first.shape:
        raise UsageError(
            f"{pairs.name}: wanted {len(pairs)} scores of each, got {first.shape} and {second.shape}",
            name=pairs.name,
        )
    left, right = people_of(pairs)
    both = (first, second)
    correct = [fold_accuracy(squared_distances(one), pairs.issame, pairs.fold) for one in both]
    settled = paired_difference(
        correct[0].correct, correct[1].correct, left, right, replicates=replicates, seed=seed
    )
    # Folds may differ in size by a pair; the figure is that of the table.
    shift = (correct[0].mean - correct[1].mean) - settled.difference
    found = [Compared("accuracy", correct[0].mean - correct[1].mean, _moved(settled.interval, shift))]
    same = pairs.issame
    drawn = [
        tar_at_far_replicates(one, same, left, right, fars, replicates=replicates, seed=seed) for one in both
    ]
    tail = (1 - CONFIDENCE) / 2
    for number, far in enumerate(fars):
        accepted = [one[same] >= threshold_at_far(one[~same], far) for one in both]
        fixed = paired_difference(
            accepted[0], accepted[1], left[same], right[same], replicates=replicates, seed=seed
        )
        moved = drawn[0][:, number] - drawn[1][:, number]
        low, high = np.nanquantile(moved, [tail, 1 - tail]) if np.isfinite(moved).any() else (-1.0, 1.0)
        interval = Interval(min(float(low), fixed.interval.low), max(float(high), fixed.interval.high))
        found.append(Compared(f"TAR at FAR {far:g}", fixed.difference, interval))
    return tuple(found)


def people_of(pairs: PairSet) -> tuple[Ints, Ints]:
    """The two people of each pair, int64 (n,); where the set does not say, a person of its own for each pair."""
    if pairs.left_subject is None or pairs.right_subject is None:
        alone = np.arange(len(pairs), dtype=np.int64)
        return alone, alone
    return pairs.left_subject, pairs.right_subject


def _moved(interval: Interval, shift: float) -> Interval:
    return Interval(interval.low + shift, interval.high + shift)
