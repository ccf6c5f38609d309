"""Numbers of groups of unknown faces: kept while rate, gallery and photos change, given again to the same faces, and
never to other people.
"""

import itertools
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.album import hand_work
from multiface.album.group_numbers import kept_numbers
from multiface.album.refresh import is_fresh
from multiface.decision import Calibration
from multiface.gallery import Gallery, VectorOrigin, album_strangers
from multiface.gallery.album_numbers import Range, number_at, with_number
from multiface.recognition.gallery_threshold import GalleryThreshold
from tests.album.conftest import MadeUp
from tests.gallery.conftest import DIMENSION

RATES = (0.001, 0.01, 0.05, 0.2)
STRICT, LAX = 0.001, 0.2


def at(made_up: MadeUp, rate: float) -> dict[int, int]:
    """The numbers of faces once all is decided at a rate."""
    made_up.threshold = GalleryThreshold(made_up.threshold.calibration, rate)
    made_up.refresh()
    assert is_fresh(made_up.gallery, made_up.threshold)
    return numbers(made_up)


def numbers(made_up: MadeUp) -> dict[int, int]:
    return {face: number for face, (_, number) in made_up.standing().items() if number >= 0}


def ignored_of(made_up: MadeUp) -> set[int]:
    """The numbers of the album that somebody said to ignore."""
    with made_up.gallery.database.reading() as connection:
        return {number for number, one in album_strangers.all_of_them(connection).items() if one.ignored}


def between(made_up: MadeUp, one: int, other: int) -> None:
    """Photos of faces that lie on the way from one person to another: the more lax the rate, the fewer groups."""
    for share in np.linspace(0.0, 1.0, 9):
        mixed = (1 - share) * made_up.vector(one, 0.25) + share * made_up.vector(other, 0.25)
        made_up.photo(vectors=[mixed / np.linalg.norm(mixed)])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.lists(st.sampled_from(RATES), min_size=2, max_size=5))
def test_every_rate_has_its_numbers(calibration: Calibration, seed: int, rates: list[float]) -> None:
    """Whatever rates come in between, a rate that comes again has the numbers of before, and who was ignored is; no
    number gets other faces.
    """
    with tempfile.TemporaryDirectory() as folder:
        origin = VectorOrigin("ab" * 32, "dlib-resnet", "mtcnn", DIMENSION)
        with Gallery.open(Path(folder) / "gallery.db", origin, create=True) as gallery:
            made_up = MadeUp(gallery, GalleryThreshold(calibration, STRICT), np.random.default_rng(seed))
            for pair in range(3):
                between(made_up, 10 * seed + pair, 10 * seed + pair + 1)
            first: dict[float, dict[int, int]] = {}
            bearers: dict[int, set[int]] = {}
            ignored: set[int] = set()
            for rate in [*rates, *reversed(rates)]:
                now = at(made_up, rate)
                if not first:
                    ignored = {number for number in now.values() if number % 3}
                    hand_work.ignore(gallery, groups=sorted(ignored))
                assert first.setdefault(rate, now) == now
                assert ignored_of(made_up) == ignored & set(now.values())
                for number in set(now.values()):
                    faces = {face for face, own in now.items() if own == number}
                    assert number not in bearers or faces & bearers[number]
                    assert number in bearers or number > max(bearers, default=0)
                    bearers.setdefault(number, set()).update(faces)
            assert gallery.check().problems == ()


def test_groups_that_joined_come_apart_with_their_numbers(made_up: MadeUp) -> None:
    """Those of before, though the joined group grew meanwhile by more faces of the smaller one."""
    for person in (1, 2):
        between(made_up, person, person + 10)
    strict = at(made_up, STRICT)
    lax = at(made_up, LAX)
    assert len(set(lax.values())) < len(set(strict.values()))
    for _ in range(5):
        made_up.photo(vectors=[made_up.vector(2, 0.25)])
    at(made_up, LAX)
    again = at(made_up, STRICT)
    for number in set(strict.values()):
        own = Counter(again.get(face) for face, one in strict.items() if one == number)
        assert own.most_common(1)[0][0] == number


def test_a_group_that_was_lost_is_ignored_again(made_up: MadeUp) -> None:
    between(made_up, 1, 2)
    (number, *_) = sorted(set(at(made_up, LAX).values()))
    hand_work.ignore(made_up.gallery, groups=[number])
    before = at(made_up, LAX)
    made_up.threshold = GalleryThreshold(made_up.threshold.calibration, LAX)
    with made_up.gallery.database.writing() as connection:  # as if nobody were alike at some rate
        faces = connection.execute("SELECT id, vector FROM album_face ORDER BY id").fetchall()
        for face, _ in faces:
            far = np.random.default_rng(face).normal(size=DIMENSION)
            far = (far / np.linalg.norm(far)).astype("<f4")
            connection.execute("UPDATE album_face SET vector = ? WHERE id = ?", (far.tobytes(), face))
        album_strangers.stale(connection)
    assert at(made_up, STRICT) == {} and made_up.gallery.strangers.list() == ()
    with made_up.gallery.database.writing() as connection:
        for face, vector in faces:
            connection.execute("UPDATE album_face SET vector = ? WHERE id = ?", (bytes(vector), face))
        album_strangers.stale(connection)
    assert at(made_up, LAX) == before
    assert ignored_of(made_up) == {number}


def test_ignored_groups_that_joined_come_apart_ignored(made_up: MadeUp) -> None:
    """Though their faces had other numbers meanwhile."""
    for pair in range(3):
        between(made_up, pair, pair + 1)
    strict = at(made_up, STRICT)
    chosen = set(strict.values())
    hand_work.ignore(made_up.gallery, groups=sorted(chosen))
    assert set(at(made_up, LAX).values()) != chosen
    assert at(made_up, STRICT) == strict and ignored_of(made_up) == chosen
    hand_work.ignore(made_up.gallery, groups=sorted(chosen), ignored=False)
    at(made_up, LAX)
    assert at(made_up, STRICT) == strict and ignored_of(made_up) == set()


def test_who_was_enrolled_for_a_while_has_the_number_again(made_up: MadeUp) -> None:
    faces = [made_up.photo(3)[0] for _ in range(4)]
    made_up.photo(5), made_up.photo(5)
    made_up.refresh()
    before = numbers(made_up)
    made_up.known("Cleo", 3)
    made_up.refresh()
    assert not set(faces) & set(numbers(made_up))
    made_up.gallery.undo(made_up.gallery.changes()[0].id)
    made_up.refresh()
    assert numbers(made_up) == before


def test_a_database_that_counts_from_the_beginning_again_gives_no_number_twice(made_up: MadeUp) -> None:
    """As one that a tool restored without its sequences."""
    faces = [[made_up.photo(person)[0] for _ in range(2)] for person in (3, 4)]
    made_up.refresh()
    made_up.known("Dora", 4)
    made_up.refresh()
    made_up.gallery.undo(made_up.gallery.changes()[0].id)
    faces.append([made_up.photo(5)[0] for _ in range(4)])
    with made_up.gallery.database.writing() as connection:
        if made_up.gallery.location.startswith("postgresql:"):
            connection.execute("ALTER TABLE stranger ALTER COLUMN id RESTART WITH 2")
        else:
            connection.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'stranger'")
    made_up.refresh()
    assert numbers(made_up) == {face: number for number, own in enumerate(faces, 1) for face in own}


def test_a_number_that_got_a_name_is_nobody_else_s(made_up: MadeUp) -> None:
    """Neither at another rate nor when a face of the person is taken back."""
    between(made_up, 1, 2)
    strict = at(made_up, STRICT)
    number = max(set(strict.values()), key=list(strict.values()).count)
    at(made_up, LAX), at(made_up, STRICT)
    person = made_up.gallery.strangers.name(number, "Cleo").person
    for rate in (STRICT, LAX, STRICT):
        assert number not in at(made_up, rate).values()
    for face in [face for face, own in strict.items() if own == number]:
        hand_work.not_person(made_up.gallery, [face], person)
    for rate in (STRICT, LAX):
        assert number not in at(made_up, rate).values()


ranges = st.lists(st.tuples(st.sampled_from(RATES), st.integers(1, 3)), max_size=12)


@given(ranges)
def test_what_a_face_had_is_what_it_had_last(said: list[tuple[float, int]]) -> None:
    known: list[Range] = []
    last: dict[float, int] = {}
    for rate, number in said:
        known = with_number(known, number, rate)
        last[rate] = number
        assert number_at(known, rate) == number
        assert all(low <= high for low, high, _ in known)
        assert all(one[1] < other[0] and one[2] != other[2] for one, other in itertools.pairwise(known))
    if len(said) == len(last):  # each rate once: all is remembered
        assert {rate: number_at(known, rate) for rate in last} == last


def test_the_nearest_rate_counts() -> None:
    known = with_number(with_number([], 1, 0.001), 2, 0.1)
    assert [number_at(known, rate) for rate in (0.0001, 0.009, 0.011, 0.5)] == [1, 1, 2, 2]
    assert number_at([], 0.1) is None


@given(st.dictionaries(st.integers(0, 4), st.dictionaries(st.integers(1, 5), st.integers(1, 9), max_size=4)))
def test_kept_numbers_are_the_greedy_choice(had: dict[int, dict[int, int]]) -> None:
    """By a literal rule: again and again the largest part of all that are left."""
    expected, left = {}, {(group, n): count for group, own in had.items() for n, count in own.items()}
    while left:
        group, number = min(left, key=lambda one: (-left[one], one[1], one[0]))
        expected[group] = number
        left = {one: count for one, count in left.items() if one[0] != group and one[1] != number}
    assert kept_numbers(had) == expected
