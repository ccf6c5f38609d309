"""Which views a track keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.video.tracks.views import Views


def vector(k: int) -> np.ndarray:
    return np.eye(64, dtype=np.float32)[k % 64]


def collected(qualities: list[float], most: int = 5) -> Views:
    views = Views.none()
    for k, quality in enumerate(qualities):
        views = views.with_view(0.2 * k, quality, vector(k), most)
    return views


@settings(max_examples=200, deadline=None)
@given(qualities=st.lists(st.floats(0, 1, width=32), max_size=40), most=st.integers(1, 6))
def test_what_must_hold(qualities: list[float], most: int) -> None:
    views = collected(qualities, most)
    assert len(views) == min(most, len(qualities))
    assert (np.diff(views.times) > 0).all()
    for time, quality, own in zip(views.times, views.qualities, views.vectors, strict=True):
        k = round(time / 0.2)
        assert quality == np.float32(qualities[k]) and (own == vector(k)).all()


def test_equal_views_spread_over_the_time() -> None:
    """However long it goes on, no stretch without a view is longer than six tenths of the whole."""
    for count in range(6, 60):
        times = collected([0.5] * count).times
        assert times[-1] - times[0] >= 0.6 * 0.2 * (count - 1)
        assert np.diff(times).max() <= 0.6 * 0.2 * (count - 1)


def test_a_good_view_outlives_poor_ones() -> None:
    views = collected([0.1, 0.1, 0.9, *[0.1] * 30])
    assert 0.4 in views.times.round(6)
    poor = collected([0.5, 0.5, 0.001, *[0.5] * 30])
    assert 0.4 not in poor.times.round(6)


def test_views_are_not_changed_by_another() -> None:
    first = Views.none().with_view(1.0, 0.5, vector(0), 5)
    second = first.with_view(2.0, 0.5, vector(1), 5)
    assert len(first) == 1 and len(second) == 2
    assert second.vectors.dtype == np.float32 and second.times.dtype == np.float64
    assert second.without(0).times.tolist() == [2.0]


def test_none_has_none() -> None:
    assert len(Views.none()) == 0
    assert Views.none().with_view(0.0, 0.0, vector(3), 5).qualities.tolist() == pytest.approx([0.0])
