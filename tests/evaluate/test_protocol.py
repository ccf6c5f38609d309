"""The protocol on the reference's recorded pairs, on the real LFW list, and against its parts written out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from multiface.datasets.lfw import read_pairs
from multiface.errors import DataSetError, InputError, UsageError
from multiface.evaluate.protocol import PairSet, evaluate_pairs, score_pairs
from multiface.metrics.folds import THRESHOLDS, fold_accuracy


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def lfw(shared: Path) -> PairSet:
    return PairSet.from_lfw(read_pairs(shared / "data" / "lfw" / "pairs.txt"))


@pytest.fixture(scope="module")
def lfw_scores(shared: Path, lfw: PairSet) -> np.ndarray:
    """Similarities of a made-up embedder: a random direction for each person, noise for each picture."""
    pairs = read_pairs(shared / "data" / "lfw" / "pairs.txt")
    random = np.random.default_rng(0)
    directions = dict(zip(pairs.people, unit(random.normal(size=(len(pairs.people), 64))), strict=True))
    centres = np.stack([directions[name] for name, _ in pairs.pictures])
    return score_pairs(unit(centres + 0.11 * random.normal(size=centres.shape)), lfw)


@pytest.mark.parametrize("case", ["lfw600", "ties600", "uneven603"])
def test_a_pack_reproduces_the_reference(shared, case):
    with np.load(shared / "golden" / "protocol.npz") as golden:
        embeddings, issame = golden[f"{case}.embeddings"], golden[f"{case}.issame"]
        distances = golden[f"{case}.dist"]
    wanted = json.loads((shared / "golden" / "protocol.json").read_text())[case]
    pairs = PairSet.from_pack(case, issame)
    similarities = score_pairs(embeddings, pairs)
    np.testing.assert_allclose(2 - 2 * similarities, distances, rtol=0, atol=1e-12)
    result = evaluate_pairs(similarities, pairs, replicates=50)
    grid = fold_accuracy(distances, issame, pairs.fold, THRESHOLDS)
    assert grid.mean == pytest.approx(wanted["accuracy_mean"], abs=1e-12)
    assert grid.std == pytest.approx(wanted["accuracy_std"], abs=1e-12)
    assert grid.best_thresholds.mean() == pytest.approx(wanted["best_threshold_mean"], abs=1e-12)
    # Ours tries every score as a threshold, not the grid of the reference.
    assert result.accuracy == pytest.approx(accuracy_by_hand(distances, issame, pairs.fold), abs=1e-12)
    assert (result.name, result.pairs, result.people) == (case, len(issame), None)
    assert result.genuine == issame.sum()
    assert result.impostor == (~issame).sum()
    assert result.auc == pytest.approx(roc_auc_score(issame, -distances), abs=1e-12)


def accuracy_by_hand(distances: np.ndarray, issame: np.ndarray, fold: np.ndarray) -> float:
    """The protocol with a threshold between any two neighbouring distances, the lowest best one taken."""
    known = np.unique(distances)
    cuts = [known[0] / 2, *(known[1:] + known[:-1]) / 2, known[-1] + 1]
    right = np.array([(distances < cut) == issame for cut in cuts])
    shares = []
    for k in range(fold.max() + 1):
        best = right[:, fold != k].sum(axis=1).argmax()
        shares.append(right[best, fold == k].mean())
    return float(np.mean(shares))


def test_lfw_keeps_its_folds_and_people(lfw):
    assert (lfw.name, len(lfw)) == ("lfw", 6000)
    np.testing.assert_array_equal(lfw.fold, np.arange(6000) // 600)
    np.testing.assert_array_equal(lfw.left_subject == lfw.right_subject, lfw.issame)


def test_scores_are_the_cosines(lfw):
    random = np.random.default_rng(2)
    embeddings = unit(random.normal(size=(7701, 16)))
    found = score_pairs(embeddings, lfw)
    wanted = [
        float(embeddings[a].astype(float) @ embeddings[b]) for a, b in zip(lfw.left, lfw.right, strict=True)
    ]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_figures_of_lfw_are_those_written_out(lfw, lfw_scores):
    result = evaluate_pairs(lfw_scores, lfw)
    genuine, impostor = lfw_scores[lfw.issame], lfw_scores[~lfw.issame]
    assert (result.pairs, result.genuine, result.impostor, result.people) == (6000, 3000, 3000, 4281)
    assert 0.9 < result.accuracy < 1.0
    assert result.accuracy_interval.low < result.accuracy < result.accuracy_interval.high
    assert result.auc == pytest.approx(roc_auc_score(lfw.issame, lfw_scores), abs=1e-12)
    at_percent, at_permille = result.tar_at_far
    for rate, passed in ((at_percent, 30), (at_permille, 3)):
        first_refused = np.sort(impostor)[-(passed + 1)]
        assert rate.tar == np.mean(genuine > first_refused)
        assert rate.fmr == passed / 3000
        assert rate.interval.low <= rate.tar <= rate.interval.high
        assert rate.expected_false_matches == pytest.approx(passed)
    assert (at_percent.far, at_percent.supported) == (0.01, True)
    assert (at_permille.far, at_permille.supported) == (0.001, False)  # three false matches: too few
    wide, narrow = at_permille.interval, at_percent.interval
    assert wide.high - wide.low > narrow.high - narrow.low


def test_the_people_widen_the_interval(lfw):
    # All errors on few people: taking pairs as independent would promise too much.
    order = np.argsort(lfw.left_subject, kind="stable")
    genuine = order[lfw.issame[order]]
    scores = np.where(lfw.issame, 0.9, -0.1)
    scores[genuine[:300]] = -0.5
    known = evaluate_pairs(scores, lfw).accuracy_interval
    unknown = evaluate_pairs(scores, replace(lfw, left_subject=None, right_subject=None)).accuracy_interval
    assert known.high - known.low > 1.1 * (unknown.high - unknown.low)
    assert unknown.low < 0.95 < unknown.high


def test_same_seed_same_result(lfw, lfw_scores):
    once = evaluate_pairs(lfw_scores, lfw, replicates=50)
    assert once == evaluate_pairs(lfw_scores, lfw, replicates=50)
    assert once != evaluate_pairs(lfw_scores, lfw, replicates=50, seed=1)


def test_a_file_of_one_fold_is_cut_into_ten_with_both_kinds_in_each(tmp_path):
    lines = ["25", *(f"P{i}\t1\t2" for i in range(25)), *(f"P{i}\t1\tQ{i}\t1" for i in range(25))]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    pairs = PairSet.from_lfw(read_pairs(tmp_path / "pairs.txt"), "view1")
    assert pairs.name == "view1"
    for kind in (pairs.issame, ~pairs.issame):
        np.testing.assert_array_equal(np.bincount(pairs.fold[kind]), [3] * 5 + [2] * 5)


def test_embeddings_that_cannot_be_used_are_refused():
    pairs = PairSet.from_pack("pack", [True, False] * 5)
    embeddings = unit(np.random.default_rng(0).normal(size=(20, 4)))
    assert score_pairs(embeddings, pairs).shape == (10,)
    with pytest.raises(InputError, match=r"pack: wanted an embedding for each of 20 pictures"):
        score_pairs(embeddings[:19], pairs)
    for spoil in (2.0, np.nan, 0.0):
        spoilt = embeddings.copy()
        spoilt[7] *= spoil
        with pytest.raises(InputError, match=r"1 of 20 embeddings .* number 7"):
            score_pairs(spoilt, pairs)


def test_pairs_and_rates_that_cannot_be_are_refused():
    pairs = PairSet.from_pack("pack", [True, False] * 5)
    with pytest.raises(InputError, match="wanted 10 similarities"):
        evaluate_pairs(np.zeros(9), pairs)
    with pytest.raises(InputError, match="not finite"):
        evaluate_pairs(np.full(10, np.nan), pairs)
    with pytest.raises(UsageError, match="far"):
        evaluate_pairs(np.zeros(10), pairs, fars=[2.0])
    with pytest.raises(UsageError, match="folds"):
        PairSet.from_pack("pack", [True, False])
    with pytest.raises(DataSetError, match="pairs of two people"):
        PairSet.from_pack("pack", [True] * 10)
    with pytest.raises(DataSetError, match="differ"):
        replace(pairs, left=pairs.left[:5])
    with pytest.raises(DataSetError, match="both sides"):
        replace(pairs, left_subject=pairs.left)
