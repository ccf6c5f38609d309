"""Search against literal loops."""

import tracemalloc
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.arrays import Floats
from multiface.gallery.matrix import Matrix
from multiface.gallery.search import Rule, score_people, top_two


def unit(rng: np.random.Generator, rows: int, d: int) -> Floats:
    vectors = rng.normal(size=(rows, d)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def make(counts: list[int], d: int, rng: np.random.Generator) -> Matrix:
    index = np.repeat(np.arange(len(counts)), counts)
    return Matrix(unit(rng, len(index), d), index, tuple(f"p{i}" for i in range(len(counts))))


def slow_score(probe: Floats, templates: list[Floats], rule: Rule) -> float:
    cosines = [sum(float(a) * float(b) for a, b in zip(probe, t, strict=True)) for t in templates]
    mean = [sum(float(t[k]) for t in templates) / len(templates) for k in range(len(probe))]
    length = sum(x * x for x in mean) ** 0.5
    to_mean = sum(float(a) * b / length for a, b in zip(probe, mean, strict=True))
    match rule:
        case "max":
            return max(cosines)
        case "mean":
            return float(to_mean)
        case "both":
            return float(max(cosines) + to_mean) / 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=7),
    st.integers(2, 9),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
    st.sampled_from(get_args(Rule)),
)
def test_scores_are_those_of_the_loops(counts: list[int], d: int, q: int, seed: int, rule: Rule) -> None:
    rng = np.random.default_rng(seed)
    matrix = make(counts, d, rng)
    probes = unit(rng, q, d)
    scores = score_people(probes, matrix, rule)
    assert scores.shape == (q, len(counts)) and scores.dtype == np.float32
    for i in range(q):
        for p in range(len(counts)):
            own = [matrix.vectors[t] for t in range(sum(counts)) if matrix.person_index[t] == p]
            assert scores[i, p] == pytest.approx(slow_score(probes[i], own, rule), abs=2e-5)


@pytest.mark.parametrize("rule", get_args(Rule))
def test_blocks_do_not_change_scores(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    matrix, probes = make([3, 1, 4, 1, 5], 16, rng), unit(rng, 23, 16)
    whole = score_people(probes, matrix, rule)
    monkeypatch.setattr("multiface.gallery.search._LARGEST_BLOCK", 40)
    np.testing.assert_allclose(score_people(probes, matrix, rule), whole, atol=1e-6)


def test_a_template_meets_itself_at_one_and_not_above() -> None:
    matrix = make([1] * 50, 128, np.random.default_rng(2))
    scores = score_people(np.array(matrix.vectors), matrix, "both")
    assert scores.max() <= 1.0
    np.testing.assert_allclose(np.diag(scores), 1.0, atol=1e-6)


def test_opposite_templates_have_no_mean() -> None:
    vector = np.array([[1, 0], [-1, 0]], np.float32)
    matrix = Matrix(vector, np.array([0, 0]), ("a",))
    assert score_people(vector, matrix, "mean").tolist() == [[0], [0]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_top_two_is_a_sort(p: int, q: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(-3, 3, (q, p)).astype(np.float32)  # many ties
    top = top_two(scores)
    for row in range(q):
        order = sorted(range(p), key=lambda column: (-scores[row, column], column))
        wanted = [(column, scores[row, column]) for column in order[:2]]
        wanted += [(-1, -np.inf)] * (2 - len(wanted))
        assert [
            (top.best[row], top.best_score[row]),
            (top.runner_up[row], top.runner_up_score[row]),
        ] == wanted


def test_nobody_gives_no_scores() -> None:
    matrix = Matrix(np.zeros((0, 8), np.float32), np.zeros(0, np.intp), ())
    assert score_people(np.zeros((3, 8), np.float32), matrix, "both").shape == (3, 0)


@pytest.mark.parametrize("index", [[0, 1, 0], [1, 1, 2], [0, 2, 2], [0, 0, 0], [0, 1]])
def test_a_wrong_index_is_refused(index: list[int]) -> None:
    with pytest.raises(ValueError, match="person_index"):
        Matrix(np.zeros((3, 4), np.float32), np.array(index), ("a", "b"))


def test_the_arrays_cannot_be_changed() -> None:
    mine = unit(np.random.default_rng(0), 2, 4)
    matrix = Matrix(mine, np.array([0, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="read-only"):
        matrix.vectors[0] = 0
    mine[0] = 0  # the caller's own array stays the caller's


def test_memory_is_bounded() -> None:
    rng = np.random.default_rng(3)
    matrix, probes = make([1] * 20_000, 8, rng), unit(rng, 1500, 8)  # all cosines at once: 120 MB
    for rule in get_args(Rule):
        tracemalloc.start()
        scores = score_people(probes, matrix, rule)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - scores.nbytes < 40e6


def test_spread_is_one_minus_the_length_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(7, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    index = np.array([0, 1, 1, 2, 2, 2, 2])
    matrix = Matrix(vectors, index, ("a", "b", "c"))
    for person in range(3):
        mean = vectors[index == person].astype(float).mean(axis=0)
        assert abs(matrix.spread[person] - (1 - np.linalg.norm(mean))) < 1e-6
    assert matrix.spread[0] < 1e-6 and not matrix.spread.flags.writeable


@pytest.mark.parametrize("length", [7, 9])
def test_probes_of_another_length_are_refused(length: int) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="do not fit vectors of length 8"):
        score_people(unit(rng, 2, length), make([1, 2], 8, rng), "mean")
