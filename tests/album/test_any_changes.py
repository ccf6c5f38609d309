"""Whatever is done to an album, by hand, by scans, to people: it ends as if all were decided from the beginning, nobody
is two faces of a photo, hand work stays, and nothing is kept of a face that went. Both engines.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import pytest

from multiface.album import hand_work
from multiface.album.refresh import is_fresh
from multiface.errors import GalleryError, UsageError
from multiface.gallery import Sighting, album_faces, album_pictures, album_strangers
from multiface.gallery.album_faces import AlbumFace, NewFace
from multiface.gallery.album_pictures import AlbumFile
from multiface.gallery.clock import utc_now
from tests.album.conftest import MadeUp
from tests.album.test_refresh import anew

THERE = "(SELECT * FROM album_face WHERE picture_id IN (SELECT picture_id FROM album_file)) AS there"


class Doing:
    """Random changes of all kinds; what is refused is no change."""

    def __init__(self, made_up: MadeUp, seed: int) -> None:
        self.made_up, self.gallery = made_up, made_up.gallery
        self.random = np.random.default_rng(seed)
        self.steps = 0
        self.done: dict[str, int] = {}

    def step(self) -> None:
        kinds: Sequence[Callable[[], object]] = (
            self.photos, self.photos, self.copy, self.enrol, self.name_group, self.name_face, self.not_person,
            self.merge, self.split, self.ignore, self.back, self.merge_people, self.split_person,
            self.remove_person, self.undo, self.undo, self.draw, self.vanish, self.vanish, self.come_back,
            self.forget_vanished, self.camera,
        )  # fmt: skip
        self.steps += 1
        kind = kinds[int(self.random.integers(0, len(kinds)))] if self.steps > 4 else self.photos
        try:
            kind()
        except (GalleryError, UsageError):
            return
        self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1

    def faces(self) -> list[AlbumFace]:
        with self.gallery.database.reading() as connection:
            numbers = range(1, album_faces.last(connection) + 1)
            return [one for n in numbers if (one := album_faces.face(connection, n)) is not None]

    def face(self) -> int:
        return int(self.random.choice([face.id for face in self.faces()]))

    def group(self) -> int:
        with self.gallery.database.reading() as connection:
            return int(self.random.choice(list(album_strangers.all_of_them(connection)) or [999]))

    def person(self) -> str:
        return str(self.random.choice([one.id for one in self.gallery.people()] or ["nobody"]))

    def photos(self) -> None:
        for _ in range(3):
            people = self.random.choice(7, size=int(self.random.integers(1, 4)), replace=False) + 1
            vectors = [self.made_up.vector(int(one), float(self.random.uniform(0.3, 1.6))) for one in people]
            self.made_up.photo(vectors=vectors, fault="blurred" if self.random.random() < 0.1 else None)

    def copy(self) -> None:
        with self.gallery.database.reading() as connection:
            vector = album_faces.vector_of(connection, self.face())
        if vector is not None:
            self.made_up.photo(vectors=[vector])

    def enrol(self) -> None:
        self.made_up.known(f"N{self.steps}", int(self.random.integers(1, 8)), pictures=1)

    def name_group(self) -> None:
        who = self.person() if self.random.random() < 0.5 else f"S{self.steps}"
        self.gallery.strangers.name(self.group(), who)

    def name_face(self) -> None:
        who = self.person() if self.random.random() < 0.7 else f"F{self.steps}"
        hand_work.name_faces(self.gallery, [self.face()], who)

    def not_person(self) -> None:
        named = [face.id for face in self.faces() if face.standing.person is not None]
        hand_work.not_person(self.gallery, [int(self.random.choice(named or [self.face()]))], self.person())

    def merge(self) -> None:
        hand_work.merge_groups(self.gallery, self.group(), self.group())

    def split(self) -> None:
        with self.gallery.database.reading() as connection:
            own = [face.id for face in album_faces.faces_of_stranger(connection, self.group())]
        hand_work.split_faces(self.gallery, own[: int(self.random.integers(1, 3))])

    def ignore(self) -> None:
        if self.random.random() < 0.5:
            hand_work.ignore(self.gallery, groups=[self.group()])
        else:
            hand_work.ignore(self.gallery, faces=[self.face()])

    def back(self) -> None:
        hand_work.ignore(self.gallery, groups=[self.group()], faces=[self.face()], ignored=False)

    def merge_people(self) -> None:
        self.gallery.merge(self.person(), self.person())

    def split_person(self) -> None:
        who = self.person()
        templates = [one.id for one in self.gallery.templates(who)]
        self.gallery.split(who, templates[:1], f"P{self.steps}")

    def remove_person(self) -> None:
        if self.random.random() < 0.4:
            self.gallery.remove(self.person())

    def undo(self) -> None:
        changes = [one.id for one in self.gallery.changes() if one.can_be_undone]
        if changes:
            newest = self.random.random() < 0.5
            self.gallery.undo(changes[0] if newest else int(self.random.choice(changes)))

    def draw(self) -> None:
        photo = int(self.random.choice([face.picture for face in self.faces()]))
        new = NewFace((1.0, 1.0, 9.0, 9.0), None, 1.0, 0.0, "drawn by hand", True, None, None, True)
        with self.gallery.database.writing() as connection:
            face = album_faces.add_face(connection, photo, new, self.gallery.origin)
        hand_work.name_faces(self.gallery, [face], self.person())

    def vanish(self) -> None:
        with self.gallery.database.writing() as connection:
            album_pictures.drop_file(
                connection, "/photos", f"{int(self.random.integers(1, self.made_up.pictures + 1))}.jpg"
            )
            gone = album_pictures.mark_vanished(connection)
            album_strangers.changed_by_hand(connection, album_faces.of_pictures(connection, gone))

    def come_back(self) -> None:
        """A file that vanished is there again."""
        with self.gallery.database.writing() as connection:
            rows = connection.execute(
                "SELECT id FROM album_picture WHERE vanished IS NOT NULL ORDER BY id"
            ).fetchall()
            if rows:
                (picture,) = rows[int(self.random.integers(0, len(rows)))]
                assert album_pictures.put_file(
                    connection, AlbumFile("/photos", f"back{self.steps}.jpg", 1, self.steps, picture)
                )
                faces = album_faces.of_pictures(connection, [picture])
                album_strangers.changed_by_hand(connection, faces)

    def forget_vanished(self) -> None:
        with self.gallery.database.writing() as connection:
            if album_pictures.forget_vanished(connection, utc_now() + "Z"):
                album_strangers.stale(connection)

    def camera(self) -> None:
        """A camera meets somebody, whom the album may know."""
        vector = self.made_up.vector(int(self.random.integers(1, 8)), float(self.random.uniform(0.3, 1.0)))
        picture = np.full((9, 9, 3), self.steps, np.uint8)
        sighting = Sighting(vector, 0.0, 0.5, picture, "2024-05-01T12:00:00+00:00")
        strangers, keep = self.gallery.strangers, timedelta(days=20000)
        number = strangers.find(sighting, lambda spread: 0.5 + 0.0 * spread, (), keep)
        if self.random.random() < 0.3:
            strangers.take_back(number, learnt=False)
        else:
            strangers.learn(number, sighting, keep)


def by_hand(doing: Doing) -> dict[int, object]:
    return {face.id: face.standing for face in doing.faces() if face.standing.by_hand}


def vectors_of(made_up: MadeUp, table: str, number: int) -> set[bytes]:
    with made_up.gallery.database.reading() as connection:
        rows = connection.execute(f"SELECT vector FROM {table} WHERE stranger_id = ?", (number,)).fetchall()
    return {bytes(vector) for (vector,) in rows if vector is not None}


def sound(doing: Doing) -> None:
    seen = set()
    for face in doing.faces():
        standing = face.standing
        who = ("person", standing.person) if standing.person else ("stranger", standing.stranger)
        if who[1] is not None:
            assert (face.picture, who) not in seen, f"{who} is two faces of a photo"
            seen.add((face.picture, who))
    with doing.gallery.database.reading() as connection:
        barred = album_faces.barred(connection)
        strangers = album_strangers.all_of_them(connection)
    for face in doing.faces():
        assert face.standing.by_hand or face.standing.person not in barred.get(face.id, set())
    for number in [number for number, one in strangers.items() if one.made]:
        kept = vectors_of(doing.made_up, "stranger_view", number)
        shown = vectors_of(doing.made_up, THERE, number)
        assert kept <= shown and bool(kept) == bool(shown)
    assert {one.number for one in doing.gallery.strangers.list()} >= set(strangers)
    assert doing.gallery.check().problems == ()


@pytest.mark.parametrize("seed", range(6))
def test_any_changes(made_up: MadeUp, seed: int) -> None:
    doing = Doing(made_up, seed)
    for _ in range(40):
        for _ in range(int(doing.random.integers(1, 4))):
            doing.step()
        said = by_hand(doing)
        made_up.refresh()
        assert is_fresh(made_up.gallery, made_up.threshold)
        assert by_hand(doing).items() <= said.items()  # those of people who are gone are open again
        sound(doing)
        before = made_up.standing()
        assert before == anew(made_up)
    assert len(doing.done) > 8, doing.done
