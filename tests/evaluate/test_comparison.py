"""Differences between two embedders, score files, groups and the page: against scikit-learn and literal loops."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from multiface.errors import DataSetError, RateNotSupported, UsageError
from multiface.evaluate.comparison import Comparison, compare
from multiface.evaluate.evaluation_page import Measured, evaluation_page
from multiface.evaluate.protocol import PairSet, check_fars, evaluate_pairs
from multiface.evaluate.score_file import read_scores, write_scores
from multiface.evaluate.subgroups import by_group, read_groups


def a_set(pairs: int = 800, people: int = 100, seed: int = 0) -> tuple[PairSet, np.ndarray, np.ndarray]:
    """Pairs, and the scores of a good and of a worse embedder on them, which agree on what is hard."""
    random = np.random.default_rng(seed)
    same = np.arange(pairs) % 2 == 0
    left = random.integers(0, people, pairs)
    right = np.where(same, left, (left + random.integers(1, people, pairs)) % people)
    hard = random.normal(0, 0.12, people)
    base = np.where(same, 0.62, 0.2) + hard[left] + random.normal(0, 0.1, pairs)
    good, worse = base + random.normal(0, 0.02, pairs), base + random.normal(0, 0.08, pairs)
    who = np.stack([left, right], axis=1).ravel()
    return PairSet.from_pack("made", same, who), np.clip(good, -1, 1), np.clip(worse, -1, 1)


def test_differences_are_those_of_the_figures() -> None:
    pairs, good, worse = a_set()
    first, second = (evaluate_pairs(one, pairs, fars=(0.1, 0.05), replicates=20) for one in (good, worse))
    found = {one.measure: one for one in compare(pairs, good, worse, (0.1, 0.05), replicates=200)}
    assert found["accuracy"].difference == pytest.approx(first.accuracy - second.accuracy, abs=1e-12)
    for one, other in zip(first.tar_at_far, second.tar_at_far, strict=True):
        assert found[f"TAR at FAR {one.far:g}"].difference == pytest.approx(one.tar - other.tar, abs=1e-12)
    for one in found.values():
        assert one.interval.low <= one.difference <= one.interval.high


def test_the_interval_is_shorter_than_that_of_two_sets_and_turns_with_the_order() -> None:
    pairs, good, worse = a_set()
    paired = compare(pairs, good, worse, (0.1,))[0]
    one = evaluate_pairs(good, pairs).accuracy_interval
    two = evaluate_pairs(worse, pairs).accuracy_interval
    apart = np.hypot(one.high - one.low, two.high - two.low)
    assert paired.interval.high - paired.interval.low < 0.8 * apart
    near = good - 0.001 * (np.arange(len(pairs)) % 7)
    tar = compare(pairs, good, near, (0.05,))[1].interval
    alone = evaluate_pairs(good, pairs, fars=(0.05,)).tar_at_far[0].interval
    assert tar.high - tar.low < 0.5 * (alone.high - alone.low)
    turned = compare(pairs, worse, good, (0.1,))[0]
    assert turned.interval.low == pytest.approx(-paired.interval.high)


def test_the_same_scores_do_not_differ() -> None:
    pairs, good, _ = a_set()
    for one in compare(pairs, good, good, (0.1,), replicates=50):
        assert one.difference == 0 and one.interval.low <= 0 <= one.interval.high
    with pytest.raises(UsageError, match="scores"):
        compare(pairs, good, good[:-1], (0.1,))


def test_95_of_100_intervals_of_tar_enclose_the_truth() -> None:
    """Two embedders whose true TAR at FAR 0.1 is known from a large set."""
    big, good, worse = a_set(60_000, 4000, 99)
    truth = compare(big, good, worse, (0.1,), replicates=2)[1].difference
    inside = 0
    for seed in range(60):
        pairs, one, other = a_set(600, 120, seed)
        found = compare(pairs, one, other, (0.1,), replicates=100)[1]
        inside += found.interval.low <= truth <= found.interval.high
    assert inside >= 54


@pytest.mark.parametrize(("far", "supported"), [(0.1, True), (0.025, True), (0.02, False), (1e-6, False)])
def test_a_far_that_the_set_cannot_support_is_refused(far: float, supported: bool) -> None:
    pairs, _, _ = a_set(800)  # 400 impostor pairs: ten are 0.025
    if supported:
        check_fars(pairs, [0.5, far])
    else:
        with pytest.raises(RateNotSupported, match=r"400 pairs of two people.*ask for 0\.025"):
            check_fars(pairs, [0.5, far])


@pytest.mark.parametrize("far", [0.0, 1.0, -0.1, float("nan")])
def test_a_far_that_is_none_is_refused(far: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        check_fars(a_set()[0], [far])


def test_score_files_give_back_every_digit(tmp_path: Path) -> None:
    pairs, good, _ = a_set()
    write_scores(tmp_path / "deep" / "scores.csv", pairs, good)
    assert np.array_equal(read_scores(tmp_path / "deep" / "scores.csv", pairs), good)
    text = (tmp_path / "deep" / "scores.csv").read_text()
    assert text.splitlines()[0] == "pair,left,right,same,score"
    assert text.splitlines()[3].startswith("2,4,5,1,")


def test_score_files_of_other_pairs_are_refused(tmp_path: Path) -> None:
    pairs, good, _ = a_set()
    write_scores(tmp_path / "scores.csv", pairs, good)
    with pytest.raises(DataSetError, match="other pairs"):
        read_scores(tmp_path / "scores.csv", PairSet.from_pack("x", ~pairs.issame))
    (tmp_path / "scores.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataSetError, match="not a file of scores"):
        read_scores(tmp_path / "scores.csv", pairs)


def test_groups_have_the_rates_that_loops_find() -> None:
    pairs, good, _ = a_set()
    assert pairs.left_subject is not None and pairs.right_subject is not None
    words = np.array(["north", "south", "-"])
    groups = [
        (words[a % 3], words[b % 3]) for a, b in zip(pairs.left_subject, pairs.right_subject, strict=True)
    ]
    found = {one.group: one for one in by_group(pairs, good, groups, 0.05, replicates=50)}
    assert sorted(found) == ["north", "south"]
    threshold = min(t for t in np.unique(good) if (good[~pairs.issame] >= t).mean() <= 0.05)
    for name, one in found.items():
        missed = wrong = genuine = impostor = 0
        for score, same, both in zip(good, pairs.issame, groups, strict=True):
            if both == (name, name):
                genuine, impostor = genuine + int(same), impostor + int(not same)
                missed += int(same and score < threshold)
                wrong += int(not same and score >= threshold)
        assert (one.genuine, one.impostor) == (genuine, impostor)
        assert one.fnmr == pytest.approx(missed / genuine)
        assert one.fmr == pytest.approx(wrong / impostor)
        assert one.fmr_interval is not None and one.fmr_interval.low <= one.fmr <= one.fmr_interval.high


def test_a_group_without_pairs_of_a_kind_says_so() -> None:
    pairs, good, _ = a_set()
    groups = [("a", "a") if same else ("-", "-") for same in pairs.issame]
    (found,) = by_group(pairs, good, groups, 0.05, replicates=10)
    assert found.impostor == 0 and found.fmr is None and found.cells()[4] == ""


def test_groups_are_read_and_checked(tmp_path: Path) -> None:
    assert read_groups(tmp_path / "x.groups", 2) is None
    (tmp_path / "x.groups").write_text("a\nb\n-\nb\n")
    assert read_groups(tmp_path / "x.groups", 2) == (("a", "b"), ("-", "b"))
    with pytest.raises(DataSetError, match="wanted 6 lines"):
        read_groups(tmp_path / "x.groups", 3)


def test_the_page_has_the_curves_of_scikit_learn() -> None:
    pairs, good, worse = a_set()
    names = ("good & co", "worse")
    measured = [
        Measured(name, evaluate_pairs(scores, pairs, replicates=20), pairs, scores)
        for name, scores in zip(names, (good, worse), strict=True)
    ]
    differences = compare(pairs, worse, good, (0.1,), replicates=20)
    page = evaluation_page(measured, [Comparison("made", "worse", "good & co", differences)]).decode()
    assert "<script" not in page and "good &amp; co" in page
    charts = [ET.fromstring("<svg" + one.split("</svg>")[0] + "</svg>") for one in page.split("<svg")[1:]]
    assert len(charts) == 3
    lines = [line.get("points", "") for line in charts[0].iter("{http://www.w3.org/2000/svg}polyline")]
    curves = [roc_curve(pairs.issame, one, drop_intermediate=False)[:2] for one in (good, worse)]
    bottom = min(tar[fmr >= 1 / 400].min() for fmr, tar in curves)
    for line, (fmr, tar) in zip(lines, curves, strict=True):
        drawn = np.array([[float(v) for v in point.split(",")] for point in line.split()])
        # Each point that is drawn is one of scikit-learn's, at its place on the axes.
        x = 64 + np.log10(np.maximum(fmr, 1 / 400) * 400) / np.log10(400) * (640 - 64 - 16)
        y = 30 + (1 - np.maximum((tar - bottom) / (1 - bottom), 0)) * (400 - 30 - 46)
        apart = np.hypot(drawn[:, :1] - x, drawn[:, 1:] - y)
        assert apart.min(axis=1).max() < 0.2
        # And the line has both ends of each of its steps where rates are small.
        small = (fmr >= 1 / 400) & (fmr < 0.1)
        ends = small & ((np.diff(fmr, prepend=-1) > 0) | (np.diff(fmr, append=2) > 0))
        assert apart[:, ends].min(axis=0).max() < 0.2


def test_a_large_set_is_drawn_with_few_points() -> None:
    pairs, good, _ = a_set(20_000)
    measured = Measured("one", evaluate_pairs(good, pairs, replicates=2), pairs, good)
    assert len(evaluation_page([measured], [])) < 60_000
