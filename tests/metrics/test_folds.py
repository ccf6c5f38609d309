"""Ten-fold accuracy against the reference's recorded results, scikit-learn's KFold and the literal loops."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from multiface.errors import InputError, UsageError
from multiface.metrics.folds import (
    THRESHOLDS,
    fold_accuracy,
    fold_index,
    squared_distances,
)

GOLDEN_CASES = {"lfw600": 10, "ties600": 10, "uneven603": 10, "separable60": 10, "folds5": 5}


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "protocol.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def golden_json(shared: Path) -> dict:
    return json.loads((shared / "golden" / "protocol.json").read_text())


def distances_of(golden: dict[str, np.ndarray], case: str) -> np.ndarray:
    embeddings = golden[f"{case}.embeddings"].astype(np.float64)
    return np.square(embeddings[0::2] - embeddings[1::2]).sum(axis=1)


@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_reproduces_the_reference(case, golden, golden_json):
    distances = distances_of(golden, case)
    np.testing.assert_allclose(distances, golden[f"{case}.dist"], rtol=0, atol=1e-12)
    result = fold_accuracy(distances, golden[f"{case}.issame"], GOLDEN_CASES[case], THRESHOLDS)
    np.testing.assert_array_equal(THRESHOLDS, golden["thresholds"])
    np.testing.assert_array_equal(result.best_thresholds, golden[f"{case}.best_thresholds"])
    np.testing.assert_allclose(result.accuracy, golden[f"{case}.accuracy"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.tpr, golden[f"{case}.tpr"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.fpr, golden[f"{case}.fpr"], rtol=0, atol=1e-12)
    wanted = golden_json[case]
    assert result.mean == pytest.approx(wanted["accuracy_mean"], abs=1e-12)
    assert result.std == pytest.approx(wanted["accuracy_std"], abs=1e-12)
    assert result.best_thresholds.mean() == pytest.approx(wanted["best_threshold_mean"], abs=1e-12)


def test_too_few_labels_are_refused_as_in_the_reference(golden):
    with pytest.raises(InputError, match=r"\(200,\) and \(150,\)"):
        fold_accuracy(distances_of(golden, "short_issame"), golden["short_issame.issame"])


@given(st.integers(2, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))))
def test_folds_are_those_of_scikit_learn(sizes):
    pairs, folds = sizes
    mine = fold_index(pairs, folds)
    for number, (_, held_out) in enumerate(KFold(folds, shuffle=False).split(np.zeros(pairs))):
        np.testing.assert_array_equal(np.flatnonzero(mine == number), held_out)


def literal(distances, issame, folds, thresholds):
    """The protocol word by word, with loops."""
    accuracy, best, tprs, fprs = [], [], [], []
    correct = np.zeros(len(issame), bool)
    for train, test in KFold(folds, shuffle=False).split(distances):
        scores = [np.mean((distances[train] < t) == issame[train]) for t in thresholds]
        t = thresholds[int(np.argmax(scores))]
        best.append(t)
        correct[test] = (distances[test] < t) == issame[test]
        accuracy.append(correct[test].mean())
        same = issame[test]
        tprs.append([np.mean(distances[test][same] < t) if same.any() else 0.0 for t in thresholds])
        fprs.append([np.mean(distances[test][~same] < t) if (~same).any() else 0.0 for t in thresholds])
    return accuracy, best, np.mean(tprs, axis=0), np.mean(fprs, axis=0), correct


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_the_literal_loops(data):
    n = data.draw(st.integers(2, 30))
    folds = data.draw(st.integers(2, min(n, 6)))
    # Few distinct values, some of them thresholds: ties, and distances exactly on a threshold.
    distances = np.array(
        data.draw(st.lists(st.sampled_from([0, 0.5, 0.7, 1.0, 4.0]), min_size=n, max_size=n))
    )
    issame = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    thresholds = np.array([0.0, 0.5, 0.6, 1.0, 1.1])
    accuracy, best, tpr, fpr, correct = literal(distances, issame, folds, thresholds)
    for given_folds in (folds, fold_index(n, folds)):
        result = fold_accuracy(distances, issame, given_folds, thresholds)
        np.testing.assert_allclose(result.accuracy, accuracy, atol=1e-12)
        np.testing.assert_array_equal(result.best_thresholds, best)
        np.testing.assert_allclose(result.tpr, tpr, atol=1e-12)
        np.testing.assert_allclose(result.fpr, fpr, atol=1e-12)
        np.testing.assert_array_equal(result.correct, correct)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_without_thresholds_every_score_decides(data):
    """Against loops over all rules "accept up to this distance", the lowest of the best; with ties."""
    n = data.draw(st.integers(4, 30))
    values = st.sampled_from([0.0, 0.5, 0.5000001, 0.7, 1.0, 4.0]) | st.floats(0, 4)
    distances = np.array(data.draw(st.lists(values, min_size=n, max_size=n)))
    issame = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    accuracy = []
    for train, test in KFold(2, shuffle=False).split(distances):
        rules = [-1.0, *sorted(set(distances))]
        scores = [np.mean((distances[train] <= rule) == issame[train]) for rule in rules]
        best = rules[int(np.argmax(scores))]
        accuracy.append(np.mean((distances[test] <= best) == issame[test]))
    np.testing.assert_allclose(fold_accuracy(distances, issame, 2).accuracy, accuracy, atol=1e-12)


def test_a_grid_misses_what_scores_separate():
    distances, issame = np.array([1.001, 1.003] * 10), np.array([True, False] * 10)
    assert fold_accuracy(distances, issame, 2).mean == 1.0
    assert fold_accuracy(distances, issame, 2, THRESHOLDS).mean == 0.5


def test_given_folds_need_not_be_runs():
    random = np.random.default_rng(5)
    distances, issame = random.uniform(0, 4, 60), random.random(60) < 0.5
    order = random.permutation(60)
    plain = fold_accuracy(distances, issame, 6)
    mixed = fold_accuracy(distances[order], issame[order], fold_index(60, 6)[order])
    np.testing.assert_array_equal(mixed.accuracy, plain.accuracy)
    np.testing.assert_array_equal(mixed.correct, plain.correct[order])


def test_a_pair_exactly_on_the_threshold_is_refused():
    result = fold_accuracy([1.0, 1.0], [True, True], 2, thresholds=[1.0])
    np.testing.assert_array_equal(result.accuracy, [0.0, 0.0])


def test_squared_distances_are_those_of_unit_vectors():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 20, 8))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    np.testing.assert_allclose(squared_distances((a * b).sum(1)), np.square(a - b).sum(1), atol=1e-12)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UsageError, match="wanted 2 to 3"):
        fold_accuracy([1.0, 2.0, 3.0], [True, False, True], 4)
    with pytest.raises(UsageError, match="wanted 2 to 3"):
        fold_accuracy([1.0, 2.0, 3.0], [True, False, True], 1)
    with pytest.raises(UsageError, match="ascending"):
        fold_accuracy([1.0, 2.0], [True, False], 2, thresholds=[1.0, 0.5])
    with pytest.raises(InputError, match="1 of 2 distances"):
        fold_accuracy([1.0, float("nan")], [True, False], 2)
    for folds in ([0, 2], [0, 0], [-1, 0], [0.0, 1.0], [0, 1, 0]):
        with pytest.raises(InputError, match="folds"):
            fold_accuracy([1.0, 2.0], [True, False], folds)
    with pytest.raises(InputError, match="folds"):
        fold_accuracy([], [], np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="read-only"):
        THRESHOLDS[0] = 1.0
