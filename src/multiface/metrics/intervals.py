"""Intervals for rates, among them such that respect that pairs of a set share people.

Pairs that share a person are not independent: one person who is hard to recognise spoils many pairs. So
people are drawn, not pairs. Each replicate draws as many people as there are, with replacement; a person
drawn m times has multiplicity m. A pair of two people counts with the product of their multiplicities, a
pair of one person (genuine) with the multiplicity of that person. This is the vertex bootstrap of Snijders
and Borgatti, "Non-parametric standard errors and tests for network statistics", 1999, without the pairs that
a person drawn twice would form with their own copy.

Rates (accuracy, FMR, FNMR at a threshold) get Wilson's interval over the EFFECTIVE number of pairs
p (1 - p) / V, with V the variance over the replicates: the percentiles of a bootstrap are too short where
errors are few (Fogliato, Patil and Perona, "Confidence intervals for error rates in 1:1 matching tasks",
International Journal of Computer Vision, 2024, who recommend Wilson with a variance that knows the people).
The product of two multiplicities has variance 3 where the pair's own share should be 1 (Owen, "The pigeonhole
bootstrap", 2007); that known excess is taken off V: 2 / n^2 times the sum, over all couples of two people,
of (sum of x - p over the couple's pairs)^2.

TAR at FAR gets the percentiles of the replicates, the threshold found anew in each, but is never shorter than
the interval of the TAR at the set's own threshold. The excess stays in there: on sets whose impostor pairs
hardly share people the interval is somewhat too wide (in simulations 95 % enclosed the truth in 99 %).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles, Ints
from multiface.errors import InputError, UsageError
from multiface.metrics.curves import threshold_at_far

_CELLS_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class Interval:
    """low <= high, in the unit of the rate they enclose (0..1)."""

    low: float
    high: float


def wilson(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a share of independent trials (Wilson, 1927).

    Both numbers may be fractions (effective numbers). Raises UsageError unless 0 <= successes <= trials,
    trials > 0 and 0 < confidence < 1.
    """
    if not (trials > 0 and 0 <= successes <= trials):
        raise UsageError(f"interval: wanted 0 <= successes <= trials, got {successes} of {trials}")
    z = NormalDist().inv_cdf(0.5 + _checked(confidence) / 2)
    p, zz = successes / trials, z * z / trials
    centre = (p + zz / 2) / (1 + zz)
    half = math.sqrt(zz * (p * (1 - p) + zz / 4)) / (1 + zz)
    # At the ends the formula gives 0 and 1 exactly; rounding should not.
    low = 0.0 if successes == 0 else max(centre - half, 0.0)
    high = 1.0 if successes == trials else min(centre + half, 1.0)
    return Interval(low, high)


def rate_replicates(
    outcomes: npt.ArrayLike,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Doubles:
    """The share of true outcomes in each replicate of the people, float64 (replicates,).

    outcomes: (n,) bool, one for each pair. left, right: (n,) int, the two people of each pair (equal for a
    genuine pair), any integers. NaN for a replicate in which no pair was drawn.
    Raises InputError for arrays of different lengths or no pairs, UsageError for replicates < 1.
    """
    x = np.asarray(outcomes, np.bool_)
    people = numbered_people(left, right, len(x))
    parts = []
    for weights in pair_weights(people, replicates, seed):
        total = weights.sum(axis=1)
        parts.append(_ratio(weights @ x.astype(np.float64), total))
    return np.concatenate(parts)


def rate_interval(
    outcomes: npt.ArrayLike,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Interval:
    """Interval of the share of true outcomes, people being resampled (the head of this file says how).

    For accuracy the outcomes say which pairs were decided rightly; for FMR hand in the impostor pairs alone
    and which were accepted; for FNMR the genuine pairs alone and which were refused. Other arguments and
    errors as `rate_replicates`.

    Where all outcomes are equal no resampling can tell; then Wilson's interval over as many pairs as can be
    picked, first come first served, without two of them sharing a person.
    """
    x = np.asarray(outcomes, np.bool_)
    n = len(x)
    people = numbered_people(left, right, n)
    p = float(x.mean())
    if p in (0.0, 1.0):
        independent = independent_pairs(people)
        return wilson(p * independent, independent, confidence)
    drawn = rate_replicates(x, left, right, replicates=replicates, seed=seed)
    variance = float(np.nanvar(drawn)) - excess_variance(x.astype(np.float64) - p, people)
    # Never more pairs than there are: a variance under the binomial one is luck.
    effective = n if variance * n <= p * (1 - p) else p * (1 - p) / variance
    return wilson(p * effective, effective, confidence)


def tar_at_far_replicates(
    scores: npt.ArrayLike,
    issame: npt.ArrayLike,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    fars: Sequence[float],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Doubles:
    """TAR at each FAR in each replicate of the people, float64 (replicates, len(fars)).

    scores: (n,) similarities. issame: (n,) bool, with pairs of both kinds. left, right: (n,) int, the two
    people of each pair. fars: 0..1. The threshold is found anew in each replicate, by the definition of
    `curves.threshold_at_far` with weighted impostors. NaN for a replicate without pairs of one kind.
    Raises InputError for arrays that do not agree or scores that are not finite, UsageError for a far.
    """
    s, same = np.asarray(scores, np.float64), np.asarray(issame, np.bool_)
    people = numbered_people(left, right, len(s))
    if s.shape != same.shape or not np.isfinite(s).all() or same.all() or not same.any():
        raise InputError("scores: wanted a finite score for each pair, and genuine and impostor pairs")
    for far in fars:
        if not 0.0 <= far <= 1.0:
            raise UsageError(f"far: wanted a rate between 0 and 1, got {far}")

    genuine, impostor = np.flatnonzero(same), np.flatnonzero(~same)
    genuine = genuine[np.argsort(-s[genuine], kind="stable")]
    impostor = impostor[np.argsort(-s[impostor], kind="stable")]
    # Genuine scores over each impostor score: equal ones are refused together, wherever among them the threshold falls.
    above = np.searchsorted(-s[genuine], -s[impostor], side="left")
    above = np.append(above, len(genuine))  # all impostors may pass: every genuine score passes too

    parts = []
    for weights in pair_weights(people, replicates, seed):
        genuine_sum = np.cumsum(weights[:, genuine], axis=1)
        genuine_sum = np.concatenate([np.zeros((len(weights), 1)), genuine_sum], axis=1)
        impostor_sum = np.cumsum(weights[:, impostor], axis=1)
        share = _ratio(impostor_sum, impostor_sum[:, -1:])
        usable = impostor_sum[:, -1] > 0
        columns = []
        for far in fars:
            passed = above[(share <= far).sum(axis=1)]
            tar = _ratio(np.take_along_axis(genuine_sum, passed[:, None], axis=1)[:, 0], genuine_sum[:, -1])
            columns.append(np.where(usable, tar, np.nan))
        parts.append(np.stack(columns, axis=1) if columns else np.empty((len(weights), 0)))
    return np.concatenate(parts)


def tar_at_far_intervals(
    scores: npt.ArrayLike,
    issame: npt.ArrayLike,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    fars: Sequence[float],
    *,
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Interval of the TAR at each FAR; arguments and errors as `tar_at_far_replicates`.

    The percentiles of the replicates, widened where `rate_interval` of the genuine pairs at the set's own
    threshold reaches further (few or no errors). 0..1 if no replicate holds pairs of both kinds.
    """
    tail = (1.0 - _checked(confidence)) / 2
    drawn = tar_at_far_replicates(scores, issame, left, right, fars, replicates=replicates, seed=seed)
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    if len(drawn) == 0:
        return (Interval(0.0, 1.0),) * len(fars)
    s, same = np.asarray(scores, np.float64), np.asarray(issame, np.bool_)
    lefts, rights = np.asarray(left)[same], np.asarray(right)[same]
    intervals = []
    for far, column in zip(fars, drawn.T, strict=True):
        accepted = s[same] >= threshold_at_far(s[~same], far)
        fixed = rate_interval(
            accepted, lefts, rights, confidence=confidence, replicates=replicates, seed=seed
        )
        low, high = np.quantile(column, [tail, 1.0 - tail])
        intervals.append(Interval(min(float(low), fixed.low), max(float(high), fixed.high)))
    return tuple(intervals)


def numbered_people(left: npt.ArrayLike, right: npt.ArrayLike, pairs: int) -> Ints:
    """(2, pairs): the people of each pair, renumbered 0, 1, ... without gaps."""
    both = np.stack([np.asarray(left).ravel(), np.asarray(right).ravel()]) if pairs else np.empty((2, 0))
    if both.shape != (2, pairs) or pairs == 0:
        raise InputError(f"people: wanted two for each of {pairs} pairs (at least one), got {both.shape}")
    return np.unique(both, return_inverse=True)[1].reshape(2, pairs).astype(np.int64)


def pair_weights(people: Ints, replicates: int, seed: int) -> Iterator[Doubles]:
    """(some replicates, pairs) at a time: how often each pair counts in each replicate."""
    if replicates < 1:
        raise UsageError(f"replicates: wanted at least 1, got {replicates}")
    random = np.random.default_rng(seed)
    persons, pairs = int(people.max()) + 1, people.shape[1]
    at_once = max(1, _CELLS_AT_ONCE // max(persons, pairs))
    of_two = people[0] != people[1]
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = random.integers(0, persons, (rows, persons)) + persons * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * persons).reshape(rows, persons).astype(np.float64)
        weights = times[:, people[0]]
        weights[:, of_two] *= times[:, people[1, of_two]]
        yield weights


def excess_variance(deviations: Doubles, people: Ints) -> float:
    """What the product of multiplicities adds to the variance of a rate beyond what it should."""
    a, b = people.min(axis=0), people.max(axis=0)
    couple = (a * (int(people.max()) + 1) + b)[a != b]
    sums = np.bincount(np.unique(couple, return_inverse=True)[1], weights=deviations[a != b])
    return 2.0 * float(np.square(sums).sum()) / len(deviations) ** 2


def independent_pairs(people: Ints) -> int:
    seen: set[int] = set()
    picked = 0
    for a, b in people.T.tolist():
        if a not in seen and b not in seen:
            seen.update((a, b))
            picked += 1
    return picked


def _ratio(part: Doubles, whole: Doubles) -> Doubles:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _checked(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"confidence: wanted a share between 0 and 1, got {confidence}")
    return confidence
