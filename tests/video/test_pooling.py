"""Pooled vectors against the formula, and decisions for all tracks of a moment."""

import numpy as np
import pytest

from multiface.decision import Calibration, Reason, read_calibration
from multiface.decision.shipped import SHIPPED
from multiface.errors import UsageError
from multiface.gallery import Matrix
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.video.tracks.pooling import enough_views, pooled, pooled_decisions
from multiface.video.tracks.views import Views


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return read_calibration(SHIPPED / "scrfd_2.5g-mobilefacenet_128_ms1m-flip.json")


def views(vectors: list[np.ndarray], qualities: list[float] | None = None) -> Views:
    units = np.array([v / np.linalg.norm(v) for v in vectors], np.float32)
    weights = np.ones(len(vectors)) if qualities is None else np.array(qualities)
    return Views(np.arange(float(len(vectors))), weights.astype(np.float32), units)


def axis(k: int) -> np.ndarray:
    return np.eye(8)[k]


def gallery(*vectors: np.ndarray) -> Matrix:
    units = np.array([v / np.linalg.norm(v) for v in vectors], np.float32)
    return Matrix(units, np.arange(len(units)), tuple(f"person {k}" for k in range(len(units))))


def test_the_formula() -> None:
    vector, spread = pooled(views([axis(0), axis(1)], [0.6, 0.2]))
    mean = 0.75 * axis(0) + 0.25 * axis(1)
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert spread == pytest.approx(1 - np.sqrt(0.75**2 + 0.25**2), abs=1e-6)
    assert vector.dtype == np.float32


def test_equal_views_have_no_spread_and_opposite_ones_all() -> None:
    assert pooled(views([axis(2)] * 5, [0.1, 0.9, 0.3, 0.3, 0.2]))[1] == pytest.approx(0, abs=1e-6)
    vector, spread = pooled(views([axis(2), -axis(2)]))
    assert spread == pytest.approx(1) and (vector == 0).all()


def test_views_of_no_quality_count_alike() -> None:
    assert pooled(views([axis(0), axis(1)], [0.0, 0.0]))[0][:2] == pytest.approx([0.5**0.5] * 2)


def test_without_views_there_is_nothing_to_pool() -> None:
    with pytest.raises(UsageError, match="without views"):
        pooled(Views.none())


def test_two_tracks_at_one_time_are_two_people(calibration: Calibration) -> None:
    """Both are like person 0; the better one is, and the other one is told that the person is taken."""
    near = views([axis(0) + 0.1 * axis(3)])
    less = views([axis(0) + 0.6 * axis(4)])
    alone, other = pooled_decisions(
        [less, near], gallery(axis(0), axis(1)), GalleryThreshold(calibration, 0.01)
    )
    assert alone.name is None and alone.reason is Reason.PERSON_TAKEN
    assert other.name == "person 0"
    (single,) = pooled_decisions([less], gallery(axis(0), axis(1)), GalleryThreshold(calibration, 0.01))
    assert single.name == "person 0"


def test_both_spreads_raise_the_threshold(calibration: Calibration) -> None:
    wide = views([axis(0) + 0.9 * axis(3), axis(0) - 0.9 * axis(3)])
    narrow = views([axis(0)])
    two = np.array([axis(0) + 0.5 * axis(5), axis(0) - 0.5 * axis(5)])
    two /= np.linalg.norm(two, axis=1, keepdims=True)
    people = Matrix(
        np.concatenate([two, axis(1)[None]]).astype(np.float32), np.array([0, 0, 1]), ("Ada", "Bob")
    )
    base = calibration.threshold_for_identify(0.01, 2).similarity
    asked = []
    for track in (wide, narrow):
        (decision,) = pooled_decisions([track], people, GalleryThreshold(calibration, 0.01))
        assert decision.threshold is not None
        asked.append(decision.threshold.similarity - base)
    spread_of_ada = float(people.spread[0])
    assert asked[1] == pytest.approx(calibration.spread_rise * spread_of_ada, abs=1e-6)
    assert asked[0] == pytest.approx(calibration.spread_rise * (spread_of_ada + pooled(wide)[1]), abs=1e-6)
    assert asked[0] > asked[1] > 0


def test_a_track_between_two_people_has_no_name(calibration: Calibration) -> None:
    """A hair inside the calibration's margin, and a hair outside of it."""
    for nearer, named in ((0.9, False), (1.1, True)):
        # cos(a) - cos(90 degrees - a) is the margin, times `nearer`
        angle = np.pi / 4 - np.arcsin(nearer * calibration.margin / 2**0.5)
        track = views([np.cos(angle) * axis(0) + np.sin(angle) * axis(1)])
        (decision,) = pooled_decisions(
            [track], gallery(axis(0), axis(1)), GalleryThreshold(calibration, 0.01)
        )
        assert (decision.name == "person 0") is named
        assert decision.reason is (Reason.KNOWN if named else Reason.RUNNER_UP_TOO_NEAR)


def test_nobody_enrolled_needs_no_calibration(calibration: Calibration) -> None:
    empty = Matrix(np.zeros((0, 8), np.float32), np.zeros(0, np.intp), ())
    (decision,) = pooled_decisions([views([axis(0)])], empty, None)
    assert decision.reason is Reason.NOBODY_ENROLLED
    assert pooled_decisions([], gallery(axis(0)), GalleryThreshold(calibration, 0.01)) == []
    with pytest.raises(UsageError, match="calibration"):
        pooled_decisions([views([axis(0)])], gallery(axis(0)), None)


@pytest.mark.parametrize(
    ("count", "seen_for", "ended", "enough"),
    [
        (0, 5.0, True, False),
        (1, 0.2, False, False),
        (2, 0.9, False, False),
        (2, 1.0, False, True),
        (1, 0.0, True, True),
        (3, 0.0, False, True),
    ],
)
def test_when_a_track_may_be_named(count: int, seen_for: float, ended: bool, enough: bool) -> None:
    some = views([axis(k) for k in range(count)]) if count else Views.none()
    assert enough_views(some, seen_for, ended) is enough
