"""The tracker in worlds of known people who move on known paths; what it says is compared with the truth.

A person's vector is a direction in 128 dimensions, drawn at random; each look at it adds a random vector of half its
length, so that two looks of a person are alike by about 0.8, strangers by about 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision import read_calibration
from multiface.decision.shipped import SHIPPED
from multiface.errors import InputError
from multiface.faces.face import Faces
from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.track import StepResult, TrackSettings
from multiface.video.tracks.tracker import Tracker
from multiface.video.tracks.views import Views
from multiface.weights.spec import ARCFACE_TEMPLATE

CALIBRATION = read_calibration(SHIPPED / "scrfd_2.5g-mobilefacenet_128_ms1m-flip.json")
SETTINGS = TrackSettings(calibration=CALIBRATION, remembered=None)
PICTURE = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
TEMPLATE = np.array(ARCFACE_TEMPLATE, np.float32) / 112

Path = Callable[[float], tuple[float, float] | None]
"""Time -> centre of the face; None where it is not to be seen."""


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@dataclass
class Person:
    path: Path
    size: float = 80.0
    vector: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass
class World:
    """People on paths. `embedded` counts the faces that were embedded."""

    people: list[Person]
    seed: int = 0
    noise: float = 0.5
    embedded: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        for person in self.people:
            if not len(person.vector):
                person.vector = unit(rng.normal(size=128))

    def look(self, person: int, time: float) -> np.ndarray:
        """The same look at the same time, whatever was asked before."""
        rng = np.random.default_rng([self.seed, person, round(time * 1000)])
        return unit(self.people[person].vector + self.noise * unit(rng.normal(size=128)))

    def step(self, tracker: Tracker, time: float, cut: bool = False) -> tuple[StepResult, dict[int, int]]:
        """The result, and the number that each visible person was given."""
        rng = np.random.default_rng([self.seed, round(time * 1000)])
        there = [(k, where) for k, p in enumerate(self.people) if (where := p.path(time)) is not None]
        there = [there[k] for k in rng.permutation(len(there))]
        boxes, landmarks = [], []
        for k, (x, y) in there:
            size = self.people[k].size
            corner = np.array([x - size / 2, y - size / 2]) + rng.normal(0, 0.01 * size, 2)
            boxes.append([*corner, *(corner + size)])
            landmarks.append(corner + TEMPLATE * size)
        faces = (
            Faces(
                np.array(boxes, np.float32),
                np.full(len(boxes), 0.9, np.float32),
                np.array(landmarks, np.float32),
            )
            if there
            else Faces.none()
        )

        def embed(points: np.ndarray) -> np.ndarray:
            self.embedded += len(points)
            which = [int(np.flatnonzero((faces.landmarks == one).all(axis=(1, 2)))[0]) for one in points]
            return np.stack([self.look(there[k][0], time) for k in which])

        result = tracker.step(time, faces, PICTURE, embed, cut)
        numbers = {there[track.face][0]: track.number for track in result.seen}
        check(result, len(faces))
        return result, numbers


def check(result: StepResult, faces: int) -> None:
    """What holds for every step."""
    seen = [track.number for track in result.seen]
    hidden = [track.number for track in result.hidden]
    assert seen == sorted(set(seen)) and not set(seen) & set(hidden)
    positions = [track.face for track in result.seen]
    assert len(set(positions)) == len(positions) and all(0 <= face < faces for face in positions)
    assert set(result.returned) <= set(result.appeared)
    for track in result.seen:
        assert track.first_seen <= result.time
        assert 1 <= len(track.views) <= SETTINGS.views and (np.diff(track.views.times) > 0).all()
        assert 0 <= track.quality <= 1
    for track in result.hidden:
        assert result.time - 1.0001 <= track.last_seen < result.time


def still(x: float, y: float = 180.0) -> Path:
    return lambda _time: (x, y)


def times(seconds: float, step: float = 0.2, start: float = 0.0) -> list[float]:
    return [round(start + step * k, 6) for k in range(int(seconds / step))]


def follow(
    world: World, moments: list[float], tracker: Tracker | None = None, cuts: tuple[float, ...] = ()
) -> tuple[list[dict[int, int]], list[StepResult], Tracker]:
    tracker = tracker or Tracker(SETTINGS)
    numbers, results = [], []
    for time in moments:
        result, given_now = world.step(tracker, time, cut=time in cuts)
        numbers.append(given_now)
        results.append(result)
    return numbers, results, tracker


def of(person: int, numbers: list[dict[int, int]]) -> set[int]:
    return {each[person] for each in numbers if person in each}


def test_a_face_that_stays_is_confirmed_at_its_second_detection() -> None:
    numbers, results, tracker = follow(World([Person(still(300))]), times(4))
    assert [sorted(each) for each in numbers[:2]] == [[], [0]]
    assert of(0, numbers) == {1}
    assert results[1].appeared == (1,) and all(not r.appeared for r in results[2:])
    first = results[1].seen[0]
    assert first.first_seen == 0.0 and first.previous is not None and first.previous[0] == 0.0
    assert len(results[-1].seen[0].views) == 5
    end = tracker.finish(4.0)
    assert [(one.number, one.first_seen, one.last_seen) for one in end.ended] == [(1, 0.0, 3.8)]
    assert end.seen == () and end.appeared == ()


def test_an_old_track_is_embedded_seldom() -> None:
    world = World([Person(still(300))])
    _, _, tracker = follow(world, times(3))
    young = world.embedded
    assert young >= SETTINGS.views
    follow(world, times(30, start=30.0), follow(world, times(27, start=3.0), tracker)[2])
    late = world.embedded
    follow(world, times(30, start=60.0), tracker)
    assert world.embedded - late <= 15


def test_with_all_its_views_a_track_takes_only_a_clearly_better_face_soon() -> None:
    """A hair better is the noise of the measure, and a network's time each time."""
    views = Views(np.linspace(0, 2, 5), np.full(5, 0.5, np.float32), np.eye(5, dtype=np.float32))
    track = LiveTrack.begin(0.0, np.array([0.0, 0.0, 80.0, 80.0]))
    track.views, track.embedded = views, 2.0

    def wants(time: float, quality: float) -> bool:
        return track.wants_view(time, quality, SETTINGS.embed_every, SETTINGS.views)

    assert not wants(2.4, 0.56) and not wants(2.8, 0.52) and wants(2.8, 0.56)
    assert not wants(6.0, 0.45) and wants(7.0, 0.45), "any face after six times as long"


def test_at_most_once_in_a_fifth_of_a_second() -> None:
    world = World([Person(still(300))])
    follow(world, times(2, step=0.04))
    assert world.embedded <= 2 / (0.75 * 0.2) + 1


def test_missed_detections_do_not_end_a_track() -> None:
    """Every third detection is missed, and once 0.8 s of them, while the face walks."""
    gone = {0.6, 1.2, 1.8, *times(0.8, start=2.4)}
    path: Path = lambda t: None if t in gone else (100 + 60 * t, 180)  # noqa: E731
    numbers, results, _ = follow(World([Person(path)]), times(6))
    assert of(0, numbers) == {1} and not any(r.ended for r in results)
    assert [h.number for h in results[3].hidden] == [1]


def test_a_track_ends_a_second_after_it_was_seen_last() -> None:
    path: Path = lambda t: (300, 180) if t < 1.0 else None  # noqa: E731
    _, results, _ = follow(World([Person(path)]), times(4))
    (end,) = [r for r in results if r.ended]
    assert end.time == pytest.approx(2.0) and end.ended[0].last_seen == pytest.approx(0.8)


def test_a_single_detection_in_the_middle_is_nobody() -> None:
    path: Path = lambda t: (300, 180) if t == 1.0 else None  # noqa: E731
    _, results, tracker = follow(World([Person(path)]), times(4))
    assert not any(r.appeared or r.ended for r in results) and tracker.finish(4).appeared == ()


def test_a_single_detection_at_the_end_or_before_a_cut_is_somebody() -> None:
    _, _, tracker = follow(World([Person(still(300))]), [0.0])
    end = tracker.finish(0.0)
    assert end.appeared == (1,) and [one.number for one in end.ended] == [1]
    assert len(end.ended[0].views) == 1
    once: Path = lambda t: (300, 180) if t == 0.2 else None  # noqa: E731
    _, results, _ = follow(World([Person(once)]), times(1), cuts=(0.4,))
    assert results[2].cut and results[2].appeared == (1,) and results[2].ended[0].last_seen == 0.2


@pytest.mark.parametrize("step", [0.04, 0.1, 0.2])
@pytest.mark.parametrize("apart", [0.0, 30.0, 70.0])
def test_two_people_who_cross(apart: float, step: float) -> None:
    """One walks to the right, one to the left; over each other, close, or well apart."""
    right, left = Person(lambda t: (100 + 110 * t, 150)), Person(lambda t: (540 - 110 * t, 150 + apart))
    numbers, results, _ = follow(World([right, left]), times(4, step))
    assert {frozenset(of(0, numbers)), frozenset(of(1, numbers))} == {frozenset({1}), frozenset({2})}
    assert sum(len(r.appeared) for r in results) == 2


def test_one_who_is_hidden_by_another_in_passing() -> None:
    """While they overlap only the one in front is detected."""
    behind: Path = lambda t: None if 1.4 <= t <= 2.2 else (320, 180)  # noqa: E731
    front: Path = lambda t: (100 + 122 * t, 182)  # noqa: E731
    numbers, _, _ = follow(World([Person(behind), Person(front)]), times(4))
    assert len(of(0, numbers)) == len(of(1, numbers)) == 1 and of(0, numbers) != of(1, numbers)


def test_another_person_at_the_same_place_soon_after_is_another_track() -> None:
    first: Path = lambda t: (300, 180) if t < 2.0 else None  # noqa: E731
    second: Path = lambda t: (304, 182) if t >= 2.6 else None  # noqa: E731
    numbers, _, _ = follow(World([Person(first), Person(second)]), times(5))
    assert of(0, numbers) == {1} and of(1, numbers) == {2}


def test_one_who_comes_back_has_his_number_again() -> None:
    path: Path = lambda t: (100, 100) if t < 2 else None if t < 30 else (500, 250)  # noqa: E731
    numbers, results, _ = follow(World([Person(path)]), times(34))
    assert of(0, numbers) == {1}
    (back,) = [r for r in results if r.returned]
    assert back.time == 30.0, "a clear return needs no second detection"
    assert back.appeared == back.returned == (1,)
    assert back.seen[0].first_seen == 30.0 and back.seen[0].views.times[0] < 2


def test_a_live_source_forgets() -> None:
    path: Path = lambda t: (100, 100) if t < 2 or t >= 70 else None  # noqa: E731
    tracker = Tracker(TrackSettings(calibration=CALIBRATION, remembered=60.0))
    numbers, _, _ = follow(World([Person(path)]), [*times(4), *times(4, start=70.0)], tracker)
    assert of(0, numbers) == {1, 2}


def test_only_so_many_are_remembered() -> None:
    """Five people one after the other, three remembered: the first is forgotten, the third is not."""

    def turn(k: int) -> Path:
        return lambda t: (100, 100) if 2 * k <= t < 2 * k + 1 else None

    again: Path = lambda t: (100, 100) if 0 <= t < 1 or t >= 20 else None  # noqa: E731
    third: Path = lambda t: (100, 100) if 4 <= t < 5 else (400, 200) if t >= 20 else None  # noqa: E731
    people = [Person(again), Person(turn(1)), Person(third), Person(turn(3)), Person(turn(4))]
    tracker = Tracker(TrackSettings(calibration=CALIBRATION, remembered=None, most_remembered=3))
    numbers, _, _ = follow(World(people), [*times(12), *times(2, start=20.0)], tracker)
    assert of(0, numbers) == {1, 6} and of(2, numbers) == {3}


def test_without_a_calibration_nobody_is_known_again() -> None:
    path: Path = lambda t: (100, 100) if t < 2 or t >= 6 else None  # noqa: E731
    numbers, _, _ = follow(World([Person(path)]), times(8), Tracker(TrackSettings()))
    assert of(0, numbers) == {1, 2}


def test_a_cut_ends_all_and_vectors_bring_back_whom_it_shows_again() -> None:
    """After the cut person 1 stands where person 0 was, and person 2 is new."""
    a: Path = lambda t: (150, 150) if t < 2 else None  # noqa: E731
    b: Path = lambda t: (450, 200) if t < 2 else (150, 150)  # noqa: E731
    c: Path = lambda t: (450, 200) if t >= 2 else None  # noqa: E731
    numbers, results, _ = follow(World([Person(a), Person(b), Person(c)]), times(4), cuts=(2.0,))
    cut = results[10]
    assert cut.cut and [one.number for one in cut.ended] == [1, 2]
    assert cut.returned == tuple(of(1, numbers))
    assert len(of(0, numbers)) == len(of(1, numbers)) == 1 and of(2, numbers) == {3}


def test_another_size_of_the_picture_is_a_cut() -> None:
    tracker = Tracker(SETTINGS)
    follow(World([Person(still(300))]), times(2), tracker)
    small = np.zeros((180, 320, 3), np.uint8)
    result = tracker.step(2.0, Faces.none(), small, lambda _: np.zeros((0, 128), np.float32), False)
    assert result.cut and [one.number for one in result.ended] == [1]


def test_two_alike_people_at_one_time_stay_two() -> None:
    """Twins: their looks are as alike as two looks of one of them. Side by side, then one after the other."""
    twin = unit(np.random.default_rng(9).normal(size=128))
    one = Person(lambda t: (150, 180) if t < 6 else None, vector=twin)
    two = Person(lambda t: (450, 180) if t < 4 or t > 8 else None, vector=twin)
    numbers, results, _ = follow(World([one, two]), times(12))
    assert len(of(0, numbers)) == 1 and of(0, numbers).isdisjoint(
        {n for r in numbers[:20] for n in of(1, [r])}
    )
    assert max(len(r.seen) for r in results) == 2
    returned = [r for r in results if r.returned]
    assert not returned, "which of the two came back cannot be told: it has a number of its own"


def test_a_box_that_jumps_to_another_person_unnoticed_is_parted() -> None:
    """A dissolve: no cut was found, and the new face lies within reach of the old one's box."""
    before: Path = lambda t: (300, 180) if t < 2 else None  # noqa: E731
    after: Path = lambda t: (345, 150) if t >= 2 else None  # noqa: E731
    numbers, results, _ = follow(World([Person(before), Person(after)]), times(4))
    assert of(0, numbers) == {1} and 2 in of(1, numbers)
    assert numbers[-1] == {1: 2}
    last = results[-1].seen[0]
    assert last.views.times.min() >= 2.0


def test_another_person_in_the_very_same_place_is_parted() -> None:
    """Nothing moves, one look shows him and the next one her: a dissolve, or one who steps out from behind another."""
    before: Path = lambda t: (300, 180) if t < 2 else None  # noqa: E731
    after: Path = lambda t: (300, 180) if t >= 2 else None  # noqa: E731
    numbers, _, _ = follow(World([Person(before), Person(after)]), times(8))
    assert of(0, numbers) == {1} and numbers[-1] == {1: 2}
    late = [number for each in numbers[20:] for number in each.values()]
    assert set(late) == {2}, "at the latest two seconds after"


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), people=st.integers(1, 5), step=st.sampled_from([0.1, 0.2, 0.5]))
def test_wandering_people(seed: int, people: int, step: float) -> None:
    """Random walks over one another with gaps and cuts: hardly a face has another person's number, no number is new
    twice, and what is alive is what has appeared and not ended."""
    rng = np.random.default_rng(seed)
    count = 40
    walks = np.cumsum(rng.normal(0, 14, (people, count, 2)), axis=1) + rng.uniform(80, 400, (people, 1, 2))
    walks = np.clip(walks, 40, [600, 320])
    missing = rng.random((people, count)) < 0.2

    def path(k: int) -> Path:
        def at(time: float) -> tuple[float, float] | None:
            frame = round(time / step)
            return None if missing[k, frame] else (float(walks[k, frame, 0]), float(walks[k, frame, 1]))

        return at

    moments = [round(step * k, 6) for k in range(count)]
    cuts = tuple(moments[k] for k in np.flatnonzero(rng.random(count) < 0.05))
    world = World([Person(path(k)) for k in range(people)], seed=seed)
    numbers, results, tracker = follow(world, moments, cuts=cuts)
    owners: dict[int, list[int]] = {}
    for each in numbers:
        assert len(set(each.values())) == len(each)
        for person, number in each.items():
            owners.setdefault(number, []).append(person)
    wrong = sum(len(own) - max(own.count(person) for person in own) for own in owners.values())
    assert wrong <= 2 * people, owners
    new = [n for r in [*results, tracker.finish(step * count)] for n in r.appeared if n not in r.returned]
    assert new == sorted(set(new)) == list(range(1, len(new) + 1))
    alive: set[int] = set()
    for r in results:
        both = set(r.appeared) & {one.number for one in r.ended}
        alive |= set(r.appeared)
        assert {one.number for one in r.ended} <= alive
        alive -= {one.number for one in r.ended} - (both & {t.number for t in r.seen})
        assert {t.number for t in (*r.seen, *r.hidden)} == alive


def told(result: StepResult) -> object:
    """A result as plain values, exact to the last bit."""
    return (
        result.time,
        [
            (
                t.number,
                t.face,
                t.box,
                t.quality,
                t.first_seen,
                t.first_box,
                t.previous,
                t.new_view,
                t.velocity.tolist(),
                t.views.times.tolist(),
                t.views.vectors.tobytes(),
                t.score,
            )
            for t in result.seen
        ],
        [(t.number, t.box, t.first_seen, t.last_seen, t.views.vectors.tobytes()) for t in result.hidden],
        result.appeared,
        result.returned,
        [(t.number, t.box, t.first_seen, t.last_seen, t.views.vectors.tobytes()) for t in result.ended],
        result.cut,
    )


@pytest.mark.parametrize("stop", [0, 1, 2, 7, 11, 16, 23, 30])
def test_a_saved_state_goes_on_exactly(stop: int) -> None:
    def world() -> World:
        a: Path = lambda t: None if 2 <= t < 4 else (100 + 40 * t, 150)  # noqa: E731
        b: Path = lambda t: (420 - 40 * t, 160)  # noqa: E731
        c: Path = lambda t: (300, 250) if t < 3 else (345, 220) if t > 5 else None  # noqa: E731
        return World([Person(a), Person(b), Person(c)])

    moments = times(8)
    _, whole, tracker = follow(world(), moments, cuts=(5.0,))
    _, _, first = follow(world(), moments[:stop], cuts=(5.0,))
    later = Tracker.from_state(first.state(), SETTINGS)
    assert later.state() == first.state()
    _, rest, later = follow(world(), moments[stop:], later, cuts=(5.0,))
    assert [told(r) for r in rest] == [told(r) for r in whole[stop:]]
    assert later.state() == tracker.state()
    assert told(later.finish(8.0)) == told(tracker.finish(8.0))


def test_bytes_that_are_no_state_are_refused() -> None:
    good = follow(World([Person(still(300))]), times(2))[2].state()
    for bad in (b"", b"nonsense", good[:-40], good[:200]):
        with pytest.raises(InputError, match="state of the tracks"):
            Tracker.from_state(bad, SETTINGS)


def test_prediction_goes_on_at_the_same_speed_but_not_for_ever() -> None:
    numbers, _, tracker = follow(World([Person(lambda t: (100 + 100 * t, 180))]), times(3))
    assert of(0, numbers) == {1}
    ((number, now),) = tracker.predict(2.8)
    ((_, soon),) = tracker.predict(3.0)
    ((_, late),) = tracker.predict(60.0)
    assert number == 1
    assert soon[0] - now[0] == pytest.approx(20, abs=4) and soon[1] - now[1] == pytest.approx(0, abs=2)
    assert late[0] - now[0] == pytest.approx(50, abs=10)
    follow(World([]), [3.0], tracker)
    assert tracker.predict(3.1) == ()


def test_useless_faces_are_passed_over() -> None:
    tracker = Tracker(SETTINGS)
    for k in range(4):
        points = np.stack([np.full((5, 2), 50.0), 100 + 80 * TEMPLATE]).astype(np.float32)
        faces = Faces(
            np.array([[40, 40, 60, 60], [100, 100, 180, 180]], np.float32), np.ones(2, np.float32), points
        )
        result = tracker.step(
            0.2 * k, faces, PICTURE, lambda p: np.tile(np.eye(128, dtype=np.float32)[0], (len(p), 1)), False
        )
    assert [(t.number, t.face) for t in result.seen] == [(1, 1)]


def test_time_that_falls_counts_as_the_last() -> None:
    world = World([Person(still(300))])
    _, _, tracker = follow(world, times(2))
    result, _ = world.step(tracker, 0.4)
    assert result.time == 1.8 and not math.isnan(result.seen[0].velocity[0])


def test_a_failing_network_is_passed_on() -> None:
    def broken(_points: np.ndarray) -> np.ndarray:
        raise RuntimeError("no memory")

    faces = Faces(
        np.array([[100, 100, 180, 180]], np.float32),
        np.ones(1, np.float32),
        (100 + 80 * TEMPLATE[None]).astype(np.float32),
    )
    with pytest.raises(RuntimeError, match="no memory"):
        Tracker(SETTINGS).step(0.0, faces, PICTURE, broken, False)


def test_two_frames_at_one_time() -> None:
    """Whom the second of them does not show is hidden, and not predicted."""
    tracker, there = Tracker(SETTINGS), World([Person(still(300))])
    for time in (0.0, 0.2, 0.4):
        there.step(tracker, time)
    assert [number for number, _ in tracker.predict(0.5)] == [1]
    result = tracker.step(0.4, Faces.none(), PICTURE, lambda _: pytest.fail("no face"), False)
    assert result.time == 0.4 and result.seen == () and result.ended == ()
    assert [(track.number, track.last_seen) for track in result.hidden] == [(1, 0.4)]
    assert tracker.predict(0.5) == ()
