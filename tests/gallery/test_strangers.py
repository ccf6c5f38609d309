"""Strangers: numbers that stay and are never given twice, a time to live, naming, and real removal."""

import hashlib
import multiprocessing
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.errors import GalleryError, PictureError, UsageError
from multiface.gallery import Gallery, NewTemplate, Sighting, VectorOrigin, schema
from multiface.gallery.stranger_rows import MOST_VIEWS
from multiface.gallery.strangers import PICTURE_SIDE
from multiface.images import load_picture
from multiface.images.jpeg import jpeg_bytes

D = 128
MONTH = timedelta(days=30)
Floats = np.ndarray[Any, np.dtype[np.float32]]


def now(days: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def face(person: int, look: int = 0, noise: float = 0.5) -> Floats:
    """A unit vector of a person; looks of one person have a cosine of about 1 / (1 + noise^2)."""
    rng = np.random.default_rng([person])
    centre = rng.normal(size=D)
    vector = centre / np.linalg.norm(centre)
    other = np.random.default_rng([person, look, 1]).normal(size=D)
    vector += noise * other / np.linalg.norm(other)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def picture(seed: int, side: int = 40) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)


def seen(person: int, look: int = 0, quality: float = 0.5, spread: float = 0.0, when: str = "") -> Sighting:
    return Sighting(face(person, look), spread, quality, picture(100 * person + look), when or now())


def at(cosine: float) -> Callable[[Floats], np.ndarray[Any, np.dtype[np.float64]]]:
    return lambda spreads: np.full(len(spreads), cosine)


def see(gallery: Gallery, sighting: Sighting, taken: tuple[int, ...] = (), keep: timedelta = MONTH) -> int:
    """A track from its first look to its end."""
    number = gallery.strangers.find(sighting, at(0.5), taken, keep)
    gallery.strangers.learn(number, sighting, keep)
    return number


def held(path: Path) -> bytes:
    """All bytes of the gallery's files."""
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_the_same_number_over_sessions(path: Path, origin: VectorOrigin) -> None:
    for session in range(4):
        with Gallery.open(path, origin, create=True) as gallery:
            for person in range(5):
                assert see(gallery, seen(person, session)) == person + 1
    with Gallery.open(path) as gallery:
        listed = gallery.strangers.list()
        assert [(one.number, one.sightings, one.views) for one in listed] == [(k, 4, 4) for k in range(1, 6)]
        assert gallery.people() == () and len(gallery.matrix().names) == 0
        check = gallery.check()
        assert (check.strangers, check.problems) == (5, ())


def test_numbers_are_never_given_twice(path: Path, origin: VectorOrigin) -> None:
    with Gallery.open(path, origin, create=True) as gallery:
        assert [see(gallery, seen(person)) for person in range(3)] == [1, 2, 3]
        gallery.strangers.remove(3)
        assert see(gallery, seen(2)) == 4
        gallery.strangers.name(4, "Anna")
        gallery.strangers.remove(1)
        gallery.strangers.remove(2)
    with Gallery.open(path, origin) as gallery:
        assert gallery.strangers.list() == ()
        assert see(gallery, seen(7)) == 5


def test_two_at_one_time_are_two(gallery: Gallery) -> None:
    first = see(gallery, seen(1))
    assert see(gallery, seen(1, look=1), taken=(first,)) == 2  # a twin
    assert see(gallery, seen(1, look=2), taken=(first, 2)) == 3
    assert see(gallery, seen(1, look=1), taken=(first,)) == 2
    assert see(gallery, seen(1, look=0), taken=(2, 3)) == first


def test_the_most_similar_of_those_who_reach_what_is_wanted_of_them(gallery: Gallery) -> None:
    for person in (1, 2):
        see(gallery, seen(person))
    mixture = face(1) + 0.9 * face(2)
    both = Sighting((mixture / np.linalg.norm(mixture)).astype(np.float32), 0.0, 0.1, picture(5), now())
    higher_for_the_first = np.array([0.99, 0.3])
    assert gallery.strangers.find(both, lambda _: higher_for_the_first, (), MONTH) == 2


def test_spreads_are_of_all_views_of_all_tracks(gallery: Gallery) -> None:
    """Against the literal formula: one minus the length of the mean of every picture of every track."""
    rng = np.random.default_rng(3)
    everything = []
    for track in range(3):
        # Views around a centre, exactly equally long sums, so that the formula is exact.
        views = np.stack([face(1, look, 0.6) for look in range(4 * track, 4 * track + 4)])
        mean = views.mean(axis=0)
        length = float(np.linalg.norm(mean))
        everything.append(views)
        pooled = Sighting(
            (mean / length).astype(np.float32), 1.0 - length, 0.5, picture(int(rng.integers(1e6))), now()
        )
        see(gallery, pooled)
    asked: list[Floats] = []

    def wanted(spreads: Floats) -> np.ndarray[Any, np.dtype[np.float64]]:
        asked.append(spreads)
        return np.full(len(spreads), 2.0)

    gallery.strangers.find(seen(2), wanted, (), MONTH)
    expected = 1.0 - np.linalg.norm(np.concatenate(everything).mean(axis=0))
    assert asked[0].shape == (1,) and asked[0][0] == pytest.approx(expected, abs=0.005) and expected > 0.1


def test_views_stay_few_and_spread(gallery: Gallery, path: Path) -> None:
    for look in range(12):
        see(gallery, seen(1, look, quality=look / 12))
    again = see(gallery, seen(1, 11, quality=11 / 12))  # the same track once more
    (one,) = gallery.strangers.list()
    assert (again, one.views, one.sightings) == (1, MOST_VIEWS, 12)
    twin = face(1, 11) + np.float32(0.01) * face(9)
    near = Sighting((twin / np.linalg.norm(twin)).astype(np.float32), 0.0, 0.01, picture(77), now())
    with closing(sqlite3.connect(path)) as other:
        before = other.execute("SELECT id FROM stranger_view ORDER BY id").fetchall()
        see(gallery, near)  # the worse of the most similar pair is the new one itself
        assert other.execute("SELECT id FROM stranger_view ORDER BY id").fetchall() == before


def test_the_best_picture_is_kept_small(gallery: Gallery) -> None:
    large = Sighting(face(1), 0.0, 0.5, picture(1, 900), now())
    see(gallery, large)
    assert max(load_picture(gallery.strangers.picture(1)).shape) == PICTURE_SIDE
    see(gallery, Sighting(face(1, 1), 0.0, 0.4, picture(2), now()))
    assert max(load_picture(gallery.strangers.picture(1)).shape) == PICTURE_SIDE
    better = Sighting(face(1, 2), 0.0, 0.6, picture(3), now())
    see(gallery, better)
    assert gallery.strangers.picture(1) == jpeg_bytes(better.picture, PICTURE_SIDE)
    assert gallery.strangers.list()[0].quality == 0.6


def test_time_to_live(path: Path, origin: VectorOrigin) -> None:
    old, recent = seen(1, when=now(-31)), now(-5)
    with Gallery.open(path, origin, create=True) as gallery:
        see(gallery, old)
        photo, vector = gallery.strangers.picture(1), old.vector.tobytes()
        assert vector in held(path) and photo[-60:] in held(path)
        see(gallery, seen(2, when=now(-29)))
        # Each `find` forgets those whose time is over, too, and the log does not hold them any more.
        assert vector not in held(path) and photo[-60:] not in held(path)
        see(gallery, seen(3, when=now(-40)))
        see(gallery, seen(3, look=1, when=recent))
        see(gallery, seen(3, look=2, when=now(-35)))  # an older file seen later takes nothing away
        assert [one.number for one in gallery.strangers.list()] == [2, 4]
    with closing(sqlite3.connect(path)) as other:
        (kept,) = other.execute("SELECT kept_until FROM stranger WHERE id = 4").fetchone()
        assert kept == (datetime.fromisoformat(recent) + MONTH).isoformat(timespec="seconds")
    with Gallery.open(path) as gallery:
        assert [one.number for one in gallery.strangers.list()] == [2, 4]


def test_what_others_take_the_place_of_leaves_the_bytes(gallery: Gallery, path: Path) -> None:
    early = seen(1, quality=0.2)
    assert gallery.strangers.find(early, at(0.5), (), MONTH) == 1
    photo = gallery.strangers.picture(1)
    assert early.vector.tobytes() in held(path) and photo[-60:] in held(path)
    gallery.strangers.learn(1, seen(1, look=1, quality=0.4), MONTH)
    assert early.vector.tobytes() not in held(path) and photo[-60:] not in held(path)
    photo = gallery.strangers.picture(1)
    see(gallery, seen(1, look=2, quality=0.6))
    assert photo[-60:] not in held(path), "a better picture"
    views = [seen(1, look, quality=0.1) for look in range(3, 9)]
    for one in views:
        see(gallery, one)
    kept = held(path)
    assert sum(one.vector.tobytes() in kept for one in views) <= MOST_VIEWS


def test_the_log_is_not_emptied_for_nothing(gallery: Gallery, path: Path) -> None:
    see(gallery, seen(1))
    see(gallery, seen(2))
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_size
    assert before > 0
    see(gallery, seen(1, look=1, quality=0.1))
    assert log.stat().st_size > before


def test_a_first_look_makes_and_changes_nothing_known(gallery: Gallery) -> None:
    early, late = now(-2), now(-1)
    first = seen(1, quality=0.2, when=early)
    assert gallery.strangers.find(first, at(0.5), (), MONTH) == 1
    (one,) = gallery.strangers.list()
    assert (one.sightings, one.views, one.quality) == (0, 1, 0.2)
    gallery.strangers.learn(1, seen(1, look=1, quality=0.15, when=late), MONTH)
    (one,) = gallery.strangers.list()
    assert (one.sightings, one.views, one.quality) == (1, 1, 0.15), "the track as it came to be"
    assert (one.first_seen, one.last_seen) == (early, late)
    picture = gallery.strangers.picture(1)
    assert gallery.strangers.find(seen(1, look=2, quality=0.9), at(0.5), (), MONTH) == 1
    assert gallery.strangers.list() == (one,) and gallery.strangers.picture(1) == picture
    gallery.strangers.learn(1, seen(1, look=3, quality=0.9), MONTH, again=True)
    (more,) = gallery.strangers.list()
    assert (more.sightings, more.views, more.quality) == (1, 2, 0.9), "the same track came back"


def test_a_track_is_taken_back(gallery: Gallery, path: Path) -> None:
    wrong = seen(1)
    gallery.strangers.find(wrong, at(0.5), (), MONTH)
    gallery.strangers.take_back(1, learnt=False)
    assert gallery.strangers.list() == () and wrong.vector.tobytes() not in held(path)
    assert see(gallery, seen(1)) == 2
    gallery.strangers.take_back(2, learnt=True)
    assert gallery.strangers.list() == ()
    gallery.strangers.take_back(2, learnt=True)  # gone already
    gallery.strangers.learn(2, seen(1), MONTH)
    assert gallery.strangers.list() == ()
    assert see(gallery, seen(1)) == 3
    known = gallery.strangers.list()
    gallery.strangers.find(seen(1, look=1, quality=0.9), at(0.5), (), MONTH)
    gallery.strangers.take_back(3, learnt=False)
    assert gallery.strangers.list() == known
    see(gallery, seen(1, look=1))
    gallery.strangers.take_back(3, learnt=True)
    assert [one.number for one in gallery.strangers.list()] == [3], "another track was this one"


def test_expired_ones_leave_the_bytes_at_opening(path: Path, origin: VectorOrigin) -> None:
    sighting = seen(1, when=now(-1))
    with Gallery.open(path, origin, create=True) as gallery:
        see(gallery, sighting, keep=timedelta(hours=12))
        photo, vector = gallery.strangers.picture(1), sighting.vector.tobytes()
    assert vector in held(path) and photo[-60:] in held(path)
    with Gallery.open(path) as gallery:
        assert gallery.strangers.list() == ()
        assert vector not in held(path) and photo[-60:] not in held(path)


def test_removal_overwrites(gallery: Gallery, path: Path) -> None:
    sightings = [seen(1, look) for look in range(3)]
    numbers = {see(gallery, one) for one in sightings}
    photo = gallery.strangers.picture(1)
    pieces = [photo[at : at + 48] for at in range(0, len(photo) - 48, 48)]
    vectors = [one.vector.tobytes()[:64] for one in sightings]
    before = held(path)
    # Pieces across the border of two pages are in parts.
    assert numbers == {1} and sum(piece in before for piece in pieces) > 0.9 * len(pieces)
    assert all(vector in before for vector in vectors)
    assert gallery.strangers.remove(1) is True
    after = held(path)
    assert not any(piece in after for piece in (*pieces, *vectors))
    with pytest.raises(GalleryError, match=r"no stranger 1.*people strangers"):
        gallery.strangers.remove(1)


def test_removal_says_when_another_process_reads(path: Path, origin: VectorOrigin) -> None:
    with (
        Gallery.open(path, origin, create=True, busy_seconds=0.1) as gallery,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        see(gallery, seen(1))
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM stranger").fetchall()
        assert gallery.strangers.remove(1) is False
        reader.execute("ROLLBACK")


def test_naming_makes_a_person_of_all_vectors(gallery: Gallery, path: Path) -> None:
    sightings = [seen(1, look) for look in range(3)]
    for one in (*sightings, seen(2)):
        see(gallery, one)
    photo = gallery.strangers.picture(1)
    named = gallery.strangers.name(1, " Jose\u0301 ")
    assert (named.person, named.templates, named.purged) == ("José", 3, True)
    assert [one.number for one in gallery.strangers.list()] == [2]
    kept = gallery.templates("José")
    assert [one.vector.tobytes() for one in kept] == [one.vector.tobytes() for one in sightings]
    assert kept[0].source_digest == hashlib.sha256(jpeg_bytes(sightings[0].picture, PICTURE_SIDE)).hexdigest()
    assert kept[0].source.startswith("stranger 1, 20") and kept[0].facts.box == (0, 0, 40, 40)
    assert (kept[0].facts.quarter_turns, kept[0].facts.faces_in_picture) == (0, 1)
    (who,) = gallery.search(face(1, 50)[np.newaxis], "mean")
    assert who.name == "José" and who.similarity > 0.8
    assert photo[-60:] in held(path)  # so that the naming can be undone, for 30 days
    assert gallery.check().problems == ()
    gallery.remove("José")
    assert photo[-60:] not in held(path)


def test_naming_after_a_known_person_adds_to_her(
    gallery: Gallery, template: Callable[..., NewTemplate]
) -> None:
    gallery.add_templates("Anna", [template("a")])
    see(gallery, seen(1))
    assert gallery.strangers.name(1, "Anna").templates == 1
    assert gallery.person("Anna").templates == 2


def test_a_naming_that_fails_changes_nothing(gallery: Gallery) -> None:
    first, second = seen(1, 0), seen(1, 1)
    see(gallery, first)
    gallery.strangers.name(1, "Anna")
    assert {see(gallery, second), see(gallery, first)} == {2}  # the same track of the same file again
    before = gallery.strangers.list(), gallery.people(), gallery.strangers.picture(2)
    with pytest.raises(GalleryError, match="already enrolled as 'Anna'"):
        gallery.strangers.name(2, "Berta")
    with pytest.raises(UsageError, match="name"):
        gallery.strangers.name(2, "\n")
    with pytest.raises(GalleryError, match="no stranger 9"):
        gallery.strangers.name(9, "Carla")
    assert (gallery.strangers.list(), gallery.people(), gallery.strangers.picture(2)) == before
    assert gallery.strangers.name(2, "Anna").templates == 1


@pytest.mark.parametrize(
    ("vector", "image", "when", "error"),
    [
        (np.full(D, np.nan, np.float32), picture(1), "", GalleryError),
        (face(1)[:64], picture(1), "", (GalleryError, ValueError)),
        (2 * face(1), picture(1), "", GalleryError),
        (face(1), picture(1)[:0], "", PictureError),
        (face(1), picture(1), "yesterday", UsageError),
    ],
    ids=["nan", "short", "long", "no picture", "no time"],
)
def test_what_cannot_be_kept_is_refused_whole(
    gallery: Gallery, vector: Floats, image: Any, when: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        see(gallery, Sighting(vector, 0.0, 0.5, image, when or now()))
    assert gallery.strangers.list() == ()
    see(gallery, seen(1))
    with pytest.raises(error):
        see(gallery, Sighting(vector, 0.0, 0.5, image, when or now()))
    (one,) = gallery.strangers.list()
    assert one.sightings == 1


def _see_all(path: Path, origin: VectorOrigin, look: int) -> None:
    with Gallery.open(path, origin) as gallery:
        for person in range(8):
            see(gallery, seen(person, look))


def test_processes_at_once_agree(gallery: Gallery, path: Path, origin: VectorOrigin) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_see_all, args=(path, origin, look)) for look in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert sorted(one.sightings for one in gallery.strangers.list()) == [2] * 8


def test_check_sees_damage(gallery: Gallery, path: Path) -> None:
    for person in range(4):
        see(gallery, seen(person))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE stranger_view SET vector = x'00' WHERE stranger_id = 1")
        other.execute("UPDATE stranger_view SET vector = zeroblob(?) WHERE stranger_id = 2", (4 * D,))
        other.execute("UPDATE stranger SET picture = x'ff' WHERE id = 3")
        other.execute("DELETE FROM stranger_view WHERE stranger_id = 4")
    text = "\n".join(gallery.check().problems)
    for part in (
        "stranger 1, view 1: not 128",
        "stranger 2, view 2: the vector has length 0",
        "stranger 3: the pic",
    ):
        assert part in text
    assert "stranger 4: there is no vector" in text and len(text.splitlines()) == 4
    with pytest.raises(GalleryError, match="damaged"):
        see(gallery, seen(9))


def test_damage_there_does_not_keep_the_gallery_from_opening(path: Path, origin: VectorOrigin) -> None:
    Gallery.open(path, origin, create=True).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("DROP TABLE stranger")
    with Gallery.open(path, origin) as gallery:
        assert gallery.people() == () and gallery.check().problems


@pytest.mark.parametrize("version", [1, 2, 3])
def test_older_galleries_learn_of_strangers(path: Path, origin: VectorOrigin, version: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for step in range(1, version + 1):
            schema.take_step(connection, step)
        connection.execute(
            """
            INSERT INTO origin (id, fingerprint, weights, detector, dimension, created)
            VALUES (1, ?, ?, ?, ?, 'then')
            """,
            (origin.fingerprint, origin.weights, origin.detector, origin.dimension),
        )
        connection.execute("INSERT INTO person (name, created) VALUES ('Anna', '2024-01-01T00:00:00+00:00')")
        connection.execute("COMMIT")
    with Gallery.open(path, origin) as gallery:
        assert [person.name for person in gallery.people()] == ["Anna"]
        assert see(gallery, seen(1)) == 1
        assert gallery.check().problems == ()
