"""Identification rates against literal searches, the expected FPIR against enumeration of all galleries."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import InputError, UsageError
from multiface.metrics.open_set import (
    cmc,
    expected_fpir,
    false_positive_chances,
    open_set_rates,
    open_set_scores,
)


def literal_search(row, person, gallery):
    """(mated, mate's score, best other score, rank) for one probe, by plain Python."""
    best = {}
    for score, who in zip(row, gallery, strict=True):
        best[who] = max(score, best.get(who, -np.inf))
    mate = best.pop(person, None)
    other = max(best.values(), default=-np.inf)
    if mate is None:
        return False, -np.inf, other, 0
    return True, mate, other, 1 + sum(score >= mate for score in best.values())


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 12), st.floats(-1, 1))
def test_scores_and_rates_are_those_of_a_literal_search(seed, probes, templates, threshold):
    random = np.random.default_rng(seed)
    similarities = random.integers(-4, 5, (probes, templates)) / 4.0  # with ties
    probe_people = random.integers(0, 6, probes)
    gallery = random.integers(0, 5, templates)
    found = open_set_scores(similarities, probe_people, gallery)
    wanted = [literal_search(row, who, gallery) for row, who in zip(similarities, probe_people, strict=True)]
    assert list(zip(found.mated, found.mate, found.other, found.rank, strict=True)) == wanted

    rates = open_set_rates(found, threshold)
    strangers = [w for w in wanted if not w[0]]
    mates = [w for w in wanted if w[0]]
    assert (rates.non_mated, rates.mated) == (len(strangers), len(mates))
    if strangers:
        assert rates.fpir == pytest.approx(np.mean([w[2] >= threshold for w in strangers]))
    else:
        assert np.isnan(rates.fpir)
    if mates:
        assert rates.fnir == pytest.approx(np.mean([w[1] < threshold or w[3] > 1 for w in mates]))
        curve = cmc(found, 6)
        assert curve == pytest.approx([np.mean([w[3] <= r for w in mates]) for r in range(1, 7)])
        assert curve[-1] == 1.0  # at most five people
    else:
        assert np.isnan(rates.fnir)


def test_a_tie_with_a_stranger_counts_against_the_system():
    found = open_set_scores([[0.5, 0.5]], [7], [7, 8])
    assert found.rank.tolist() == [2]
    assert open_set_rates(found, 0.0).fnir == 1.0


def test_a_gallery_of_one_person():
    found = open_set_scores([[0.2, 0.6]], [3], [3, 3])
    assert (found.mate[0], found.other[0], found.rank[0]) == (0.6, -np.inf, 1)


def enumerated(above: np.ndarray, gallery_size: int) -> float:
    """Mean over galleries and probes of "somebody of the gallery is above"; above: bool (probes, people)."""
    hits = [
        above[:, list(gallery)].any(axis=1).mean()
        for gallery in combinations(range(above.shape[1]), gallery_size)
    ]
    return float(np.mean(hits))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 9), st.floats(0, 1), st.data())
def test_expected_fpir_is_the_mean_over_all_galleries(seed, probes, strangers, share, data):
    gallery_size = data.draw(st.integers(1, strangers))
    above = np.random.default_rng(seed).random((probes, strangers)) < share
    mine = expected_fpir(above.sum(axis=1), strangers, gallery_size)
    assert mine == pytest.approx(enumerated(above, gallery_size), abs=1e-12)
    each = false_positive_chances(above.sum(axis=1), strangers, gallery_size)
    assert each == pytest.approx([enumerated(row[None], gallery_size) for row in above], abs=1e-12)


def test_expected_fpir_is_exact_for_large_galleries():
    k, m, n = np.array([0, 1, 2, 17, 400, 4999, 5000]), 5000, 1200
    wanted = np.mean([1 - comb(m - int(x), n) / comb(m, n) for x in k])  # whole numbers, no rounding before /
    assert expected_fpir(k, m, n) == pytest.approx(wanted, rel=1e-13)
    assert expected_fpir(np.array([1]), 10**6, 1) == pytest.approx(1e-6, rel=1e-12)
    assert expected_fpir(np.array([0, 0]), 10, 10) == 0.0
    assert expected_fpir(np.array([1, 0]), 10, 10) == 0.5


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10))
def test_expected_fpir_rises_with_the_gallery_up_to_the_share_of_probes_with_anybody_above(k):
    rates = [expected_fpir(k, 50, n) for n in range(1, 51)]
    assert np.all(np.diff(rates) >= -1e-12)
    assert rates[0] == pytest.approx(np.mean(k) / 50)  # a gallery of one: the false match rate
    assert rates[-1] == pytest.approx(np.mean(np.array(k) > 0))


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="2 probes, 2 templates"):
        open_set_scores([[0.1, 0.2, 0.3]], [1, 2], [3, 4])
    with pytest.raises(InputError, match="not finite"):
        open_set_scores([[float("nan")]], [1], [1])
    with pytest.raises(InputError, match="do not fit"):
        open_set_scores(np.empty((1, 0)), [1], [])
    with pytest.raises(InputError, match="got none"):
        cmc(open_set_scores([[0.1]], [1], [2]), 1)
    with pytest.raises(UsageError, match="at least 1"):
        cmc(open_set_scores([[0.1]], [1], [1]), 0)
    for bad in ([11], [-1], [0.5], [], [[1]]):
        with pytest.raises(InputError, match=r"whole numbers 0\.\.10"):
            expected_fpir(bad, 10, 3)
    for size in (0, 11):
        with pytest.raises(UsageError, match="wanted 1 to 10"):
            expected_fpir([1], 10, size)
