"""How often people who resemble each other are taken for one.

Who resembles whom is chosen by another network than the one measured: each person is paired with the one
whose mean vector is nearest. One neighbour is the strictest choice, and each pair of people counts alike,
however many pictures it has. By Doddington's rule a share is measured where 30 pairs of people are expected
above and 30 below it. Intervals: people drawn with replacement; a pair counts as often as both were drawn.
"""

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.decision.calibration import RULE_OF_30, Alike, RateRow
from multiface.decision.rounding import rounded

LEVELS = 60
"""Thresholds measured, at equal steps of the logarithm of the odds."""
BOOTSTRAPS = 200


def nearest_pairs(embeddings: Floats, person: Ints) -> Ints:
    """(pairs, 2): each person 0..m-1 and the one of the nearest mean vector, each pair once, lower first."""
    sums = np.zeros((int(person.max()) + 1, embeddings.shape[1]), np.float32)
    np.add.at(sums, person, embeddings)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    similarities = means @ means.T
    np.fill_diagonal(similarities, -np.inf)
    pairs = np.stack([np.arange(len(means)), similarities.argmax(axis=1)], axis=1)
    unique: Ints = np.unique(np.sort(pairs, axis=1), axis=0)
    return unique


def alike_rates(
    embeddings: Floats, person: Ints, chooser: Floats, chosen_by: str, rng: np.random.Generator
) -> Alike | None:
    """The false-match curve of unit embeddings (n, d) over the pairs that `chooser` (n, e) chose.

    person: (n,), 0..m-1, all in use. None where there are fewer than 61 pairs: no share could be measured.
    """
    pairs = nearest_pairs(chooser, person)
    if len(pairs) <= 2 * RULE_OF_30:
        return None
    order = np.argsort(person, kind="stable")
    pictures = np.split(order, np.cumsum(np.bincount(person))[:-1])
    between = [(embeddings[pictures[a]] @ embeddings[pictures[b]].T).ravel() for a, b in pairs]
    values = np.concatenate(between).astype(np.float64)
    weight = np.repeat([1 / len(own) / len(pairs) for own in between], [len(own) for own in between])
    falling = np.argsort(-values)
    running = np.cumsum(weight[falling])
    least = RULE_OF_30 / len(pairs)
    odds = np.linspace(np.log((1 - least) / least), np.log(least / (1 - least)), LEVELS)
    places = np.minimum(np.searchsorted(running, 1 / (1 + np.exp(-odds)) - 1e-9), len(values) - 1)
    thresholds = np.unique(np.floor(values[falling[places]] * 1e6)) / 1e6
    above = np.array([[(own >= threshold).mean() for threshold in thresholds] for own in between])
    count = int(person.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAPS)
    times = drawn[:, pairs[:, 0]] * drawn[:, pairs[:, 1]]
    low, high = np.quantile(times @ above / times.sum(axis=1)[:, None], [0.025, 0.975], axis=0)
    rates = above.mean(axis=0)
    inside = (rates >= least) & (rates <= 1 - least)
    rows = tuple(
        RateRow(rounded(rates[k]), float(thresholds[k]), rounded(low[k]), rounded(high[k]))
        for k in np.flatnonzero(inside)
    )
    return Alike(chosen_by, len(pairs), rows) if rows else None
