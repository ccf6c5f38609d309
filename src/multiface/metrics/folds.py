"""Ten-fold accuracy of a verification set, as the field reports it for LFW, CFP-FP, AgeDB-30 and others.

Convention: squared Euclidean distances of unit vectors, 0..4 (`2 - 2 cosine`); a pair counts as the same
person if `distance < threshold`, strictly. The pairs are cut, unshuffled, into folds (with P pairs and n
folds the first P mod n folds are one longer). For each fold the threshold with the best accuracy on all
other folds is taken (the lowest on a tie) and its accuracy on the fold itself is kept.

Source: Huang et al., "Labeled Faces in the Wild", 2007 (View 2), in the form that FaceNet's and
InsightFace's evaluations gave it. Cost is O(pairs + folds * thresholds): each pair is put into the first
threshold that accepts it, and running sums over the thresholds give all counts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Bools, Doubles, Ints
from multiface.errors import InputError, UsageError

THRESHOLDS: Doubles = np.arange(0, 4, 0.01)
"""The reference's 400 thresholds on squared distance: 0, 0.01, ... 3.99. Coarse: pass them to compare with it."""
THRESHOLDS.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class FoldAccuracy:
    """Result of the protocol over f folds, t thresholds and n pairs.

    accuracy: float64 (f,), 0..1, on each held-out fold.
    best_thresholds: float64 (f,), squared distance, chosen on the other folds.
    mean, std: mean and population standard deviation of `accuracy`.
    thresholds: float64 (t,), those tried.
    tpr, fpr: float64 (t,), mean over the held-out folds of the share of accepted genuine and of accepted
        impostor pairs; a fold without genuine (impostor) pairs counts as 0, as in the reference.
    correct: bool (n,), whether each pair was decided rightly while its fold was held out.
    """

    accuracy: Doubles
    best_thresholds: Doubles
    mean: float
    std: float
    thresholds: Doubles
    tpr: Doubles
    fpr: Doubles
    correct: Bools


def fold_index(pairs: int, folds: int) -> Ints:
    """Fold of each pair, int64 (pairs,), 0..folds-1: unshuffled, the first `pairs % folds` folds one longer.

    Raises UsageError unless 2 <= folds <= pairs.
    """
    if not 2 <= folds <= pairs:
        raise UsageError(f"folds: wanted 2 to {pairs} (the number of pairs), got {folds}")
    sizes = np.full(folds, pairs // folds)
    sizes[: pairs % folds] += 1
    return np.repeat(np.arange(folds), sizes)


def squared_distances(cosines: npt.ArrayLike) -> Doubles:
    """Squared Euclidean distances of unit vectors, float64, from their cosines: `2 - 2 cosine`."""
    return np.asarray(2.0 - 2.0 * np.asarray(cosines, np.float64))


def fold_accuracy(
    distances: npt.ArrayLike,
    issame: npt.ArrayLike,
    folds: int | npt.ArrayLike = 10,
    thresholds: npt.ArrayLike | None = None,
) -> FoldAccuracy:
    """Accuracy by folds (the protocol at the head of this file).

    distances: (n,) squared distances, finite.
    issame: (n,) bool.
    folds: how many folds to cut the pairs into, or the fold of each pair, (n,) int with every one of
        0..folds-1 in use.
    thresholds: (t,) squared distances, ascending. None: every cut between neighbouring distinct distances,
        at the middle, and one on either side, so that no decision rule is missed. Equal distances are
        accepted or refused together; of equally good cuts the lowest counts.

    Raises InputError for arrays of different lengths, distances that are not finite or folds with a gap;
    UsageError for a number of folds that cannot be and thresholds that do not ascend.
    """
    d, same = _pairs(distances, issame)
    grid = cuts(d) if thresholds is None else np.asarray(thresholds, np.float64)
    if grid.ndim != 1 or len(grid) == 0 or not np.all(np.diff(grid) > 0):
        raise UsageError("thresholds: wanted one ascending row of at least one number")
    fold = (
        fold_index(len(d), int(folds)) if isinstance(folds, int | np.integer) else _given_folds(folds, len(d))
    )
    f, t = int(fold.max()) + 1, len(grid)

    # A pair is accepted by the thresholds first, first + 1, ...; first = t: by none of them.
    first = np.searchsorted(grid, d, side="right")
    cell = fold * (t + 1) + first

    def accepted(chosen: Bools) -> Ints:  # (f, t): how many of the chosen pairs each threshold accepts
        counts = np.bincount(cell[chosen], minlength=f * (t + 1)).reshape(f, t + 1)
        return np.cumsum(counts, axis=1)[:, :t]

    genuine, impostor = np.bincount(fold[same], minlength=f), np.bincount(fold[~same], minlength=f)
    accepted_genuine, accepted_impostor = accepted(same), accepted(~same)
    right = accepted_genuine + impostor[:, None] - accepted_impostor  # (f, t)
    best = np.argmax(right.sum(axis=0) - right, axis=1)  # the first, so the lowest, on a tie
    accuracy = right[np.arange(f), best] / (genuine + impostor)

    return FoldAccuracy(
        accuracy=accuracy,
        best_thresholds=grid[best],
        mean=float(accuracy.mean()),
        std=float(accuracy.std()),
        thresholds=grid,
        tpr=(accepted_genuine / np.maximum(genuine, 1)[:, None]).mean(axis=0),
        fpr=(accepted_impostor / np.maximum(impostor, 1)[:, None]).mean(axis=0),
        correct=(first <= best[fold]) == same,
    )


def cuts(distances: Doubles) -> Doubles:
    """Ascending thresholds that accept none, then one distinct distance more each: float64 (distinct + 1,).

    Those between two distances lie in the middle, or at the higher one where there is no number between them.
    """
    values = np.unique(distances)
    if len(values) == 0:
        return np.zeros(1)
    middles = values[:-1] + np.diff(values) / 2
    middles = np.where(middles > values[:-1], middles, values[1:])
    return np.concatenate([values[:1], middles, [np.nextafter(values[-1], np.inf)]])


def _pairs(distances: npt.ArrayLike, issame: npt.ArrayLike) -> tuple[Doubles, Bools]:
    d, same = np.asarray(distances, np.float64), np.asarray(issame, np.bool_)
    if d.ndim != 1 or d.shape != same.shape:
        raise InputError(
            f"pairs: wanted one distance and one issame for each pair, got shapes {d.shape} and {same.shape}"
        )
    if not np.isfinite(d).all():
        raise InputError(
            f"pairs: {int((~np.isfinite(d)).sum())} of {len(d)} distances are not finite numbers"
        )
    return d, same


def _given_folds(folds: npt.ArrayLike, pairs: int) -> Ints:
    fold = np.asarray(folds)
    if fold.shape != (pairs,) or not np.issubdtype(fold.dtype, np.integer):
        raise InputError(
            f"folds: wanted one integer for each of {pairs} pairs, got {fold.dtype} {fold.shape}"
        )
    fold = fold.astype(np.int64)
    if pairs == 0 or fold.min() < 0 or fold.max() == 0 or np.bincount(fold).min() == 0:
        raise InputError(
            "folds: wanted every number from 0 up to the last fold in use, and at least two folds"
        )
    return fold
