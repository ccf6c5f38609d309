"""Exact search in memory: cosines of probes against every template, one score per person.

Letters: q probes, t templates, p people, d numbers in a vector. Vectors are float32 of unit length, so
that a dot product is a cosine, -1..1. Rules: "max" is the highest cosine to a template of the person,
"mean" the cosine to the person's mean vector scaled to unit length, "both" the mean of these two.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from multiface.arrays import Floats, Indices
from multiface.gallery.matrix import Matrix

Rule = Literal["mean", "max", "both"]

_LARGEST_BLOCK = 1 << 22
"""Cosines held at once, 16 MiB of them, unless a single probe already has more."""


@dataclass(frozen=True, slots=True, eq=False)
class TopTwo:
    """The best and the second-best person for each of q probes.

    best, runner_up: (q,) positions in `Matrix.names`; -1 where there is no such person.
    best_score, runner_up_score: float32 (q,); minus infinity where there is no such person.
    Of equal scores the lower position comes first.
    """

    best: Indices
    best_score: Floats
    runner_up: Indices
    runner_up_score: Floats


def score_people(probes: Floats, matrix: Matrix, rule: Rule) -> Floats:
    """Score everybody: float32 (q, d) probes of unit length -> float32 (q, p) in -1..1.

    Memory beside the result is bounded by a block of cosines. Raises ValueError if the lengths of
    vectors differ.
    """
    if probes.ndim != 2 or probes.shape[1] != matrix.vectors.shape[1]:
        raise ValueError(f"probes {probes.shape} do not fit vectors of length {matrix.vectors.shape[1]}")
    scores = np.empty((len(probes), len(matrix.names)), np.float32)
    if scores.size == 0:
        return scores
    match rule:
        case "mean":
            np.matmul(probes, matrix.centres.T, out=scores)
        case "max":
            _highest(probes, matrix, scores)
        case "both":
            _highest(probes, matrix, scores)
            rows = max(1, _LARGEST_BLOCK // len(matrix.names))
            for at in range(0, len(probes), rows):
                scores[at : at + rows] += probes[at : at + rows] @ matrix.centres.T
            scores *= np.float32(0.5)
        case _:
            assert_never(rule)
    return np.clip(scores, -1.0, 1.0, out=scores)


def top_two(scores: Floats) -> TopTwo:
    """The best and second-best column of each row: float32 (q, p) -> q of each."""
    count, people = scores.shape
    rows = np.arange(count)
    best = np.full(count, -1, np.intp)
    runner_up = np.full(count, -1, np.intp)
    best_score = np.full(count, -np.inf, np.float32)
    runner_up_score = np.full(count, -np.inf, np.float32)
    if people:
        best = scores.argmax(axis=1)
        best_score = scores[rows, best]
    if people > 1:
        rest = scores.copy()
        rest[rows, best] = -np.inf
        runner_up = rest.argmax(axis=1)
        runner_up_score = rest[rows, runner_up]
    return TopTwo(best, best_score, runner_up, runner_up_score)


def _highest(probes: Floats, matrix: Matrix, scores: Floats) -> None:
    """Each person's highest cosine into `scores` (q, p), a block of probes at a time."""
    rows = max(1, _LARGEST_BLOCK // len(matrix.vectors))
    for at in range(0, len(probes), rows):
        cosines = probes[at : at + rows] @ matrix.vectors.T  # (rows, t)
        np.maximum.reduceat(cosines, matrix.first, axis=1, out=scores[at : at + rows])
