"""Boxes between two steps of the tracker."""

import numpy as np
import pytest

from multiface.images.box import Box
from multiface.video.tracks.interpolation import interpolate
from multiface.video.tracks.last_detection import LastDetection
from multiface.video.tracks.track import SeenTrack, StepResult
from multiface.video.tracks.views import Views


def seen(number: int, x: float, previous: tuple[float, float] | None = None, speed: float = 0.0) -> SeenTrack:
    """A track whose box, 20 wide and 10 high, begins at x. previous: time and x."""

    def box(left: float) -> Box:
        return (left, 5.0, left + 20.0, 15.0)

    return SeenTrack(
        number=number,
        face=0,
        box=box(x),
        landmarks=np.zeros((5, 2), np.float32),
        score=0.9,
        quality=0.5,
        first_seen=0.0,
        first_box=box(x),
        views=Views.none(),
        new_view=False,
        previous=None if previous is None else (previous[0], box(previous[1])),
        velocity=np.array([speed, 0.0, speed, 0.0]),
    )


def step(time: float, *tracks: SeenTrack, cut: bool = False) -> StepResult:
    return StepResult(time, tracks, (), (), (), (), cut)


def lefts(before: StepResult, after: StepResult, time: float) -> dict[int, float]:
    boxes = interpolate(LastDetection.of(before, (240, 360), 2, before.time), after, time)
    assert [number for number, _ in boxes] == sorted(number for number, _ in boxes)
    assert all(box[2] - box[0] == pytest.approx(20) and box[1] == 5 for _, box in boxes)
    return {number: box[0] for number, box in boxes}


def test_a_straight_line_at_exact_times() -> None:
    before, after = step(1.0, seen(3, 100)), step(2.0, seen(3, 140, (1.0, 100)))
    for share in (0.0, 0.1, 0.75, 1.0):
        assert lefts(before, after, 1.0 + share) == {3: pytest.approx(100 + 40 * share)}


def test_a_track_confirmed_after_was_there_already_before() -> None:
    assert lefts(step(1.0), step(2.0, seen(1, 50, (1.0, 30))), 1.5) == {1: 40}


def test_where_it_was_missed_a_track_is_not_shown() -> None:
    """Seen at 0 and 2, hidden at 1: shown from the half on, on the line from 0 to 2."""
    after = step(2.0, seen(1, 40, (0.0, 0.0)))
    assert lefts(step(1.0), after, 1.5) == {}
    assert lefts(step(1.0), after, 1.6) == {1: pytest.approx(32)}


def test_one_who_is_gone_moves_on_to_the_half() -> None:
    before, after = step(1.0, seen(1, 100, speed=20)), step(2.0)
    assert lefts(before, after, 1.5) == {1: pytest.approx(110)}
    assert lefts(before, after, 1.6) == {}


def test_one_who_is_new_stands_from_the_half_on() -> None:
    before, after = step(1.0), step(2.0, seen(1, 100))
    assert lefts(before, after, 1.5) == {} and lefts(before, after, 1.6) == {1: 100}


def test_nothing_crosses_a_cut() -> None:
    """Number 1 returns elsewhere after it; up to the cut it is where it was going."""
    before = step(1.0, seen(1, 100, speed=20), seen(2, 300))
    after = step(2.0, seen(1, 500), seen(3, 0), cut=True)
    assert lefts(before, after, 1.9) == {1: pytest.approx(118), 2: 300}
