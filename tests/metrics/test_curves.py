"""Curves against scikit-learn, literal counting, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from multiface.errors import InputError, UsageError
from multiface.metrics.curves import (
    area_under_roc,
    equal_error_rate,
    error_rates,
    roc,
    tar_at_far,
    threshold_at_far,
)

# Few distinct values, so that ties within and between the two kinds are common.
scores = st.lists(
    st.one_of(st.sampled_from([-0.5, 0.0, 0.25, 0.5]), st.floats(-1, 1, width=32)), min_size=1, max_size=40
)
fars = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 1.0]), st.floats(0, 1))


@settings(deadline=None)
@given(scores, scores)
def test_roc_and_auc_are_those_of_scikit_learn(genuine, impostor):
    labels = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    both = np.r_[genuine, impostor]
    fpr, tpr, thresholds = roc_curve(labels, both, drop_intermediate=False)
    mine = roc(genuine, impostor)
    np.testing.assert_array_equal(mine.thresholds, thresholds)
    np.testing.assert_allclose(mine.fmr, fpr, atol=1e-12)
    np.testing.assert_allclose(mine.tar, tpr, atol=1e-12)
    assert area_under_roc(genuine, impostor) == pytest.approx(roc_auc_score(labels, both), abs=1e-12)
    area = np.trapezoid(mine.tar, mine.fmr)
    assert area_under_roc(genuine, impostor) == pytest.approx(area, abs=1e-12)


@given(scores, scores)
def test_roc_points_are_the_error_rates_at_their_thresholds(genuine, impostor):
    curve = roc(genuine, impostor)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        rates = error_rates(genuine, impostor, threshold)
        assert rates.fmr == pytest.approx(sum(s >= threshold for s in impostor) / len(impostor))
        assert rates.fnmr == pytest.approx(sum(s < threshold for s in genuine) / len(genuine))
        assert (rates.fmr, rates.fnmr) == pytest.approx((fmr, fnmr))
    assert (curve.fmr[0], curve.fnmr[0], curve.fmr[-1], curve.fnmr[-1]) == (0, 1, 1, 0)
    assert np.all(np.diff(curve.fmr) >= 0)
    assert np.all(np.diff(curve.fnmr) <= 0)


@given(scores, fars)
def test_threshold_at_far_is_the_smallest(impostor, far):
    def share(threshold):
        return sum(s >= threshold for s in impostor) / len(impostor)

    threshold = threshold_at_far(impostor, far)
    assert share(threshold) <= far
    if threshold == -np.inf:
        assert far == 1.0
    else:
        assert share(np.nextafter(threshold, -np.inf)) > far  # one step lower is too low


@given(scores, scores, fars)
def test_tar_at_far_is_the_best_tar_on_the_roc(genuine, impostor, far):
    found = tar_at_far(genuine, impostor, far)
    curve = roc(genuine, impostor)
    assert found.fmr <= far
    assert found.tar == pytest.approx(curve.tar[curve.fmr <= far].max())
    assert found.tar == sum(s >= found.threshold for s in genuine) / len(genuine)


def test_tar_at_far_counts_as_written():
    impostor = np.arange(1000) / 1000.0  # 0.000 ... 0.999
    genuine = [0.99, 0.998, 0.9985, 0.999, 2.0]
    at = tar_at_far(genuine, impostor, 0.001)  # one impostor, 0.999, may pass: the threshold is above 0.998
    assert 0.998 < at.threshold < 0.9980000001
    assert (at.fmr, at.tar) == (0.001, 0.6)
    assert tar_at_far(genuine, impostor, 0.0).tar == 0.2
    assert tar_at_far(genuine, impostor, 1.0).tar == 1.0
    # Equal impostor scores pass together or not at all.
    assert tar_at_far([0.5, 0.6], [0.5, 0.5, 0.1, 0.1], 0.25).tar == 0.5


@pytest.mark.parametrize("n", [10, 300, 1000, 3000, 7000])
def test_a_far_that_is_a_whole_number_of_impostors_is_met_exactly(n):
    for far in (0.001, 0.01, 0.1, 0.3, 0.7):
        count = round(far * n)
        if abs(count - far * n) < 1e-9:
            assert tar_at_far([0.0], np.arange(n), far).fmr == count / n


@given(scores, scores)
def test_eer_lies_between_its_two_neighbours_and_is_symmetric(genuine, impostor):
    eer = equal_error_rate(genuine, impostor)
    curve = roc(genuine, impostor)
    worst = np.maximum(curve.fmr, curve.fnmr)
    assert 0.0 <= eer <= worst.min() + 1e-12
    assert eer >= np.minimum(curve.fmr, curve.fnmr).max() - 1e-12
    swapped = equal_error_rate([-s for s in impostor], [-s for s in genuine])
    assert swapped == pytest.approx(eer, abs=1e-12)


def test_eer_of_known_cases():
    assert equal_error_rate([0.8, 0.9], [0.1, 0.2]) == 0.0
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9]) == 1.0
    assert equal_error_rate([0.5], [0.5]) == 0.5
    assert equal_error_rate([1, 2, 3, 4], [0, 0, 0, 1.5]) == 0.25


@given(scores, scores, st.randoms())
def test_order_does_not_matter(genuine, impostor, random):
    g, i = random.sample(genuine, len(genuine)), random.sample(impostor, len(impostor))
    assert equal_error_rate(g, i) == equal_error_rate(genuine, impostor)
    assert area_under_roc(g, i) == pytest.approx(area_under_roc(genuine, impostor), abs=1e-15)
    assert tar_at_far(g, i, 0.1) == tar_at_far(genuine, impostor, 0.1)


def test_bad_scores_are_refused():
    for function in (roc, equal_error_rate, area_under_roc):
        with pytest.raises(InputError, match="genuine scores"):
            function([], [0.1])
        with pytest.raises(InputError, match="impostor scores: 1 of 2"):
            function([0.1], [0.1, float("nan")])
    with pytest.raises(UsageError, match="between 0 and 1"):
        threshold_at_far([0.1], 1.5)
    with pytest.raises(UsageError, match="between 0 and 1"):
        threshold_at_far([0.1], float("nan"))
