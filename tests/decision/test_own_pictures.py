"""Own pictures that would be missed, against the rule in words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision.own_pictures import own_misses
from multiface.decision.own_rate import own_rate
from tests.decision.test_double_people import matrix_of
from tests.decision.test_own_rate import calibration, drawn


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    near=st.sampled_from([0.3, 1.0, 3.0]),
)
def test_each_picture_against_the_mean_of_the_others(seed: int, sizes: list[int], near: float) -> None:
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(len(sizes), 6)), sizes, axis=0)
    matrix = matrix_of(centres + near * rng.normal(size=centres.shape), sizes)
    parts = (matrix.vectors, matrix.person_index, matrix.centres, matrix.spread)
    found = own_misses(*parts, calibration(), 0.05)
    threshold = own_rate(*parts, calibration(), 0.05).similarity
    tried = missed = 0
    for person in range(len(sizes)):
        own = matrix.vectors[matrix.person_index == person].astype(float)
        for k in range(len(own)):
            others = [row for j, row in enumerate(own) if j != k]
            if others:
                mean = np.mean(others, axis=0)
                length = float(np.linalg.norm(mean))
                rise = calibration().spread_rise * (1 - length)
                tried += 1
                missed += float(own[k] @ mean) / length < threshold + rise
    assert (found.threshold, found.tried, found.missed) == (threshold, tried, missed)


def test_the_threshold_is_that_of_a_gallery_of_people_who_are_alike() -> None:
    rng = np.random.default_rng(0)
    alike = drawn(rng, 4, [3] * 4, alike=0.6)
    parts = (alike.vectors, alike.person_index, alike.centres, alike.spread)
    at_large = calibration().threshold_for_identify(0.05, 4).similarity
    found = own_misses(*parts, calibration(), 0.05)
    assert found.threshold > at_large + 0.05
    assert found.threshold == pytest.approx(own_rate(*parts, calibration(), 0.05).similarity)
