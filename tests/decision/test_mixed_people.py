"""Groups within a person against a literal slow rule, and what must be found and left alone."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision import mixed_people as module
from multiface.decision.mixed_people import mixed_people
from tests.decision.test_calibration import CALIBRATION

LEAST = CALIBRATION.similarity_missed(0.05)


def unit(rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
    array = np.asarray(rows, np.float64)
    return (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)


def literal(vectors: npt.NDArray[np.float32], least: float) -> set[frozenset[int]]:
    """Average linkage by recomputing every mean from the pictures themselves."""
    groups = [frozenset([k]) for k in range(len(vectors))]
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    while len(groups) > 1:
        pairs = [
            (float(np.mean([cosines[i, j] for i in a for j in b])), a, b)
            for k, a in enumerate(groups)
            for b in groups[k + 1 :]
        ]
        best, a, b = max(pairs, key=lambda pair: pair[0])
        if best < least:
            break
        groups = [group for group in groups if group not in (a, b)] + [a | b]
    return set(groups)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_the_same_as_the_literal_rule(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(sum(sizes), 5)) + rng.choice([0.0, 1.0], (sum(sizes), 1)))
    first = np.cumsum([0, *sizes[:-1]])
    found = mixed_people(vectors, first, CALIBRATION, 0.05)
    assert found is not None and found[0] == LEAST
    named = {one.person: {frozenset(group) for group in one.groups} for one in found[1]}
    for person, own in enumerate(np.split(vectors, first[1:])):
        wanted = literal(own, found[0])
        assert named.get(person, {frozenset(range(len(own)))}) == wanted
    assert [one.similarity for one in found[1]] == sorted(one.similarity for one in found[1])
    assert all(one.similarity < found[0] for one in found[1])


def test_the_larger_group_is_the_person_and_the_similarity_is_between_the_groups() -> None:
    vectors = unit([[1, 0, 0], [0, 1, 0.1], [1, 0.1, 0], [0, 0, 1], [1, 0, 0.1]])
    found = mixed_people(vectors, np.array([0]), CALIBRATION, 0.05)
    assert found is not None
    (one,) = found[1]
    assert one.groups == ((0, 2, 4), (1,), (3,))
    between = max(
        float(np.mean(vectors[[0, 2, 4]] @ vectors[1])),
        float(np.mean(vectors[[0, 2, 4]] @ vectors[3])),
        float(vectors[1] @ vectors[3]),
    )
    assert one.similarity == pytest.approx(between, abs=1e-6)


def test_of_very_many_pictures_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PICTURES", 10)
    vectors = unit([[1, 0]] * 20 + [[0, 1]] * 20)
    found = mixed_people(vectors, np.array([0]), CALIBRATION, 0.05)
    assert found is not None
    (one,) = found[1]
    assert [len(group) for group in one.groups] == [5, 5]
    assert max(one.groups[0]) < 20 <= min(one.groups[1]) and one.groups[1][-1] == 39


def test_without_genuine_pairs_nothing_is_said() -> None:
    assert mixed_people(unit([[1, 0], [0, 1]]), np.array([0]), replace(CALIBRATION, fnmr=()), 0.05) is None
