"""The verification protocol: embeddings of pictures and a list of pairs in, figures with intervals out.

Similarity is the cosine, -1..1, and a pair is accepted at `similarity >= threshold`; accuracy alone follows
the field's ten-fold protocol on squared distances (`metrics.folds`). Intervals are at 95 % and resample
people where the set says who is who (`metrics.intervals`).

A false accept rate is marked as not supported if the set's impostor pairs let fewer than ten false matches be
expected at it: the threshold then hangs on a handful of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Bools, Doubles, Ints
from multiface.datasets.lfw import LfwPairs
from multiface.errors import DataSetError, InputError, RateNotSupported, UsageError
from multiface.metrics.curves import area_under_roc, equal_error_rate, tar_at_far
from multiface.metrics.folds import fold_accuracy, fold_index, squared_distances
from multiface.metrics.intervals import Interval, rate_interval, tar_at_far_intervals

FARS: tuple[float, ...] = (0.01, 0.001)
FOLDS = 10
EXPECTED_FALSE_MATCHES = 10.0
"""Fewer expected false matches than these and a false accept rate counts as not supported by the set."""

_PAIRS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class PairSet:
    """n pairs of a verification set over its unique pictures.

    name: what the report calls the set.
    left, right: int64 (n,), positions of the pictures (rows of the embeddings).
    issame: bool (n,).
    fold: int64 (n,), 0..folds-1.
    left_subject, right_subject: int64 (n,), who is shown; None where the set does not say, and then the pairs
        are taken as independent.
    """

    name: str
    left: Ints
    right: Ints
    issame: Bools
    fold: Ints
    left_subject: Ints | None
    right_subject: Ints | None

    def __post_init__(self) -> None:
        arrays = [self.left, self.right, self.issame, self.fold]
        arrays += [side for side in (self.left_subject, self.right_subject) if side is not None]
        if len({array.shape for array in arrays}) != 1 or self.left.ndim != 1:
            raise DataSetError(
                f"{self.name}: arrays of the pairs differ: {[a.shape for a in arrays]}", name=self.name
            )
        if (self.left_subject is None) != (self.right_subject is None):
            raise DataSetError(
                f"{self.name}: wanted the people of both sides of the pairs, or of neither", name=self.name
            )
        if not self.issame.any() or self.issame.all():
            raise DataSetError(
                f"{self.name}: wanted pairs of the same person and pairs of two people", name=self.name
            )

    def __len__(self) -> int:
        return len(self.issame)

    @staticmethod
    def from_lfw(pairs: LfwPairs, name: str = "lfw") -> "PairSet":
        """The pairs of an LFW pairs file with its own folds; a file of one fold is cut into ten."""
        fold = pairs.fold if pairs.folds > 1 else _even_folds(pairs.issame)
        return PairSet(
            name, pairs.left, pairs.right, pairs.issame, fold, pairs.left_subject, pairs.right_subject
        )

    @staticmethod
    def from_pack(name: str, issame: npt.ArrayLike, people: Ints | None = None) -> "PairSet":
        """The pairs of a verification pack: pair q is pictures 2q and 2q + 1.

        people: int64 (2 n,), who is in each picture (see datasets.pack_people); None where that is not known.
        Folds are ten runs of pairs, as the field cuts packs. Raises UsageError for fewer than ten pairs.
        """
        same = np.asarray(issame, np.bool_)
        left = 2 * np.arange(len(same), dtype=np.int64)
        sides = (None, None) if people is None else (people[::2], people[1::2])
        return PairSet(name, left, left + 1, same, fold_index(len(same), FOLDS), *sides)


@dataclass(frozen=True, slots=True)
class RateAtFar:
    """TAR at one false accept rate of a set.

    far: the wanted rate. threshold: cosine. fmr: what the threshold gives on the set's impostor pairs.
    tar, interval: 0..1. expected_false_matches: far times the number of impostor pairs. supported: whether
    these are at least ten.
    """

    far: float
    threshold: float
    fmr: float
    tar: float
    interval: Interval
    expected_false_matches: float
    supported: bool


@dataclass(frozen=True, slots=True)
class SetResult:
    """Figures of one embedder on one set; all rates 0..1, intervals at 95 %.

    pairs, genuine, impostor: how many. people: how many, None where the set does not say (the intervals then
    take the pairs as independent).
    accuracy, accuracy_std: mean and standard deviation over the folds. accuracy_interval: of the accuracy.
    threshold: cosine that belongs to the mean of the folds' thresholds.
    tar_at_far: one for each wanted FAR, as asked. eer: equal error rate. auc: area under the ROC.
    """

    name: str
    pairs: int
    genuine: int
    impostor: int
    people: int | None
    accuracy: float
    accuracy_std: float
    accuracy_interval: Interval
    threshold: float
    tar_at_far: tuple[RateAtFar, ...]
    eer: float
    auc: float


def check_fars(pairs: PairSet, fars: Sequence[float]) -> None:
    """Raises RateNotSupported where a set has too few impostor pairs for a FAR that is asked for, UsageError for a rate
    that is none.
    """
    impostors = int((~pairs.issame).sum())
    for far in fars:
        if not 0 < far < 1:
            raise UsageError(f"a false accept rate lies between 0 and 1, not at {far:g}")
        if far * impostors < EXPECTED_FALSE_MATCHES:
            raise RateNotSupported(
                f"{pairs.name}: has {impostors:,} pairs of two people, too few for a FAR of {far:g}: "
                f"{far * impostors:.3g} of them would be accepted, wanted {EXPECTED_FALSE_MATCHES:g} or more",
                hint=f"ask for {EXPECTED_FALSE_MATCHES / impostors:.2g} or more, or take a larger set",
                name=pairs.name,
            )


def score_pairs(embeddings: npt.NDArray[np.float32], pairs: PairSet) -> Doubles:
    """Cosine of the two embeddings of each pair, float64 (n,).

    embeddings: float32 (pictures, d), unit length to 1e-3. Raises InputError if they are not, hold numbers
    that are not finite, or are fewer than the pictures of the pairs.
    """
    last = int(max(pairs.left.max(), pairs.right.max()))
    if embeddings.ndim != 2 or len(embeddings) <= last:
        raise InputError(
            f"{pairs.name}: wanted an embedding for each of {last + 1} pictures, got shape {embeddings.shape}",
            name=pairs.name,
        )
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    bad = ~(np.abs(lengths - 1.0) <= 1e-3)  # also true for NaN
    if bad.any():
        raise InputError(
            f"{pairs.name}: {int(bad.sum())} of {len(bad)} embeddings are not of unit length, the first is "
            f"number {int(np.argmax(bad))} (length {lengths[np.argmax(bad)]:.4g})",
            hint="normalise them first",
            name=pairs.name,
        )
    cosines = np.empty(len(pairs))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        a, b = (embeddings[side[part]].astype(np.float64) for side in (pairs.left, pairs.right))
        # Through the distance: exact for equal vectors, and what the field's protocol computes.
        cosines[part] = 1.0 - np.square(a - b).sum(axis=1) / 2.0
    return cosines


def evaluate_pairs(
    similarities: npt.ArrayLike,
    pairs: PairSet,
    *,
    fars: Sequence[float] = FARS,
    replicates: int = 1000,
    seed: int = 0,
) -> SetResult:
    """All figures of a set from the similarities of its pairs.

    similarities: (n,) cosines, finite. fars: the wanted false accept rates, 0..1. replicates, seed: of the
    bootstrap behind the intervals. Raises InputError if similarities and pairs do not agree, UsageError for
    a far outside 0..1.
    """
    scores = np.asarray(similarities, np.float64)
    if scores.shape != (len(pairs),):
        raise InputError(
            f"{pairs.name}: wanted {len(pairs)} similarities, got shape {scores.shape}", name=pairs.name
        )
    genuine, impostor = scores[pairs.issame], scores[~pairs.issame]
    if pairs.left_subject is None or pairs.right_subject is None:
        people, left, right = None, np.arange(len(pairs)), np.arange(len(pairs))
    else:
        left, right = pairs.left_subject, pairs.right_subject
        people = len(np.unique(np.concatenate([left, right])))

    accuracy = fold_accuracy(squared_distances(scores), pairs.issame, pairs.fold)
    accuracy_interval = rate_interval(accuracy.correct, left, right, replicates=replicates, seed=seed)
    intervals = tar_at_far_intervals(
        scores, pairs.issame, left, right, fars, replicates=replicates, seed=seed
    )
    rates = []
    for far, interval in zip(fars, intervals, strict=True):
        rate = tar_at_far(genuine, impostor, far)
        expected = far * len(impostor)
        rates.append(
            RateAtFar(
                far=rate.far,
                threshold=rate.threshold,
                fmr=rate.fmr,
                tar=rate.tar,
                interval=interval,
                expected_false_matches=expected,
                supported=expected >= EXPECTED_FALSE_MATCHES,
            )
        )
    return SetResult(
        name=pairs.name,
        pairs=len(pairs),
        genuine=len(genuine),
        impostor=len(impostor),
        people=people,
        accuracy=accuracy.mean,
        accuracy_std=accuracy.std,
        accuracy_interval=accuracy_interval,
        threshold=1.0 - float(accuracy.best_thresholds.mean()) / 2.0,
        tar_at_far=tuple(rates),
        eer=equal_error_rate(genuine, impostor),
        auc=area_under_roc(genuine, impostor),
    )


def _even_folds(issame: Bools) -> Ints:
    """Ten folds with genuine and impostor pairs spread evenly over them."""
    fold = np.empty(len(issame), np.int64)
    for kind in (issame, ~issame):
        fold[kind] = fold_index(int(kind.sum()), FOLDS)
    return fold
