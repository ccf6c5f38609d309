"""A gallery that can only be read answers after changes as one that can be written, and stays as it is."""

import os
from collections.abc import Iterator

import pytest

from multiface.album import Album
from multiface.album.refresh import refresh
from multiface.errors import GalleryError, GalleryReadOnly, NotInGallery
from multiface.gallery import Gallery
from tests.album.conftest import MadeUp


@pytest.fixture
def reader(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """The same gallery, opened by somebody who may not write."""
    location = made_up.gallery.location
    if not location.startswith("postgresql:"):
        with monkeypatch.context() as patch:  # root may write anything
            patch.setattr(os, "access", lambda _path, mode, **_: not mode & os.W_OK)
            opened = Gallery.open(location)
        assert opened.database.read_only
    else:
        import psycopg

        with psycopg.connect(location, autocommit=True) as owner:
            owner.execute("DROP ROLE IF EXISTS reader")
            owner.execute("CREATE ROLE reader LOGIN")
            owner.execute("GRANT USAGE ON SCHEMA multiface TO reader")
            owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA multiface TO reader")
        opened = Gallery.open(location.replace("user=multiface", "user=reader"))
    with opened:
        yield opened
    if location.startswith("postgresql:"):
        with psycopg.connect(location, autocommit=True) as owner:
            owner.execute("DROP OWNED BY reader")
            owner.execute("DROP ROLE reader")


def test_it_answers_after_each_change(made_up: MadeUp, reader: Gallery) -> None:
    calibration = made_up.threshold.calibration
    mine, theirs = (Album.of_gallery(one, calibration) for one in (made_up.gallery, reader))
    assert theirs.find() == () and theirs.groups() == ()
    for person in (3, 3, 4, 4, 5):
        made_up.photo(person)
    mine.refresh()
    cleo = next(one.number for one in mine.groups() if one.faces[0].id == 1 or one.faces[1].id == 1)
    for change in ("new photos", "enrolled", "named", "another rate", "merged"):
        match change:
            case "new photos":
                made_up.photo(3, 4, 6), made_up.photo(6)
            case "enrolled":
                made_up.known("Dora", 4)
            case "named":
                made_up.gallery.strangers.name(cleo, "Cleo")
            case "another rate":
                mine, theirs = (Album.of_gallery(one, calibration, 0.05) for one in (made_up.gallery, reader))
            case "merged":
                made_up.gallery.merge("Cleo", "Dora")
        before = made_up.standing()
        answers = [theirs.find("Cleo") if change in ("named", "merged") else theirs.find()]
        answers += [theirs.groups(), theirs.single_faces(), theirs.find(unknown=True), theirs.photo(6)]
        assert made_up.standing() == before, change  # nothing was written
        expected = [mine.find("Cleo") if change in ("named", "merged") else mine.find()]
        expected += [mine.groups(), mine.single_faces(), mine.find(unknown=True), mine.photo(6)]
        assert answers == expected, change
        if change in ("new photos", "enrolled"):
            assert made_up.standing() != before, change  # it was not decided before
    with pytest.raises(NotInGallery):
        theirs.find("Nobody")
    with pytest.raises(GalleryReadOnly):
        theirs.ignore(faces=[1])


def test_a_change_between_two_questions_shows(made_up: MadeUp, reader: Gallery) -> None:
    for person in (3, 3, 4):
        made_up.photo(person)
    album = Album.of_gallery(reader, made_up.threshold.calibration)
    first = album.groups()
    assert [len(one.faces) for one in first] == [2]
    assert album.groups() == first
    made_up.photo(4)
    assert [len(one.faces) for one in album.groups()] == [2, 2]


def test_no_number_is_given_twice(made_up: MadeUp, reader: Gallery) -> None:
    """Who was enrolled for a while has the number again, though new people came meanwhile, in a larger group."""
    for person in (3, 3, 4, 4):
        made_up.photo(person)
    made_up.refresh()
    made_up.known("Dora", 4)
    made_up.refresh()
    made_up.gallery.undo(made_up.gallery.changes()[0].id)
    for _ in range(4):
        made_up.photo(5)
    calibration = made_up.threshold.calibration
    groups = Album.of_gallery(reader, calibration).groups()
    assert {one.number: sorted(face.id for face in one.faces) for one in groups} == {
        1: [1, 2],
        2: [3, 4],
        3: [5, 6, 7, 8],
    }
    assert groups == Album.of_gallery(made_up.gallery, calibration).groups()


def test_the_number_of_one_who_got_a_name_is_not_given_again(made_up: MadeUp, reader: Gallery) -> None:
    """On a server as far as the reader may know it."""
    if made_up.gallery.location.startswith("postgresql:"):
        with made_up.gallery.database.writing() as connection:
            connection.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA multiface TO reader")
    for person in (3, 3, 4, 4):
        made_up.photo(person)
    made_up.refresh()
    made_up.gallery.strangers.name(2, "Cleo")
    made_up.photo(6), made_up.photo(6)
    calibration = made_up.threshold.calibration
    groups = Album.of_gallery(reader, calibration).groups()
    assert [one.number for one in groups] == [1, 3]
    assert groups == Album.of_gallery(made_up.gallery, calibration).groups()


@pytest.mark.parametrize("damage", ["a vector", "what no copy takes"])
def test_a_damaged_gallery_is_an_error_that_names_it(made_up: MadeUp, reader: Gallery, damage: str) -> None:
    for person in (3, 3, 4):
        made_up.photo(person)
    made_up.refresh()
    made_up.photo(4)
    postgres = made_up.gallery.location.startswith("postgresql:")
    with made_up.gallery.database.writing() as connection:
        if damage == "a vector":
            connection.execute("UPDATE album_face SET vector = ? WHERE id = 2", (b"\0",))
        elif postgres:
            connection.execute("ALTER TABLE stranger_view DROP CONSTRAINT stranger_view_picture_digest_check")
        else:
            connection.execute("PRAGMA ignore_check_constraints = ON")
        if damage != "a vector":
            connection.execute("UPDATE stranger_view SET picture_digest = 'abc'")
    album = Album.of_gallery(reader, made_up.threshold.calibration)
    with pytest.raises(GalleryError, match="it is damaged") as raised:
        album.groups()
    assert str(raised.value).startswith(f"{reader.place}: ")
    assert raised.value.path == (None if postgres else reader.path)


def test_a_copy_that_is_closed_says_so(made_up: MadeUp) -> None:
    copy = made_up.gallery.in_memory()
    copy.close()
    with pytest.raises(GalleryError, match="already closed"):
        copy.people()


def test_a_copy_refers_to_nothing_that_is_not_there(made_up: MadeUp) -> None:
    """Neither at first nor once strangers left it, with what is kept of them."""
    for person in (3, 3, 4, 4):
        made_up.photo(person)
    made_up.refresh()
    made_up.known("Dora", 4)
    made_up.gallery.edit("Dora", cover=made_up.gallery.templates("Dora")[0].id)
    copy = made_up.gallery.in_memory()
    with copy.database.reading() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    refresh(copy, made_up.threshold)
    with copy.database.reading() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        views = connection.execute("SELECT DISTINCT stranger_id FROM stranger_view").fetchall()
        assert views == connection.execute("SELECT stranger_id FROM album_stranger").fetchall() == [(1,)]
