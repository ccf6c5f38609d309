"""Grouping unknown faces: the literal, slow formula gives the same; order plays no part; who cannot meet never does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.arrays import Floats, Ints
from multiface.decision import Calibration
from multiface.recognition import Recognizer
from multiface.recognition.grouping import Unknown, grouped

with Recognizer() as recognizer:
    CALIBRATION = recognizer.calibration
THRESHOLD = 0.45


def unit(vectors: np.ndarray) -> Floats:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some_faces(seed: int, people: int, most: int, noise: float, d: int = 16) -> Unknown:
    random = np.random.default_rng(seed)
    counts = random.integers(1, most + 1, people)
    centres = random.normal(size=(people, d))
    vectors = unit(
        np.repeat(unit(centres), counts, axis=0) + noise * unit(random.normal(size=(counts.sum(), d)))
    )
    moments = [frozenset((int(k),)) for k in random.integers(0, max(2, len(vectors) // 2), len(vectors))]
    by_hand = np.full(len(vectors), -1, np.int64)
    # Hand groups hold no two faces of one moment: nobody can say so.
    for group in range(int(random.integers(0, 3))):
        taken: set[int] = set()
        for k in random.permutation(len(vectors))[:3].tolist():
            if by_hand[k] < 0 and not moments[k] & taken:
                by_hand[k] = group
                taken |= set(map(int, moments[k]))  # type: ignore[arg-type]
    return Unknown(vectors, moments, by_hand)


def slowly(unknown: Unknown, calibration: Calibration, threshold: float) -> list[list[int]]:
    """The definition, word by word: of all pairs of groups that may be joined, join the one with the most to spare."""
    vectors = unknown.vectors.astype(np.float64)
    groups = [[k] for k in range(len(vectors))]
    for hand in sorted(set(unknown.by_hand.tolist()) - {-1}):
        own = np.flatnonzero(unknown.by_hand == hand).tolist()
        groups = [group for group in groups if group[0] not in own] + [own]
    near = unknown.vectors @ unknown.vectors.T >= threshold
    while True:
        best, pair = -1e-9, None
        for a, first in enumerate(groups):
            for b, second in enumerate(groups[:a]):
                hands = {int(unknown.by_hand[k]) for k in first + second} - {-1}
                moments_a = frozenset().union(*(unknown.moments[k] for k in first))
                moments_b = frozenset().union(*(unknown.moments[k] for k in second))
                if len(hands) > 1 or moments_a & moments_b or not near[np.ix_(first, second)].any():
                    continue
                means = vectors[first].mean(axis=0), vectors[second].mean(axis=0)
                lengths = [float(np.linalg.norm(mean)) for mean in means]
                rise = calibration.spread_rise * sum(1 - length for length in lengths)
                excess = float(means[0] @ means[1]) / (lengths[0] * lengths[1]) - threshold - rise
                if excess >= 0 and excess > best:
                    best, pair = excess, (a, b)
        if pair is None:
            return sorted(sorted(group) for group in groups)
        a, b = pair
        groups = [group for k, group in enumerate(groups) if k not in pair] + [groups[a] + groups[b]]


def as_lists(labels: Ints) -> list[list[int]]:
    return sorted(np.flatnonzero(labels == label).tolist() for label in np.unique(labels))


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 5), st.floats(0.2, 1.6))
@settings(max_examples=150, deadline=None)
def test_the_slow_formula_gives_the_same(seed: int, people: int, most: int, noise: float) -> None:
    unknown = some_faces(seed, people, most, noise)
    assert as_lists(grouped(unknown, CALIBRATION, THRESHOLD)) == slowly(unknown, CALIBRATION, THRESHOLD)


@given(st.integers(0, 10_000), st.floats(0.2, 1.6))
@settings(max_examples=60, deadline=None)
def test_order_plays_no_part(seed: int, noise: float) -> None:
    unknown = some_faces(seed, 6, 6, noise)
    order = np.random.default_rng(seed).permutation(len(unknown.vectors))
    shuffled = Unknown(unknown.vectors[order], [unknown.moments[k] for k in order], unknown.by_hand[order])
    back = [sorted(order[group].tolist()) for group in as_lists(grouped(shuffled, CALIBRATION, THRESHOLD))]
    assert sorted(back) == as_lists(grouped(unknown, CALIBRATION, THRESHOLD))


def test_faces_of_one_moment_never_meet() -> None:
    vectors = unit(np.ones((3, 8)) + 0.01 * np.eye(3, 8))
    free = Unknown(vectors, [frozenset()] * 3, np.full(3, -1))
    assert as_lists(grouped(free, CALIBRATION, 0.5)) == [[0, 1, 2]]
    one_photo = replace(free, moments=[frozenset((1,)), frozenset((1,)), frozenset((2,))])
    assert len(as_lists(grouped(one_photo, CALIBRATION, 0.5))) == 2


def test_groups_made_by_hand_stay() -> None:
    vectors = unit(np.eye(4, 8))
    alike = unit(np.ones((4, 8)))
    apart = Unknown(vectors, [frozenset()] * 4, np.array([5, 5, -1, -1]))
    assert as_lists(grouped(apart, CALIBRATION, 0.5)) == [[0, 1], [2], [3]]
    kept_apart = Unknown(alike, [frozenset()] * 4, np.array([5, 6, -1, -1]))
    labels = grouped(kept_apart, CALIBRATION, 0.5)
    assert labels[0] != labels[1] and len(set(labels.tolist())) == 2


def test_the_rise_with_the_spread_counts() -> None:
    """Two spread groups need more than two tight ones."""
    vectors = unit(np.array([[1, 0.45, 0, 0], [1, -0.45, 0, 0], [1, 0, 0.95, 0.2], [1, 0, 0.95, -0.2]]))
    unknown = Unknown(vectors, [frozenset()] * 4, np.array([0, 0, 1, 1]))
    free = replace(unknown, by_hand=np.array([0, 0, -1, -1]))
    flat = replace(CALIBRATION, spread_rise=0.0)
    steep = replace(CALIBRATION, spread_rise=2.0)
    least = float(np.max(vectors[:2] @ vectors[2:].T)) - 1e-3
    assert len(as_lists(grouped(free, flat, least))) == 1
    assert len(as_lists(grouped(free, steep, least))) > 1


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(count: int) -> None:
    unknown = Unknown(np.ones((count, 1), np.float32), [frozenset()] * count, np.full(count, -1))
    assert grouped(unknown, CALIBRATION, 0.5).tolist() == [0] * count
