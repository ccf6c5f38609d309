"""The threshold of one gallery: a slow loop as oracle, and what must hold for any gallery."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multiface.decision import Calibration
from multiface.decision import own_rate as module
from multiface.decision.fitting import fit_calibration
from multiface.decision.own_rate import OwnRate, own_rate
from multiface.gallery import Matrix

LENGTH = 32


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def drawn(rng: np.random.Generator, people: int, pictures: list[int], alike: float = 0.0) -> Matrix:
    """Random people with so many pictures each; `alike`: the weight of a direction that all share."""
    centres = unit(rng.normal(size=(people, LENGTH)))
    centres = unit((1 - alike) * centres + alike * unit(rng.normal(size=LENGTH)))
    index = np.repeat(np.arange(people), pictures)
    vectors = unit(centres[index] + 0.5 * unit(rng.normal(size=(len(index), LENGTH))))
    return Matrix(vectors, index, tuple(str(k) for k in range(people)))


@cache
def calibration() -> Calibration:
    """Of 400 people like those that `drawn` draws."""
    matrix = drawn(np.random.default_rng(100), 400, [2] * 400)
    return fit_calibration(
        matrix.vectors,
        matrix.person_index,
        detector="",
        weights="",
        fingerprint="",
        flip=False,
        set_name="a set",
        made_by="",
    )


def own(matrix: Matrix, rate: float = 0.01) -> OwnRate:
    return own_rate(matrix.vectors, matrix.person_index, matrix.centres, matrix.spread, calibration(), rate)


def quantile(weighted: list[tuple[float, float]], share: float) -> float:
    """The value that `share` of the weight lies above, between the middles of the weights."""
    total = sum(weight for _, weight in weighted)
    before, last = 0.0, None
    for value, weight in sorted(weighted):
        middle = (before + weight / 2) / total
        if middle >= 1 - share:
            if last is None:
                return value
            return last[1] + (value - last[1]) * (1 - share - last[0]) / (middle - last[0])
        before, last = before + weight, (middle, value)
    assert last is not None
    return last[1]


def by_hand(matrix: Matrix, rate: float) -> tuple[float, tuple[int, int]]:
    """The threshold and the most alike people, picture by picture."""
    people = len(matrix.names)
    maxima: list[tuple[float, float]] = []
    pairs = []
    for k, vector in enumerate(matrix.vectors):
        mine = int(matrix.person_index[k])
        scores = []
        for other in range(people):
            if other == mine:
                continue
            mean = matrix.vectors[matrix.person_index == other].mean(axis=0)
            length = float(np.linalg.norm(mean))
            rise = calibration().spread_rise * (1 - length)
            scores.append((float(vector @ mean) / length - rise, other))
        maxima.append((max(scores)[0], 1 / int((matrix.person_index == mine).sum())))
        pairs.append((*max(scores), mine))
    at_large = calibration().threshold_for_identify(rate, people).similarity
    shift = quantile(maxima, 0.25) - calibration().threshold_for_identify(0.25, people - 1).similarity
    if people >= 50 and rate < 0.2:
        start = quantile(maxima, 0.2)
        above = sum(max(0.0, value - start) * weight for value, weight in maxima)
        excess = above / (0.2 * sum(weight for _, weight in maxima))
        shift = (shift + start + excess * math.log(0.2 / rate) - at_large) / 2
    shift *= people / (people + 8)
    _, other, mine = max(pairs)
    return min(1.0, at_large + max(0.0, shift)), (mine, other)


@settings(max_examples=25, deadline=None)
@example(seed=1, people=80, alike=0.6, rate=0.015)
@given(
    seed=st.integers(0, 1000),
    people=st.sampled_from([3, 4, 12, 49, 50, 80]),
    alike=st.sampled_from([0.0, 0.3, 0.6]),
    rate=st.sampled_from([0.001, 0.01, 0.1, 0.3]),
)
def test_the_slow_loop(seed: int, people: int, alike: float, rate: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = drawn(rng, people, rng.integers(1, 6, people).tolist(), alike)
    threshold, pair = by_hand(matrix, rate)
    found = own(matrix, rate)
    assert found.similarity == pytest.approx(threshold, abs=1e-5)
    assert found.alike is not None and found.people == people
    assert sorted(found.alike) == sorted(pair)  # of two people with one picture each, either may come first
    mine, other = found.alike
    cosines = matrix.vectors[matrix.person_index == mine] @ matrix.centres[other]
    assert found.alike_similarity == pytest.approx(float(cosines.max()), abs=1e-5)
    assert found.calibrated + found.shift == pytest.approx(found.similarity)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), people=st.integers(1, 60), alike=st.floats(0, 0.9))
def test_the_order_of_people_does_not_matter(seed: int, people: int, alike: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = drawn(rng, people, [2] * people, alike)
    order = rng.permutation(people)
    rows = (2 * order[:, None] + np.arange(2)).ravel()
    other = Matrix(matrix.vectors[rows], np.repeat(np.arange(people), 2), matrix.names)
    assert own(other).similarity == pytest.approx(own(matrix).similarity, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), people=st.integers(1, 200), alike=st.floats(0, 0.9))
def test_the_threshold_never_falls(seed: int, people: int, alike: float) -> None:
    rng = np.random.default_rng(seed)
    found = own(drawn(rng, people, [1] * people, alike))
    assert found.calibrated <= found.similarity <= 1
    assert found.calibrated == calibration().threshold_for_identify(0.01, people).similarity


@pytest.mark.parametrize("people", [1, 2])
def test_two_people_say_nothing(people: int) -> None:
    found = own(drawn(np.random.default_rng(0), people, [3] * people, 0.9))
    assert (found.shift, found.alike, found.alike_similarity) == (0.0, None, None)


@pytest.mark.parametrize("people", [10, 100, 400])
def test_random_people_shift_little(people: int) -> None:
    shifts = [own(drawn(np.random.default_rng(seed), people, [2] * people)).shift for seed in range(20)]
    assert float(np.mean(shifts)) < 0.02


@pytest.mark.parametrize("people", [10, 100])
def test_people_who_resemble_each_other_shift_up(people: int) -> None:
    """And their strangers, who resemble them too, are named at about the stated rate, not far more often."""
    before, after = [], []
    for seed in range(20):
        everybody = drawn(np.random.default_rng(seed), people + 200, [1] * (people + 200), 0.4)
        matrix = Matrix(everybody.vectors[:people], np.arange(people), everybody.names[:people])
        found = own(matrix, 0.1)
        highest = (everybody.vectors[people:] @ matrix.centres.T).max(axis=1)
        before.append((highest >= found.calibrated).mean())
        after.append((highest >= found.similarity).mean())
    assert np.mean(before) > 0.3
    assert np.mean(after) < np.mean(before) / 2


def test_one_person_of_many_pictures_counts_once() -> None:
    """Nine people, and a tenth with 200 pictures that all look like the first: that is one of ten."""
    rng = np.random.default_rng(3)
    matrix = drawn(rng, 10, [1] * 9 + [200])
    vectors = matrix.vectors.copy()
    few = own(Matrix(vectors[:10], np.arange(10), matrix.names)).shift
    vectors[9:] = vectors[9]
    assert own(Matrix(vectors, matrix.person_index, matrix.names)).shift == pytest.approx(few, abs=1e-5)


def test_a_large_gallery_is_judged_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = drawn(np.random.default_rng(5), 1000, [2] * 1000, 0.3)
    whole = own(matrix)
    monkeypatch.setattr(module, "MOST_COSINES", 500_000)
    sample = own(matrix)
    assert sample == own(matrix)
    assert sample.similarity != whole.similarity
    assert sample.similarity == pytest.approx(whole.similarity, abs=0.03)
