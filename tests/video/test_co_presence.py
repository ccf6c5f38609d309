"""`CoPresence`: tracks whose spans from first to last sight overlap, against all pairs of the true spans."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.video.names.co_presence import CoPresence
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

BOX = (0.0, 0.0, 10.0, 10.0)
LOST_AFTER, CONFIRMED_AFTER = 3, 2


def seen(number: int, since: float) -> SeenTrack:
    landmarks = np.zeros((5, 2), np.float32)
    return SeenTrack(number, 0, BOX, landmarks, 0.9, 0.5, since, BOX, Views.none(), True, None, np.zeros(4))


def hidden(number: int, since: float, last: float) -> HiddenTrack:
    return HiddenTrack(number, BOX, since, last, Views.none())


def ended(number: int, since: float, last: float) -> EndedTrack:
    return EndedTrack(number, BOX, since, BOX, last, Views.none())


def step(
    time: float,
    present: Iterable[SeenTrack] = (),
    away: Iterable[HiddenTrack] = (),
    appeared: Iterable[int] = (),
    gone: Iterable[EndedTrack] = (),
) -> StepResult:
    return StepResult(time, tuple(present), tuple(away), tuple(appeared), (), tuple(gone), False)


def test_one_who_came_after_the_last_sight_was_not_there() -> None:
    tracks = CoPresence()
    tracks.step(step(1.0, [seen(1, 0.0)], appeared=[1]))
    tracks.step(step(2.0, [seen(2, 1.5)], [hidden(1, 0.0, 1.0)], appeared=[2]))
    assert tracks.of(1) == tracks.of(2) == frozenset()
    tracks.step(step(3.0, [seen(1, 0.0), seen(2, 1.5)]))
    assert (tracks.of(1), tracks.of(2)) == ({2}, {1}), "it was only out of sight"


def test_one_who_is_told_of_when_the_other_has_left() -> None:
    tracks = CoPresence()
    tracks.step(step(1.0, [seen(1, 0.0)], appeared=[1]))
    tracks.step(step(2.5, gone=[ended(1, 0.0, 1.0)]))
    tracks.step(step(2.6, [seen(2, 0.9), seen(3, 1.1)], appeared=[2, 3]))
    assert tracks.of(1) == {2} and tracks.of(2) == {1, 3}


def test_what_is_forgotten() -> None:
    tracks = CoPresence()
    tracks.step(step(1.0, [seen(k, 0.0) for k in (1, 2, 3)], appeared=[1, 2, 3]))
    tracks.keep({1, 2})
    assert {n: presence.beside for n, presence in tracks.presences.items()} == {1: {2}, 2: {1}}


@given(st.lists(st.tuples(st.integers(0, 15), st.sets(st.integers(0, 8), min_size=2)), max_size=5))
@settings(max_examples=150, deadline=None)
def test_against_all_pairs(tracks: list[tuple[int, set[int]]]) -> None:
    """Tracks with holes, told of at the third look or at the end; gone on with from the state after each step."""
    looks = {n: sorted(start + k for k in own) for n, (start, own) in enumerate(tracks, 1)}
    looks = {
        n: [t for k, t in enumerate(own) if own[k] - own[0] <= 2 * k + 1] for n, own in looks.items()
    }  # no hole is long enough to end a track
    looks = {n: own for n, own in looks.items() if own[-1] - own[0] >= CONFIRMED_AFTER}
    found = CoPresence()
    for time in range(30):
        present, away, appeared, gone = [], [], [], []
        for number, own in looks.items():
            if time < own[0] + CONFIRMED_AFTER or time > own[-1] + LOST_AFTER:
                continue
            if time == own[0] + CONFIRMED_AFTER:
                appeared.append(number)
            last = max(t for t in own if t <= time)
            if time == own[-1] + LOST_AFTER:
                gone.append(ended(number, own[0], own[-1]))
            elif last == time:
                present.append(seen(number, own[0]))
            else:
                away.append(hidden(number, own[0], last))
        found = CoPresence(found.presences)
        found.step(step(time, present, away, appeared, gone))
    for number, own in looks.items():
        expected = {
            other
            for other, theirs in looks.items()
            if other != number and own[0] <= theirs[-1] and theirs[0] <= own[-1]
        }
        assert found.of(number) == expected
