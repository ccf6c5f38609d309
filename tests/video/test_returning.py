"""Which new tracks are lost ones that came back, and by what limits."""

import math
from dataclasses import replace

import numpy as np
import pytest

from multiface.decision import read_calibration
from multiface.decision.shipped import SHIPPED
from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.returning import returns
from multiface.video.tracks.similarity_limits import SimilarityLimits
from multiface.video.tracks.views import Views

CALIBRATION = read_calibration(SHIPPED / "scrfd_2.5g-mobilefacenet_128_ms1m-flip.json")
LIKENESS = SimilarityLimits(CALIBRATION)
AXES = np.eye(16)


def track(vector: np.ndarray, first: float, last: float, number: int = 0, quality: float = 0.5) -> LiveTrack:
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    box = np.array([0.0, 0.0, 10.0, 10.0])
    made = LiveTrack(number, first, box, last, box)
    made.views = Views(np.array([first]), np.array([quality], np.float32), unit[None])
    return made


def like(vector: np.ndarray, similarity: float, other: int = 15) -> np.ndarray:
    """A unit vector of this similarity to `vector`."""
    return np.asarray(similarity * vector + math.sqrt(1 - similarity**2) * AXES[other])


def test_the_threshold_is_that_of_so_many_candidates_and_the_margin() -> None:
    assert LIKENESS.same(1) == pytest.approx(
        CALIBRATION.threshold_for_verify(1e-3).similarity + CALIBRATION.margin, abs=0.01
    )
    rising = [LIKENESS.same(count) for count in (1, 10, 100, 500)]
    assert rising == sorted(rising) and rising[-1] < 0.7
    assert LIKENESS.different < LIKENESS.perhaps(1) + 0.01 < LIKENESS.same(1)
    lost = [track(AXES[0], 0, 1, 1)]
    for similarity, pairs, perhaps in (
        (LIKENESS.same(1) + 0.01, ((0, 0),), set()),
        (LIKENESS.same(1) - 0.01, (), {0}),
        (LIKENESS.perhaps(1) - 0.01, (), set()),
    ):
        found = returns([track(like(AXES[0], similarity), 5, 5)], lost, LIKENESS)
        assert (found.pairs, found.perhaps) == (pairs, perhaps)


def test_one_who_was_there_at_the_same_time_is_another() -> None:
    assert returns([track(AXES[0], 1.0, 2.0)], [track(AXES[0], 0, 1.0, 1)], LIKENESS).pairs == ()
    assert returns([track(AXES[0], 1.2, 2.0)], [track(AXES[0], 0, 1.0, 1)], LIKENESS).pairs == ((0, 0),)


def test_two_people_who_are_equally_like_are_neither() -> None:
    together = [track(like(AXES[0], 0.9, 1), 0, 2, 1), track(like(AXES[0], 0.9, 2), 1, 3, 2)]
    found = returns([track(AXES[0], 5, 5)], together, LIKENESS)
    assert found.pairs == () and found.perhaps == {0}
    one_after_the_other = [track(like(AXES[0], 0.9, 1), 0, 1, 1), track(like(AXES[0], 0.92, 2), 2, 3, 2)]
    assert returns([track(AXES[0], 5, 5)], one_after_the_other, LIKENESS).pairs == ((0, 1),)


def test_each_is_taken_once_and_the_surest_first() -> None:
    lost = [track(AXES[0], 0, 1, 1)]
    new = [track(like(AXES[0], 0.7), 5, 5), track(like(AXES[0], 0.9), 5, 5)]
    assert returns(new, lost, LIKENESS).pairs == ((1, 0),)


def test_poor_looks_prove_nothing() -> None:
    good, poor = track(AXES[0], 0, 1, 1), track(AXES[0], 0, 1, 1, quality=0.05)
    assert returns([track(AXES[0], 5, 5, quality=0.05)], [good], LIKENESS).pairs == ()
    assert returns([track(AXES[0], 5, 5)], [poor], LIKENESS).pairs == ()


def test_without_a_calibration_nobody_returns() -> None:
    unknown = SimilarityLimits(None)
    assert returns([track(AXES[0], 5, 5)], [track(AXES[0], 0, 1, 1)], unknown).pairs == ()
    assert not unknown.known and unknown.same(1) > 1 and unknown.different == -1


def test_a_calibration_of_few_people_that_cannot_say_so_never_says_so() -> None:
    """One whose measured rates end at 30 % cannot be asked for 1 in 1,000."""
    few = replace(
        CALIBRATION,
        identify=tuple(
            replace(row, rates=tuple(rate for rate in row.rates if rate.rate >= 0.3))
            for row in CALIBRATION.identify
        ),
    )
    assert SimilarityLimits(few).same(3) > 1
