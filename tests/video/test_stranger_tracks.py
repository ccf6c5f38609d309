"""`StrangerTracks` with the strangers of a real gallery: numbers, what is learnt and when, what is taken back."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from multiface.arrays import Floats
from multiface.decision import Calibration, Candidate, Decision, Reason, read_calibration
from multiface.decision.shipped import SHIPPED
from multiface.gallery import Gallery, VectorOrigin
from multiface.video.names.appearances import Appearances
from multiface.video.names.co_presence import CoPresence
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.names.stranger_tracks import StrangerTracks
from multiface.video.results import BestView
from multiface.video.tracks.quality import LEAST_QUALITY
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

BOX = (0.0, 0.0, 10.0, 10.0)
D = 128
STRANGE = Decision(None, Reason.BELOW_THRESHOLD, Candidate("Ann", 0.1), None, None)
ANN = Decision("Ann", Reason.KNOWN, Candidate("Ann", 0.9), None, None)
BETWEEN = Decision(None, Reason.RUNNER_UP_TOO_NEAR, Candidate("Ann", 0.9), None, None)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    origin = VectorOrigin("ab" * 32, "weights", "detector", D)
    with Gallery.open(tmp_path / "people.sqlite", origin, create=True) as opened:
        yield opened


def vector(person: int, look: float = 0.0) -> Floats:
    """Looks of one person have a cosine of 0.9 or more with look 0; people are orthogonal."""
    made = np.eye(D, dtype=np.float32)[2 * person] + np.float32(look) * np.eye(D, dtype=np.float32)[-1]
    return np.asarray(made / np.linalg.norm(made), np.float32)


def views(of: Floats, count: int = 3) -> Views:
    return Views(np.arange(float(count)), np.full(count, 0.5, np.float32), np.repeat(of[None], count, axis=0))


def seen(number: int, of: Floats, since: float = 0.0, count: int = 3) -> SeenTrack:
    landmarks = np.zeros((5, 2), np.float32)
    return SeenTrack(
        number, 0, BOX, landmarks, 0.9, 0.5, since, BOX, views(of, count), True, None, np.zeros(4)
    )


def gone(number: int, of: Floats, last: float, since: float = 0.0, count: int = 3) -> EndedTrack:
    return EndedTrack(number, BOX, since, BOX, last, views(of, count))


class Run:
    """One run over steps. qualities: of each track's best view, which is of noise made from it."""

    def __init__(self, gallery: Gallery, calibration: Calibration) -> None:
        self._strangers = StrangerNumbers(gallery, calibration)
        self._tracks = StrangerTracks(self._strangers, 3)
        self._appearances, self._co_presence = Appearances(), CoPresence()
        self._decisions: dict[int, Decision] = {}
        self.qualities: dict[int, float] = {}

    def step(
        self,
        time: float,
        present: Sequence[SeenTrack] = (),
        ended: Sequence[EndedTrack] = (),
        *,
        hidden: Sequence[HiddenTrack] = (),
        appeared: Sequence[int] = (),
        returned: Sequence[int] = (),
        decided: Decision = STRANGE,
        learn: bool = True,
    ) -> dict[int, int | None]:
        """All tracks of the step are decided so; the numbers that the step changes."""
        step = StepResult(
            time, tuple(present), tuple(hidden), tuple(appeared), tuple(returned), tuple(ended), False
        )
        numbers = [track.number for group in (present, ended, hidden) for track in group]
        decisions = dict.fromkeys(numbers, decided)
        self._decisions |= decisions
        self._co_presence.step(step)
        best = {n: self._view(n, self.qualities.get(n, 0.5), time) for n in numbers}
        changed = self._tracks.step(
            step, self._decisions, self._appearances.known, best, self._co_presence, learn
        )
        self._appearances.step(step, decisions, changed)
        return changed

    def stop(self) -> None:
        """Another one goes on from what is kept."""
        self._tracks = StrangerTracks(self._strangers, 3, self._tracks.learnt)
        self._appearances = Appearances(self._appearances.known)
        self._co_presence = CoPresence(self._co_presence.presences)

    @staticmethod
    def _view(number: int, quality: float, time: float) -> BestView:
        rng = np.random.default_rng([number, round(1000 * quality)])
        return BestView(rng.integers(0, 255, (40, 40, 3)).astype(np.uint8), quality, time)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return read_calibration(min(SHIPPED.glob("*.json")))


@pytest.fixture
def run(gallery: Gallery, calibration: Calibration) -> Run:
    return Run(gallery, calibration)


def listed(gallery: Gallery) -> list[tuple[int, int, float]]:
    """Number, sightings and quality of each."""
    return [(one.number, one.sightings, one.quality) for one in gallery.strangers.list()]


@pytest.mark.parametrize("stopped", [False, True])
def test_two_who_were_there_together_are_two_though_one_has_left(run: Run, stopped: bool) -> None:
    twin = vector(1, 0.4)
    assert run.step(1.0, [seen(1, vector(1))], appeared=[1]) == {1: 1}
    assert run.step(2.0, [seen(1, vector(1)), seen(2, twin, 1.8, 2)], appeared=[2]) == {}
    away = HiddenTrack(1, BOX, 0.0, 2.0, views(vector(1)))
    assert run.step(2.9, [seen(2, twin, 1.8, 2)], hidden=[away]) == {}
    assert run.step(3.1, [seen(2, twin, 1.8, 2)], [gone(1, vector(1), 2.0)]) == {}
    if stopped:
        run.stop()
    assert run.step(3.3, [seen(2, twin, 1.8)]) == {2: 2}
    run.step(5.0, [], [gone(2, twin, 3.3, 1.8)])
    assert run.step(7.0, [seen(3, vector(1), 6.5)], appeared=[3]) == {3: 1}, "who comes after can be the same"


def test_no_number_for_a_look_that_says_little(run: Run, gallery: Gallery) -> None:
    run.qualities[1] = 0.99 * LEAST_QUALITY
    assert run.step(1.0, [seen(1, vector(1))], appeared=[1]) == {}
    run.qualities[1] = LEAST_QUALITY
    assert run.step(1.2, [seen(1, vector(1))]) == {1: 1}
    run.qualities[2] = 0.01
    assert run.step(3.0, [], [gone(1, vector(1), 1.2), gone(2, vector(2), 2.5, 2.5, 1)], appeared=[2]) == {}
    assert [number for number, _, _ in listed(gallery)] == [1]


@pytest.mark.parametrize("stopped", [False, True])
def test_the_end_of_a_track_is_learnt(run: Run, gallery: Gallery, stopped: bool) -> None:
    run.qualities[1] = 0.2
    assert run.step(1.0, [seen(1, vector(1))], appeared=[1]) == {1: 1}
    assert listed(gallery) == [(1, 0, 0.2)]
    early = gallery.strangers.picture(1)
    run.qualities[1] = 0.7
    if stopped:
        # The end of a run that is gone on with is not the end of its tracks.
        assert run.step(1.1, [], [gone(1, vector(1, 0.2), 1.0)], learn=False) == {}
        assert listed(gallery) == [(1, 0, 0.2)]
        run.stop()
        assert run.step(1.2, [seen(1, vector(1), 1.0)], appeared=[1], returned=[1]) == {}
    assert run.step(5.0, [], [gone(1, vector(1, 0.3), 4.0)]) == {}
    assert listed(gallery) == [(1, 1, 0.7)] and gallery.strangers.picture(1) != early
    gallery.strangers.name(1, "Bo")
    assert np.allclose(gallery.matrix().centres, vector(1, 0.3)[None], atol=1e-6)


def test_a_track_that_returns_is_one_sighting(run: Run, gallery: Gallery) -> None:
    run.step(1.0, [seen(1, vector(1))], appeared=[1])
    run.step(3.0, [], [gone(1, vector(1), 1.5)])
    run.stop()
    run.qualities[1] = 0.8
    assert run.step(9.0, [seen(1, vector(1), 8.9)], appeared=[1], returned=[1]) == {}
    run.step(12.0, [], [gone(1, vector(1), 10.0, 8.9)])
    assert listed(gallery) == [(1, 1, 0.8)]
    run.step(20.0, [seen(2, vector(1), 19.0)], appeared=[2])
    run.step(30.0, [], [gone(2, vector(1), 21.0, 19.0)])
    assert listed(gallery) == [(1, 2, 0.8)]


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_one_who_gets_a_name_is_no_stranger_any_more(
    run: Run, gallery: Gallery, left: bool, stopped: bool
) -> None:
    """left: the track had left and returned, so that it had been learnt from."""
    assert run.step(1.0, [seen(1, vector(1))], appeared=[1]) == {1: 1}
    since, returned = 0.0, list[int]()
    if left:
        run.step(3.0, [], [gone(1, vector(1), 1.5)])
        since, returned = 5.0, [1]
    if stopped:
        run.stop()
    named = run.step(6.0, [seen(1, vector(1), since)], appeared=returned, returned=returned, decided=ANN)
    assert named == {1: None} and listed(gallery) == []
    run.step(9.0, [], [gone(1, vector(1), 6.0, since)], decided=ANN)
    assert listed(gallery) == []
    assert run.step(20.0, [seen(2, vector(1), 19.0)], appeared=[2]) == {2: 2}


def test_a_stranger_known_before_is_as_it_was(run: Run, gallery: Gallery) -> None:
    run.step(1.0, [seen(1, vector(1))], appeared=[1])
    run.step(3.0, [], [gone(1, vector(1), 1.5)])
    before, picture = gallery.strangers.list(), gallery.strangers.picture(1)
    run.qualities[2] = 0.9
    assert run.step(9.0, [seen(2, vector(1), 8.0)], appeared=[2]) == {2: 1}
    assert run.step(9.5, [seen(2, vector(1), 8.0)], decided=ANN) == {2: None}
    run.step(12.0, [], [gone(2, vector(1), 9.5, 8.0)], decided=ANN)
    assert (gallery.strangers.list(), gallery.strangers.picture(1)) == (before, picture)


def test_nothing_is_learnt_of_one_who_may_be_enrolled(run: Run, gallery: Gallery) -> None:
    run.step(1.0, [seen(1, vector(1))], appeared=[1])
    assert run.step(3.0, [], [gone(1, vector(1), 1.5)], decided=BETWEEN) == {}
    assert listed(gallery) == [(1, 0, 0.5)]


def test_a_stranger_who_is_removed_meanwhile_stays_removed(run: Run, gallery: Gallery) -> None:
    run.step(1.0, [seen(1, vector(1))], appeared=[1])
    gallery.strangers.remove(1)
    assert run.step(3.0, [], [gone(1, vector(1), 1.5)]) == {}
    assert listed(gallery) == []
