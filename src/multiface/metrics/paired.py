"""The difference of two rates that were measured on the same pairs, once or in several runs each, with its interval.

Outcomes are true or false for each pair (decided rightly, accepted). Two sources of chance: the people of the set, who
are in both rates, so that a set that happens to be hard hardly moves the difference; and the runs (seeds), of which
number k of the first goes with number k of the second (same seed, same noise).

The variance is that of a bootstrap in which each replicate draws people (as `intervals` says, and less what the product
of multiplicities adds) and runs, each with replacement (Owen, "The pigeonhole bootstrap", 2007), with the runs' share
times n / (n - 1), since few runs vary too little among themselves. The interval is the difference +- t times its root,
with Satterthwaite's degrees of freedom ("An approximate distribution of estimates of variance components", 1946) of the
two shares: n - 1 for the runs, people - 1 for the people.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

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
    """difference: first rate less second, -1..1; positive: the first is higher. interval: of it. deviation: its standard
    error. detectable: a true difference as large as this would have an interval without 0 in 80 of 100 such
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

    first, second: bool (n,), or (runs, n). left, right: int (n,), the two people of each pair; equal for a genuine pair.
    With one run each, the interval knows of the people alone. Where the outcomes never differ it is as wide as
    Wilson's for no event among the pairs that share nobody.
    Raises InputError for shapes that do not agree, UsageError for replicates < 1 or a confidence outside (0, 1).
    """
    a, b = np.atleast_2d(np.asarray(first, np.bool_)), np.atleast_2d(np.asarray(second, np.bool_))
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise InputError(f"paired difference: outcomes of shapes {a.shape} and {b.shape} do not go together")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence: wanted a share between 0 and 1, got {confidence}")
    people = numbered_people(left, right, a.shape[1])
    differences = a.astype(np.float64) - b  # (runs, n)
    runs = len(differences)
    of_runs = differences.mean(axis=1)
    difference = float(of_runs.mean())
    if not differences.any():
        half = wilson(0, independent_pairs(people), confidence).high
        return PairedDifference(0.0, Interval(-half, half), half / 2, half, runs)

    drawn, over_people = [], []
    random = np.random.default_rng((seed, 1))
    for weights in pair_weights(people, replicates, seed):
        total = weights.sum(axis=1, keepdims=True)
        rates = weights @ differences.T / np.where(total > 0, total, np.nan)  # (replicates, runs)
        over_people.append(rates.mean(axis=1))
        picked = random.integers(0, runs, rates.shape)
        drawn.append(np.take_along_axis(rates, picked, axis=1).mean(axis=1))
    excess = excess_variance(differences.mean(axis=0) - difference, people)
    run_variance = float(of_runs.var(ddof=1)) / runs if runs > 1 else 0.0
    floor = _least_variance(differences)
    people_variance = max(float(np.nanvar(np.concatenate(over_people))) - excess, floor)
    both = float(np.nanvar(np.concatenate(drawn))) - excess + run_variance / runs
    variance = max(both, people_variance)
    freedom = _freedom(variance, people_variance, int(people.max()), run_variance, runs - 1)
    deviation = math.sqrt(variance)
    t = t_quantile(0.5 + confidence / 2, freedom)
    half = t * deviation
    interval = Interval(max(difference - half, -1.0), min(difference + half, 1.0))
    return PairedDifference(
        difference, interval, deviation, (t + t_quantile(POWER, freedom)) * deviation, runs
    )


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


def _least_variance(differences: npt.NDArray[np.float64]) -> float:
    """Of the mean difference if all pairs were independent: no dependence makes it less, but luck does."""
    mean = differences.mean(axis=0)
    return float(mean.var()) / len(mean)


def _freedom(variance: float, people: float, people_freedom: int, runs: float, runs_freedom: int) -> float:
    if runs_freedom < 1:
        return float(max(people_freedom, 1))
    of_runs = min(runs, variance)
    of_people = max(variance - of_runs, min(people, variance))
    below = of_runs**2 / runs_freedom + of_people**2 / max(people_freedom, 1)
    return max(1.0, variance**2 / below)
