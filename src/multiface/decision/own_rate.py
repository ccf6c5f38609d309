"""The identification threshold that the people of one gallery need.

A calibration speaks of people at large. People who resemble each other are confused more often, and a gallery shows
how alike its people are: each enrolled picture is compared with the mean vectors of the other people, as a
stranger would be (leave one out), and the highest similarity is kept. These maxima, the pictures of one person
together counting once, estimate the wanted threshold in two ways:

- by their 75 % quantile: as far as it lies above the calibration's own at the same number of people, the
  threshold rises;
- with 50 people and more also by their tail: exponential above the 80 % quantile, extrapolated to the wanted
  rate. The mean of both is taken.

With few people the estimate is noisy, so only n / (n + 8) of the shift is taken. The threshold never falls below the
calibrated one: enrolled pictures are often better than those of strangers. Measured with random galleries of 100
people at 1 %: where it may fall, one gallery in ten sees more than 2 %, where it may not, more than 1.2 %; the misses
differ by less than 0.05 %. benchmarks/rates.py measures stated rates against seen ones.
"""

import math
from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles, Floats, Indices
from multiface.decision.calibration import Calibration

LEAST_PEOPLE = 3
TAIL_PEOPLE = 50
"""From here on the tail is fitted."""
SHRINK = 8
BODY_RATE = 0.25
TAIL_RATE = 0.2
MOST_COSINES = 1 << 26
"""Computed for one gallery, about half a second; a larger gallery is judged by the pictures of some of its people."""
_BLOCK = 1 << 22
"""Cosines held at once: 16 MiB."""


@dataclass(frozen=True, slots=True)
class OwnRate:
    """The threshold of one gallery for one false-positive identification rate.

    similarity: the threshold in this gallery, calibrated + shift, at most 1. shift: 0 or more. calibrated: among
    people at large. people: enrolled. alike: positions of the two people who are taken for each other first;
    alike_similarity: the cosine of a picture of the first to the mean of the second; both None below 3 people, where
    nothing shifts.
    """

    similarity: float
    calibrated: float
    shift: float
    people: int
    alike: tuple[int, int] | None
    alike_similarity: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Maxima:
    """Of n pictures: the person (n,), the highest of similarity - rise to another person (n,), who that is (n,)."""

    person: Indices
    value: Doubles
    other: Indices


def own_rate(
    vectors: Floats,
    person: Indices,
    centres: Floats,
    spread: Floats,
    calibration: Calibration,
    rate: float,
) -> OwnRate:
    """The threshold for a gallery of p people with t templates.

    vectors: (t, d), unit length. person: (t,), rising from 0 to p - 1. centres: (p, d), each person's mean at unit
    length. spread: (p,), as `Calibration.rise` takes it. p is at least 1. rate: FPIR, above 0 and below 1.

    Raises UsageError, RateNotSupported as `Calibration.threshold_for_identify`.
    """
    people = len(centres)
    calibrated = calibration.threshold_for_identify(rate, people).similarity
    if people < LEAST_PEOPLE:
        return OwnRate(calibrated, calibrated, 0.0, people, None, None)
    rise = calibration.rise(spread)
    maxima = _maxima(vectors, person, centres, rise)
    weight = 1.0 / np.bincount(maxima.person, minlength=people)[maxima.person]
    at_large = calibration.threshold_for_identify(BODY_RATE, people - 1).similarity
    shift = _upper_quantile(maxima.value, weight, BODY_RATE) - at_large
    if people >= TAIL_PEOPLE and rate < TAIL_RATE:
        shift = (shift + _tail(maxima.value, weight, rate) - calibrated) / 2
    similarity = min(1.0, calibrated + max(0.0, shift * people / (people + SHRINK)))
    first = int(np.argmax(maxima.value))
    pair = int(maxima.person[first]), int(maxima.other[first])
    cosine = float(maxima.value[first]) + float(rise[pair[1]])
    return OwnRate(similarity, calibrated, similarity - calibrated, people, pair, cosine)


def _maxima(vectors: Floats, person: Indices, centres: Floats, rise: Floats) -> _Maxima:
    rows = _sampled(person, len(centres))
    value = np.empty(len(rows))
    other = np.empty(len(rows), np.intp)
    step = max(1, _BLOCK // len(centres))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        scores = vectors[block] @ centres.T - rise
        scores[np.arange(len(block)), person[block]] = -np.inf
        best = scores.argmax(axis=1)
        other[start : start + step] = best
        value[start : start + step] = scores[np.arange(len(block)), best]
    return _Maxima(person[rows], value, other)


def _sampled(person: Indices, people: int) -> Indices:
    """Positions of the pictures to compare: all, or those of people drawn with a fixed seed."""
    most = max(1, MOST_COSINES // people)
    if len(person) <= most:
        return np.arange(len(person), dtype=np.intp)
    pictures = np.bincount(person, minlength=people)
    order = np.random.default_rng(0).permutation(people)
    enough = int(np.searchsorted(np.cumsum(pictures[order]), most)) + 1
    drawn = np.zeros(people, np.bool_)
    drawn[order[:enough]] = True
    return np.flatnonzero(drawn[person])


def _upper_quantile(values: Doubles, weight: Doubles, share: float) -> float:
    """The value that this share of the weight lies above: linear between the middles of the sorted weights."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weight[order])
    return float(np.interp(1 - share, (running - weight[order] / 2) / running[-1], values[order]))


def _tail(values: Doubles, weight: Doubles, rate: float) -> float:
    """The value that `rate` of the weight lies above, by an exponential tail above the 80 % quantile."""
    start = _upper_quantile(values, weight, TAIL_RATE)
    # Divided by the share that is meant, not by that found above: a value at the quantile itself changes nothing.
    excess = float(weight @ np.maximum(values - start, 0.0)) / (TAIL_RATE * float(weight.sum()))
    return start + excess * math.log(TAIL_RATE / rate)
