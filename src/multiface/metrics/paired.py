"""The difference of two rates that were measured on the same pairs, once or in several runs each, with its interval.

Outcomes are true or false for each pair (decided rightly, accepted). Two sources of chance: the people of the set, who
are in both rates, so that a set that happens to be hard hardly moves the difference; and the runs (seeds), of which
number k of the first goes with number k of the second (same seed, same noise).

The variance is the sum of two. That over the people is of a bootstrap of people (as `intervals` says, and less what the
product of multiplicities adds). That over the runs is the variance of their differences by their number. What is of a
pair in a run alone is in both, and is taken off once: the bootstrap variance of each run's deviation from the mean of
the runs, by n - 1. (Bootstrapping runs and people together would count it twice or more: Owen, "The pigeonhole
bootstrap", 2007.) The interval is the difference +- t times the root, with Satterthwaite's degrees of freedom ("An
approximate distribution of estimates of variance components", 1946): runs - 1 and people - 1 for the two.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from multiface.arrays import Doubles
from multiface.errors import InputError, UsageError
from multiface.metrics.intervals import (
    Interval,
    excess_variance,
    independent_pairs,
    numbered_people,
    pair_weights,
    wilson,
)

POWER = 0.8


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """difference: first rate less second, -1..1; positive: the first is higher. interval: of it. deviation: its
    standard error. detectable: a true difference as large as this would have an interval without 0 in 80 of 100 such
    measurements. runs: of each.
    """

    difference: float
    interval: Interval
    deviation: float
    detectable: float
    runs: int


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """The difference of two rates on the same pairs (the head of this file says how).

    first, second: bool (n,), or (runs, n). left, right: int (n,), the two people of each pair; equal for a genuine
        pair.
    With one run each, the interval knows of the people alone. Where the outcomes never differ it is as wide as
    Wilson's for no event among the pairs that share nobody.
    Raises InputError for shapes that do not agree, UsageError for replicates < 1 or a confidence outside (0, 1).
    """
    a, b = np.atleast_2d(np.asarray(first, np.bool_)), np.atleast_2d(np.asarray(second, np.bool_))
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise InputError(f"paired difference: outcomes of shapes {a.shape} and {b.shape} do not go together")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence: wanted a share between 0 and 1, got {confidence}")
    if np.shape(left) != a.shape[1:] or np.shape(right) != a.shape[1:]:
        raise InputError(f"paired difference: wanted two people for each of {a.shape[1]} pairs")
    people = numbered_people(left, right, a.shape[1])
    differences = a.astype(np.float64) - b  # (runs, n)
    runs = len(differences)
    of_runs = differences.mean(axis=1)
    difference = float(of_runs.mean())
    if not differences.any():
        half = wilson(0, independent_pairs(people), confidence).high
        return PairedDifference(0.0, Interval(-half, half), half / 2, half, runs)

    drawn = []  # (some replicates, runs): the difference of each run
    for weights in pair_weights(people, replicates, seed):
        total = weights.sum(axis=1, keepdims=True)
        drawn.append(weights @ differences.T / np.where(total > 0, total, np.nan))
    mean = differences.mean(axis=0)
    own = differences - mean - (of_runs - difference)[:, None]  # of a pair in a run alone
    excess = excess_variance(mean - difference, people)
    excess_of_own = float(np.mean([excess_variance(one, people) for one in own])) if runs > 1 else 0.0
    least = float(mean.var()) / len(mean)  # of independent pairs; less is luck
    rates = np.concatenate(drawn)
    return _combined(of_runs, rates, excess, excess_of_own, least, int(people.max()), confidence)


def difference_of_replicates(
    values: npt.ArrayLike, replicates: npt.ArrayLike, people: int, *, confidence: float = 0.95
) -> PairedDifference:
    """The same for any figure that can be made of a replicate of the people, such as a TAR with its own threshold.

    values: (runs,), the differences of the figure, first less second. replicates: (r, runs), the same in each replicate
    of the people, the same one for all runs and both figures; NaN where a figure cannot be made. people: in the set.
    The product of multiplicities is not taken off, so the interval is rather too wide.
    Raises InputError for shapes that do not agree.
    """
    of_runs, rates = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    if of_runs.ndim != 1 or not of_runs.size or rates.shape[1:] != of_runs.shape:
        raise InputError(f"differences of shapes {of_runs.shape} and {rates.shape} do not go together")
    return _combined(of_runs, rates, 0.0, 0.0, 0.0, people - 1, confidence)


def _combined(
    of_runs: Doubles,
    rates: Doubles,
    excess: float,
    excess_of_own: float,
    least: float,
    people_freedom: int,
    confidence: float,
) -> PairedDifference:
    """of_runs: (runs,). rates: (replicates, runs). excess: to be taken off the variance over people of the mean of the
    runs, excess_of_own off that of a run's deviation from it. least: the variance is no less.
    """
    runs, difference = len(of_runs), float(of_runs.mean())
    of_people = float(np.nanvar(rates.mean(axis=1))) - excess
    of_seeds = in_both = 0.0
    if runs > 1:
        of_seeds = float(of_runs.var(ddof=1)) / runs
        own = np.nanvar(rates - rates.mean(axis=1, keepdims=True), axis=0)
        in_both = (float(own.mean()) - excess_of_own) / (runs - 1)
    variance = max(max(of_people - max(in_both, 0.0), 0.0) + of_seeds, least)
    freedom = _freedom(variance, of_seeds, runs - 1, people_freedom)
    deviation = math.sqrt(variance)
    t = t_quantile(0.5 + confidence / 2, freedom)
    interval = Interval(max(difference - t * deviation, -1.0), min(difference + t * deviation, 1.0))
    detectable = (t + t_quantile(POWER, freedom)) * deviation
    return PairedDifference(difference, interval, deviation, detectable, runs)


def t_quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t, for freedom >= 1, to 2 % (exact for 1 and 2).

    From 3 on the expansion of Abramowitz and Stegun, 26.7.5; between 1 and 3 a straight line in 1 / freedom.
    """
    if freedom >= 3:
        z = NormalDist().inv_cdf(share)
        terms = (
            z,
            (z**3 + z) / 4,
            (5 * z**5 + 16 * z**3 + 3 * z) / 96,
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        )
        return sum(term / freedom**power for power, term in enumerate(terms))
    two_sided = 2 * share - 1
    at = {
        1: math.tan(math.pi * two_sided / 2),
        2: two_sided * math.sqrt(2 / (1 - two_sided**2)),
        3: t_quantile(share, 3.0),
    }
    low = 1 if freedom < 2 else 2
    part = (1 / freedom - 1 / (low + 1)) / (1 / low - 1 / (low + 1))
    return part * at[low] + (1 - part) * at[low + 1]


def _freedom(variance: float, of_seeds: float, seeds: int, people: int) -> float:
    if seeds < 1:
        return float(max(people, 1))
    below = of_seeds**2 / seeds + max(variance - of_seeds, 0.0) ** 2 / max(people, 1)
    return max(1.0, variance**2 / below) if below > 0 else 1.0
