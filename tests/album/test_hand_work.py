"""What somebody says of faces: it waits until all is decided anew, is undone in order, and contradicts nothing."""

import io
import json
import zipfile
from datetime import timedelta

import numpy as np
import pytest

from multiface.album import Album, hand_work
from multiface.album.refresh import is_fresh
from multiface.errors import GalleryError
from multiface.gallery import Sighting, album_faces, album_pictures, album_strangers, changes
from multiface.gallery.album_faces import NewFace
from multiface.gallery.album_pictures import AlbumFile
from multiface.gallery.person_copy import person_copy
from tests.album.conftest import MadeUp, groups_of


def group(made_up: MadeUp, face: int) -> int:
    return made_up.standing()[face][1]


def person(made_up: MadeUp, face: int) -> str | None:
    numbers = {one.number: one.name for one in made_up.gallery.people()}
    return numbers.get(made_up.standing()[face][0])


def last_change(made_up: MadeUp) -> int:
    return made_up.gallery.changes()[0].id


def test_what_was_said_waits_for_whoever_comes_next(made_up: MadeUp) -> None:
    """The program that said it may be killed before it decides the rest anew."""
    made_up.known("Anna", 1)
    anna = made_up.photo(1)[0]
    faces = [made_up.photo(3)[0] for _ in range(4)]
    single = made_up.photo(5)[0]
    made_up.refresh()
    hand_work.split_faces(made_up.gallery, faces[:1])
    assert not is_fresh(made_up.gallery, made_up.threshold)
    made_up.refresh()
    hand_work.not_person(made_up.gallery, [anna], "Anna")
    assert not is_fresh(made_up.gallery, made_up.threshold)
    made_up.refresh()
    hand_work.ignore(made_up.gallery, faces=[single])
    assert not is_fresh(made_up.gallery, made_up.threshold)
    made_up.refresh()
    made_up.gallery.strangers.name(group(made_up, faces[1]), "Cleo")
    with made_up.gallery.database.reading() as connection:
        assert set(faces[1:]) <= album_strangers.state(connection).changed
    made_up.refresh()
    assert is_fresh(made_up.gallery, made_up.threshold)


def test_a_face_that_got_a_name_leaves_its_group(made_up: MadeUp) -> None:
    """Neither its vector nor its crop stays with the group, which cameras would know the person by."""
    faces = [made_up.photo(3)[0] for _ in range(4)]
    made_up.refresh()
    number = group(made_up, faces[0])
    hand_work.name_faces(made_up.gallery, faces[:1], "Anna")
    for face in faces[1:]:  # else they would be Anna's too
        hand_work.not_person(made_up.gallery, [face], "Anna")
    made_up.refresh()
    assert group(made_up, faces[1]) == number
    with made_up.gallery.database.reading() as connection:
        rows = connection.execute(
            "SELECT vector FROM stranger_view WHERE stranger_id = ?", (number,)
        ).fetchall()
        named = connection.execute("SELECT vector FROM album_face WHERE id = ?", (faces[0],)).fetchone()[0]
    assert len(rows) == 3 and bytes(named) not in {bytes(row[0]) for row in rows}


def test_a_wrong_name_can_be_put_right(made_up: MadeUp) -> None:
    faces = made_up.photo(5)
    hand_work.name_faces(made_up.gallery, faces, "Bo")
    hand_work.name_faces(made_up.gallery, faces, "Anna")
    assert {one.name: one.templates for one in made_up.gallery.people()} == {"Anna": 1, "Bo": 0}
    made_up.gallery.undo(last_change(made_up))
    made_up.refresh()
    assert {one.name: one.templates for one in made_up.gallery.people()} == {"Bo": 1}
    assert person(made_up, faces[0]) == "Bo"


def test_what_was_ignored_comes_back_and_nothing_else(made_up: MadeUp) -> None:
    faces = made_up.photo(5, fault="blurred")
    hand_work.name_faces(made_up.gallery, faces, "Anna")
    hand_work.ignore(made_up.gallery, faces=faces, ignored=False)
    made_up.refresh()
    assert person(made_up, faces[0]) == "Anna"


def test_naming_undone_leaves_not_this_person(made_up: MadeUp) -> None:
    made_up.known("Anna", 1)
    face = made_up.photo(1)[0]
    hand_work.not_person(made_up.gallery, [face], "Anna")
    hand_work.name_faces(made_up.gallery, [face], "Anna")
    made_up.gallery.undo(last_change(made_up))
    made_up.refresh()
    assert person(made_up, face) is None


def test_what_was_said_later_is_undone_first(made_up: MadeUp) -> None:
    faces = [made_up.photo(3)[0] for _ in range(4)]
    made_up.refresh()
    hand_work.split_faces(made_up.gallery, faces[:1])
    split = last_change(made_up)
    made_up.refresh()
    hand_work.name_faces(made_up.gallery, faces[:1], "Zoe")
    naming = last_change(made_up)
    made_up.refresh()
    with pytest.raises(GalleryError, match=f"changed again by change {naming}; undo that first"):
        made_up.gallery.undo(split)
    assert person(made_up, faces[0]) == "Zoe"
    made_up.gallery.undo(naming)
    made_up.gallery.undo(split)
    made_up.refresh()
    assert groups_of(made_up.standing()) == [faces]


def test_a_group_s_name_and_a_merge_of_people_are_undone_in_order(made_up: MadeUp) -> None:
    faces = [made_up.photo(3)[0] for _ in range(3)]
    made_up.known("Anna", 1)
    made_up.refresh()
    number = group(made_up, faces[0])
    made_up.gallery.strangers.name(number, "Bo")
    naming = last_change(made_up)
    made_up.refresh()
    made_up.gallery.merge("Anna", "Bo")
    merge = last_change(made_up)
    made_up.refresh()
    with pytest.raises(GalleryError, match=f"change {merge}"):
        made_up.gallery.undo(naming)
    assert person(made_up, faces[0]) == "Anna"
    for change in (merge, naming):
        made_up.gallery.undo(change)
        made_up.refresh()
    assert [one.name for one in made_up.gallery.people()] == ["Anna"]
    assert {group(made_up, face) for face in faces} == {number}


def test_one_person_is_not_two_faces_of_a_photo(made_up: MadeUp) -> None:
    for _ in range(3):
        made_up.photo(3, 5)
    one, other = made_up.photo(3, 7)
    made_up.refresh()
    with pytest.raises(GalleryError, match="are in one photo"):
        hand_work.merge_groups(
            made_up.gallery, *{number for _, number in made_up.standing().values() if number >= 0}
        )
    hand_work.name_faces(made_up.gallery, [other], "Anna")
    with pytest.raises(GalleryError, match="two faces in a photo"):
        made_up.gallery.strangers.name(group(made_up, one), "Anna")
    hand_work.name_faces(made_up.gallery, [one], "Bo")
    with pytest.raises(GalleryError, match=f"faces {one} and {other} of one photo would be one person"):
        made_up.gallery.merge("Anna", "Bo")
    hand_work.not_person(made_up.gallery, [one], "Bo")
    taken_back = last_change(made_up)
    hand_work.not_person(made_up.gallery, [other], "Anna")
    hand_work.name_faces(made_up.gallery, [other], "Bo")
    with pytest.raises(GalleryError, match="would be one person"):
        made_up.gallery.undo(taken_back)


def test_a_drawn_face_without_a_vector_takes_the_person(made_up: MadeUp) -> None:
    made_up.known("Anna", 1)
    face = made_up.photo(1)[0]
    made_up.refresh()
    assert person(made_up, face) == "Anna"
    new = NewFace((1.0, 1.0, 9.0, 9.0), None, 1.0, 0.0, "drawn by hand", True, None, None, True)
    with made_up.gallery.database.writing() as connection:
        drawn = album_faces.add_face(connection, 1, new, made_up.gallery.origin)
    hand_work.name_faces(made_up.gallery, [drawn], "Anna")
    made_up.refresh()
    assert person(made_up, face) is None


def test_a_camera_does_not_take_an_album_s_group_away(made_up: MadeUp) -> None:
    faces = [made_up.photo(3)[0] for _ in range(4)]
    made_up.refresh()
    number = hand_work.split_faces(made_up.gallery, faces[:1])
    made_up.refresh()
    made_up.gallery.strangers.take_back(number, learnt=True)
    assert group(made_up, faces[0]) == number


def test_undoing_leaves_what_a_camera_learnt(made_up: MadeUp) -> None:
    face, _, _ = (made_up.photo(3)[0] for _ in range(3))
    made_up.refresh()
    number = group(made_up, face)
    hand_work.ignore(made_up.gallery, groups=[number])
    ignoring = last_change(made_up)
    picture = np.full((40, 40, 3), 9, np.uint8)
    sighting = Sighting(made_up.vector(3), 0.0, 0.5, picture, "2024-05-01T12:00:00+00:00")
    made_up.gallery.strangers.learn(number, sighting, timedelta(days=20000))
    made_up.gallery.undo(ignoring)
    with made_up.gallery.database.reading() as connection:
        one = album_strangers.all_of_them(connection)[number]
    assert (one.made, one.ignored) == (False, False)


def test_groups_of_files_that_are_gone_are_not_shown(made_up: MadeUp) -> None:
    for _ in range(3):
        made_up.photo(3)
    made_up.refresh()
    album = Album.of_gallery(made_up.gallery, made_up.threshold.calibration)
    assert [len(group.faces) for group in album.groups()] == [3]
    with made_up.gallery.database.writing() as connection:
        connection.execute("DELETE FROM album_file WHERE name = '1.jpg'")
    assert [len(group.faces) for group in album.groups()] == [2]
    with made_up.gallery.database.writing() as connection:
        connection.execute("DELETE FROM album_file")
    assert album.groups() == ()


def move(made_up: MadeUp, faces: list[int], there: bool) -> None:
    """The files with these faces vanish, or are there again."""
    with made_up.gallery.database.writing() as connection:
        for face in faces:
            one = album_faces.face(connection, face)
            assert one is not None
            file = AlbumFile("/photos", f"{one.picture}.jpg", 1, one.picture, one.picture)
            if there:
                assert album_pictures.put_file(connection, file)
            else:
                album_pictures.drop_file(connection, file.folder, file.name)
        album_pictures.mark_vanished(connection)
        album_strangers.changed_by_hand(connection, faces)


def test_what_is_missing_does_not_count(made_up: MadeUp) -> None:
    """Neither in the number of sightings and the order of groups nor as what shows them; it all comes back."""
    large, small = ([made_up.photo(person)[0] for _ in range(count)] for person, count in ((3, 5), (4, 3)))
    alone = [made_up.photo(5)[0] for _ in range(2)]
    made_up.refresh()
    album = Album.of_gallery(made_up.gallery, made_up.threshold.calibration)
    before, people = album.groups(), made_up.gallery.strangers.list()
    numbers = {face: number for face, (_, number) in made_up.standing().items()}
    assert [one.sightings for one in before] == [5, 3, 2]
    gone = [*large[:3], *alone]
    move(made_up, gone, there=False)
    groups = album.groups()
    assert [(one.number, one.sightings) for one in groups] == [(numbers[small[0]], 3), (numbers[large[3]], 2)]
    assert [sorted(face.id for face in one.faces) for one in groups] == [small, large[3:]]
    with made_up.gallery.database.reading() as connection:
        shown = {bytes(row[0]) for row in connection.execute("SELECT vector FROM stranger_view").fetchall()}
        assert len(shown) == 5
        for face in gone:
            vector = album_faces.vector_of(connection, face)
            assert vector is not None and vector.tobytes() not in shown
    lost = made_up.gallery.strangers.list()[-1]
    assert (lost.number, lost.sightings, lost.views) == (numbers[alone[0]], 0, 0)
    assert made_up.gallery.check().problems == ()
    move(made_up, gone, there=True)
    assert album.groups() == before and made_up.gallery.strangers.list() == people


@pytest.mark.parametrize("count", [3, 12])
def test_a_group_whose_files_are_missing_gets_a_name(made_up: MadeUp, count: int) -> None:
    """With the templates that it would have given before; the person is known from then on."""
    faces = [made_up.photo(3)[0] for _ in range(count)]
    for _ in range(3):
        made_up.photo(4)
    made_up.refresh()
    number, strangers = group(made_up, faces[0]), made_up.gallery.strangers

    def templates() -> list[tuple[str, str, bytes, bytes | None]]:
        assert strangers.name(number, "Cleo", crops=True).templates == min(count, 5)
        return [
            (
                one.source_digest,
                one.source,
                one.vector.tobytes(),
                None if (crop := made_up.gallery.crop(one.id)) is None else crop.picture,
            )
            for one in made_up.gallery.templates("Cleo")
        ]

    before = templates()
    made_up.gallery.undo(last_change(made_up))
    made_up.refresh()
    move(made_up, faces, there=False)
    made_up.refresh()
    assert templates() == before
    new = made_up.photo(3)[0]
    made_up.refresh()
    assert person(made_up, new) == "Cleo" and made_up.gallery.check().problems == ()
    made_up.gallery.undo(last_change(made_up))
    move(made_up, faces, there=True)
    made_up.refresh()
    assert made_up.gallery.people() == () and {group(made_up, face) for face in faces} == {number}


def test_a_forgotten_folder_leaves_nothing_in_groups(made_up: MadeUp) -> None:
    """Also where the group goes on without it."""
    faces = [made_up.photo(3)[0] for _ in range(4)] + [made_up.photo(5)[0] for _ in range(4)]
    made_up.refresh()
    with made_up.gallery.database.writing() as connection:
        vector = album_faces.vector_of(connection, faces[0])
        connection.execute("UPDATE album_file SET folder = '/gone' WHERE name = '1.jpg'")
    assert vector is not None
    Album.of_gallery(made_up.gallery, made_up.threshold.calibration).forget("/gone")
    assert groups_of(made_up.standing()) == [faces[1:4], faces[4:]]
    with made_up.gallery.database.reading() as connection:
        rows = connection.execute("SELECT vector FROM stranger_view").fetchall()
    assert len(rows) == 7 and vector.tobytes() not in {bytes(row[0]) for row in rows}


def test_what_vanished_from_nobody_knows_where_goes_with_any_folder(made_up: MadeUp) -> None:
    """Before its folder was written down; what is known to be from another folder, and what is there, stays."""
    (lost,), (elsewhere,), (there,), (copied,) = (made_up.photo(person) for person in (3, 4, 5, 6))
    move(made_up, [lost, elsewhere], there=False)
    with made_up.gallery.database.writing() as connection:
        for face, folder in ((lost, None), (elsewhere, "/elsewhere"), (copied, None)):
            connection.execute(
                """
                UPDATE album_picture SET last_folder = ?
                WHERE id = (SELECT picture_id FROM album_face WHERE album_face.id = ?)
                """,
                (folder, face),
            )
    Album.of_gallery(made_up.gallery, made_up.threshold.calibration).forget("/gone")
    assert set(made_up.standing()) == {elsewhere, there, copied}


def test_without_crops_a_gallery_is_sound(made_up: MadeUp) -> None:
    for _ in range(3):
        made_up.photo(3)
    with made_up.gallery.database.writing() as connection:
        connection.execute("UPDATE album_face SET crop = NULL")
    made_up.refresh()
    assert made_up.gallery.check().problems == ()


def test_days_and_times(made_up: MadeUp) -> None:
    made_up.photo(3, taken="2024-01-01T12:00:00")
    album = Album.of_gallery(made_up.gallery, made_up.threshold.calibration)
    for day in ("2024-01-01", "20240101", "2024-W01-1"):
        assert len(album.find(since=day, until=day)) == 1
    assert album.find(since="2024-01-01T12:00:01") == () and album.find(until="20240101T115959") == ()


@pytest.mark.parametrize("number", [0, -1, 1 << 63, 1 << 200])
def test_numbers_that_nothing_has(made_up: MadeUp, number: int) -> None:
    for wrong in (
        lambda: hand_work.name_faces(made_up.gallery, [number], "Anna"),
        lambda: made_up.gallery.strangers.name(number, "Anna"),
        lambda: made_up.gallery.undo(number),
    ):
        with pytest.raises(GalleryError, match="there is no"):
            wrong()


def test_a_drawing_is_undone_after_what_was_said_of_it(made_up: MadeUp) -> None:
    made_up.photo(1)
    new = NewFace((1.0, 1.0, 9.0, 9.0), None, 1.0, 0.0, "drawn by hand", True, None, None, True)
    facts = {name: [] for name in ("faces", "templates", "made", "not", "strangers", "removed")}
    with made_up.gallery.database.writing() as connection:
        drawn = album_faces.add_face(connection, 1, new, made_up.gallery.origin)
        drawing = changes.record(connection, "album", [], {"did": "mark", **facts, "drawn": [drawn]})
    hand_work.name_faces(made_up.gallery, [drawn], "Anna")
    with pytest.raises(
        GalleryError, match=f"changed again by change {last_change(made_up)}; undo that first"
    ):
        made_up.gallery.undo(drawing)


def test_what_was_said_of_a_group_again_is_undone_first(made_up: MadeUp) -> None:
    """Changes of groups alone, which name no face; other groups do not matter."""
    for person in (1, 2):
        made_up.photo(person)
        made_up.photo(person)
    made_up.refresh()
    groups = sorted({group for _, group in made_up.standing().values()})
    assert len(groups) == 2
    hand_work.ignore(made_up.gallery, groups=[groups[1]])
    first = last_change(made_up)
    hand_work.ignore(made_up.gallery, groups=[groups[0]])
    other = last_change(made_up)
    hand_work.ignore(made_up.gallery, groups=[groups[1]], ignored=False)
    with pytest.raises(
        GalleryError, match=f"changed again by change {last_change(made_up)}; undo that first"
    ):
        made_up.gallery.undo(first)
    made_up.gallery.undo(other)


def test_the_copy_for_a_person_says_which_faces_have_a_vector(made_up: MadeUp) -> None:
    anna = made_up.known("Anna", 1)
    found = made_up.photo(1)[0]
    new = NewFace((1.0, 1.0, 9.0, 9.0), None, 1.0, 0.0, "drawn by hand", True, None, None, True)
    made_up.photo(9)
    with made_up.gallery.database.writing() as connection:
        drawn = album_faces.add_face(connection, 2, new, made_up.gallery.origin)
    hand_work.name_faces(made_up.gallery, [drawn], "Anna")
    made_up.refresh()
    with zipfile.ZipFile(io.BytesIO(person_copy(made_up.gallery, anna))) as archive:
        faces = json.loads(archive.read("person.json"))["faces"]
    assert {one["face"]: one["has_vector"] for one in faces} == {found: True, drawn: False}
