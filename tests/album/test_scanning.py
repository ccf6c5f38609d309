"""Scanning real files: what is new is searched once, moved files are found again, hand work stays. Drawn faces."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import pytest

from multiface import Recognizer, RecognizerSettings
from multiface.album import Album
from multiface.album.pages import hits_page
from multiface.album.xmp import Region, read_regions, write_sidecar
from multiface.errors import GalleryError, PictureError, UsageError
from multiface.gallery import Gallery
from multiface.images.box import Box
from multiface.recognition.demo import PORTRAIT
from tests.drawn_faces import drawn_face, group_of, save_people


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """A recogniser whose gallery knows Ada and Bob, to be copied."""
    folder = tmp_path_factory.mktemp("album")
    with Recognizer(
        gallery=folder / "g.sqlite", create=True, settings=RecognizerSettings(threads=2, rate=0.001)
    ) as opened:
        opened.sync(save_people(folder / "people", {"ada": 3, "bob": 3}))
        yield opened


@pytest.fixture
def album(knowing: Recognizer, tmp_path: Path) -> Iterator[Album]:
    assert knowing.gallery is not None
    knowing.gallery.backup(tmp_path / "g.sqlite")
    with Gallery.open(tmp_path / "g.sqlite") as gallery:
        was, knowing.gallery = knowing.gallery, gallery
        try:
            yield Album(knowing)
        finally:
            knowing.gallery = was


def stretched(name: str) -> npt.NDArray[np.uint8]:
    """A picture that no network takes for a copy of `drawn_face`."""
    return np.asarray(PIL.Image.fromarray(drawn_face(name)).resize((290, 200)).crop((45, 0, 245, 200)))


def with_a_beard(name: str) -> npt.NDArray[np.uint8]:
    """Another one."""
    image = PIL.Image.fromarray(drawn_face(name))
    PIL.ImageDraw.Draw(image).rectangle((55, 125, 145, 165), fill=(60, 40, 30))
    return np.asarray(image)


def save(path: Path, picture: npt.NDArray[np.uint8], exif_time: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PIL.Image.fromarray(picture)
    exif = image.getexif()
    if exif_time is not None:
        exif.get_ifd(0x8769)[0x9003] = exif_time
    image.save(path, quality=95, exif=exif)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save(folder / "a" / "ada.jpg", drawn_face("ada", 4), "2020:05:01 10:00:00")
    save(
        folder / "a" / "both.jpg", group_of(drawn_face("ada", 5), drawn_face("bob", 5)), "2021:05:01 10:00:00"
    )
    save(folder / "b" / "cleo1.jpg", drawn_face("cleo"), "2022:05:01 10:00:00")
    save(folder / "b" / "cleo2.jpg", stretched("cleo"), "2022:06:01 10:00:00")
    save(
        folder / "b" / "with-cleo.jpg",
        group_of(drawn_face("ada", 6), with_a_beard("cleo")),
        "2023:01:01 10:00:00",
    )
    (folder / "notes.txt").write_text("no photo")
    return folder


def names(album: Album, *people: str, **options: object) -> list[str]:
    return [Path(hit.paths[0]).name for hit in album.find(*people, **options)]  # type: ignore[arg-type]


def test_the_whole_way(album: Album, photos: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    report = album.scan([photos], progress=lambda done, total: steps.append((done, total)))
    assert (report.searched, report.faces, report.unchanged, report.left_out) == (5, 7, 0, ())
    assert steps[0] == (0, 5) and steps[-1] == (5, 5)
    assert names(album, "ada") == ["ada.jpg", "both.jpg", "with-cleo.jpg"]
    assert names(album, "ada", "bob") == ["both.jpg"]
    assert names(album, "ada", without=["bob"]) == ["ada.jpg", "with-cleo.jpg"]
    assert names(album, "ada", only=True) == ["ada.jpg"]
    assert names(album, "ada", "bob", only=True) == ["both.jpg"]
    assert names(album, "ada", unknown=True) == ["with-cleo.jpg"]
    assert names(album, unknown=True) == ["cleo1.jpg", "cleo2.jpg", "with-cleo.jpg"]
    assert names(album, "ada", since="2021-05-01") == ["both.jpg", "with-cleo.jpg"]
    assert names(album, "ada", until="2021-05-01") == ["ada.jpg", "both.jpg"]
    assert names(album, "ada", since="2021-05-01T10:00:01", until="2022-01-01") == []
    (hit,) = album.find("ada", "bob")
    assert (hit.width, hit.height, hit.taken, hit.film) == (1000, 300, "2021-05-01T10:00:00", False)
    assert sorted(face.name or "" for face in hit.faces) == ["ada", "bob"]
    ada = next(face for face in hit.faces if face.name == "ada")
    assert 200 < ada.box[0] < ada.box[2] < 400  # the left one of two

    (group,) = album.groups()
    assert group.sightings == 3 and len(group.faces) == 3
    assert group.near is not None and group.near.person.name == "bob"
    assert 0.8 * group.near.wanted < group.near.similarity < group.near.wanted
    assert (album.crop(group.faces[0].id) or b"")[:2] == b"\xff\xd8"
    person = album.name(group.number, "Cleo")
    assert names(album, "Cleo") == ["cleo1.jpg", "cleo2.jpg", "with-cleo.jpg"] and person.templates == 3
    assert names(album, "ada", "Cleo") == ["with-cleo.jpg"] and album.groups() == ()
    album.undo(_last_change(album))
    assert [one.number for one in album.groups()] == [group.number]


def _last_change(album: Album) -> int:
    return album._gallery.changes()[0].id


def test_a_second_scan_searches_only_what_is_new(album: Album, photos: Path) -> None:
    album.scan([photos])
    again = album.scan([photos])
    assert (again.searched, again.known, again.unchanged) == (0, 0, 5)
    save(photos / "new.jpg", drawn_face("bob", 7))
    os.utime(photos / "a" / "ada.jpg", (1, 1))  # touched, the same content
    third = album.scan([photos])
    assert (third.searched, third.known, third.unchanged) == (1, 1, 4)
    assert names(album, "bob") == ["both.jpg", "new.jpg"]


def test_moved_copied_and_vanished_files(album: Album, photos: Path) -> None:
    album.scan([photos])
    (photos / "b" / "cleo1.jpg").rename(photos / "moved.jpg")
    shutil.copy(photos / "a" / "ada.jpg", photos / "b" / "copy.jpg")
    (photos / "b" / "cleo2.jpg").unlink()
    report = album.scan([photos])
    assert (report.searched, report.known) == (0, 2)
    assert report.vanished == (str(photos / "b" / "cleo1.jpg"), str(photos / "b" / "cleo2.jpg"))
    (hit,) = album.find("ada", only=True)
    assert hit.paths == (str(photos / "a" / "ada.jpg"), str(photos / "b" / "copy.jpg"))
    assert names(album, unknown=True) == ["moved.jpg", "with-cleo.jpg"]


def test_hand_work_survives_a_move_by_way_of_nowhere(album: Album, photos: Path, tmp_path: Path) -> None:
    album.scan([photos])
    (face,) = album.find(since="2022-05-01", until="2022-05-02")[0].faces
    album.name_faces([face.id], "Dora")
    shutil.move(photos / "b" / "cleo1.jpg", tmp_path / "away.jpg")
    album.scan([photos])
    assert "cleo1.jpg" not in names(album, "Dora")
    shutil.move(tmp_path / "away.jpg", photos / "back.jpg")
    album.scan([photos])
    assert "back.jpg" in names(album, "Dora")


def test_an_edited_file_keeps_its_hand_work(album: Album, photos: Path) -> None:
    album.scan([photos])
    (hit,) = album.find("ada", "bob")
    ada, bob = (next(face for face in hit.faces if face.name == name) for name in ("ada", "bob"))
    album.not_person(bob.id, "bob")
    album.ignore(faces=[ada.id])
    # Scaled by half and lighter: other bytes, other boxes.
    picture = (
        PIL.Image.open(photos / "a" / "both.jpg").resize((500, 150)).point(lambda value: min(255, value + 9))
    )
    picture.save(photos / "a" / "both.jpg", quality=95)
    assert album.scan([photos]).searched == 1
    assert "both.jpg" not in names(album, "bob") + names(album, "ada")
    edited = next(hit for hit in album.find() if Path(hit.paths[0]).name == "both.jpg")
    assert edited.width == 500 and sorted(face.ignored for face in edited.faces) == [False, True]


def test_searching_everything_again_keeps_hand_work(album: Album, photos: Path) -> None:
    album.scan([photos])
    (face,) = album.find(since="2022-05-01", until="2022-05-02")[0].faces
    album.name_faces([face.id], "Dora")
    drawn = album.mark(photos / "a" / "ada.jpg", (0, 150, 40, 190), "Ghost")
    report = album.scan([photos], again=True)
    assert (report.searched, report.unchanged) == (5, 0)
    assert "cleo1.jpg" in names(album, "Dora")
    assert names(album, "Ghost") == ["ada.jpg"]
    assert drawn in {face.id for face in album.find("Ghost")[0].faces}
    assert face.id in {face.id for hit in album.find("Dora") for face in hit.faces}
    album.undo(_last_change(album))  # what was said before can be taken back
    with pytest.raises(GalleryError, match="nobody called"):
        album.find("Ghost")


def test_searching_everything_again_keeps_groups(album: Album, photos: Path) -> None:
    album.scan([photos])
    (group,) = album.groups()
    album.ignore(groups=[group.number])
    album.scan([photos], again=True)
    (after,) = album.groups()
    assert after.number == group.number and after.ignored
    assert {face.id for face in after.faces} == {face.id for face in group.faces}


def test_a_face_that_was_not_found_is_drawn(album: Album, photos: Path) -> None:
    picture = group_of(drawn_face("ada", 5), np.full((200, 200, 3), 90, np.uint8))
    picture[100:110, 640:650] = 255
    save(photos / "half.jpg", picture)
    album.scan([photos])
    before = names(album, "bob")
    face = album.mark(photos / "half.jpg", (600, 50, 800, 250), "bob")
    assert names(album, "bob") == [*before, "half.jpg"]
    assert album.crop(face) is not None
    with pytest.raises(GalleryError, match="already"):
        album.mark(photos / "half.jpg", (600, 50, 800, 250))
    with pytest.raises(UsageError, match="not in 1000 x 300"):
        album.mark(photos / "half.jpg", (600, 50, 1800, 250))
    with pytest.raises(GalleryError, match="not in the album"):
        album.mark(PORTRAIT, (60, 50, 180, 250))
    album.undo(_last_change(album))
    album.undo(next(one.id for one in album._gallery.changes() if one.can_be_undone))
    assert names(album, "bob") == before


def test_a_drawn_box_around_a_face_embeds_it(album: Album, photos: Path) -> None:
    album.scan([photos])
    (face,) = album.find("ada", only=True)[0].faces
    box = tuple(round(side) for side in face.box)
    drawn = album.mark(photos / "a" / "ada.jpg", (float(box[0] + 1), *map(float, box[1:])))  # type: ignore[arg-type]
    faces = album.find("ada", only=False, until="2020-12-31")[0].faces
    assert [one.fault for one in faces if one.id == drawn] == [None]


def test_odd_files_are_told_and_tried_again(album: Album, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xffno picture")
    (photos / "empty.png").write_bytes(b"")
    os.mkfifo(photos / "pipe.jpg")
    report = album.scan([photos])
    assert sorted(Path(one.path).name for one in report.left_out) == ["broken.jpg", "empty.png"]
    assert report.searched == 5
    again = album.scan([photos])
    assert again.left_out == () and again.unchanged == 7  # the same bytes end the same way
    shutil.copy(photos / "a" / "ada.jpg", photos / "broken.jpg")
    assert album.scan([photos]).known == 1


def test_what_cannot_be_meant(album: Album, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such folder"):
        album.scan([photos, tmp_path / "nothing"])
    with pytest.raises(PictureError, match="is not a folder"):
        album.scan([photos / "notes.txt"])
    with pytest.raises(UsageError):
        album.scan([])
    with pytest.raises(UsageError):
        album.scan([photos], jobs=0)
    assert album.find() == ()
    with pytest.raises(GalleryError, match="nobody called"):
        album.find("Zoe")
    with pytest.raises(UsageError, match="a day is written as"):
        album.find(since="yesterday")


def test_a_drive_that_is_not_there_forgets_nothing(album: Album, photos: Path, tmp_path: Path) -> None:
    album.scan([photos])
    photos.rename(tmp_path / "elsewhere")
    photos.mkdir()
    with pytest.raises(UsageError, match="none of the 5"):
        album.scan([photos])
    assert len(album.find("ada")) == 3
    assert album.forget(photos) == 5
    assert album.find() == () and album.groups() == ()


def test_forgetting_a_folder_is_about_that_folder_alone(album: Album, photos: Path, tmp_path: Path) -> None:
    """Also where files are missing: of others they may come back, of this one nothing is kept."""
    shutil.copy(photos / "b" / "cleo2.jpg", photos / "b" / "z.jpg")
    album.scan([photos])
    first = {Path(hit.paths[0]).name: hit.faces[0].id for hit in album.find()}
    album.ignore(faces=[first["ada.jpg"], first["cleo1.jpg"], first["cleo2.jpg"]])
    gone = [photos / "a" / "ada.jpg", photos / "b" / "cleo1.jpg"]
    for file in gone:
        shutil.move(file, tmp_path / file.name)
    shutil.move(photos / "b" / "z.jpg", photos / "a" / "z.jpg")  # a copy is in the other folder
    album.scan([photos])
    album.forget(photos / "b")
    for file in gone:
        shutil.move(tmp_path / file.name, file)
    album.scan([photos])
    ignored = {hit.paths for hit in album.find() if hit.faces[0].ignored}
    assert ignored == {(str(gone[0]),), (str(photos / "a" / "z.jpg"), str(photos / "b" / "cleo2.jpg"))}


def test_copies_are_searched_once(album: Album, photos: Path) -> None:
    for number in range(9):
        shutil.copy(photos / "b" / "cleo1.jpg", photos / "b" / f"copy{number}.jpg")
    report = album.scan([photos], jobs=1)
    assert report.searched + report.known == 14 and report.searched < 14
    (hit,) = [hit for hit in album.find() if len(hit.paths) > 1]
    assert len(hit.paths) == 10 and len(hit.faces) == 1


def test_a_file_that_is_half_written_keeps_its_hand_work(album: Album, photos: Path) -> None:
    album.scan([photos])
    (face,) = album.find(since="2022-05-01", until="2022-05-02")[0].faces
    album.ignore(faces=[face.id])
    whole = PIL.Image.open(photos / "b" / "cleo1.jpg").point(lambda value: min(255, value + 9))
    (photos / "b" / "cleo1.jpg").write_bytes((photos / "b" / "cleo1.jpg").read_bytes()[:200])
    for again in (False, True):
        assert [Path(one.path).name for one in album.scan([photos], again=again).left_out] == ["cleo1.jpg"]
    save(photos / "b" / "cleo1.jpg", np.asarray(whole))
    assert album.scan([photos]).searched == 1
    (hit,) = [hit for hit in album.find() if Path(hit.paths[0]).name == "cleo1.jpg"]
    assert [face.ignored for face in hit.faces] == [True]


def test_a_name_that_is_not_utf_8(album: Album, photos: Path) -> None:
    odd = os.fsdecode(os.fsencode(photos / "a") + b"/caf\xe9.jpg")
    try:
        shutil.move(photos / "a" / "ada.jpg", odd)
    except OSError:
        pytest.skip("needs a file system that takes names in any encoding")
    album.scan([photos])
    (hit,) = album.find("ada", only=True)
    assert hit.paths == (f"{photos}/a/caf\\udce9.jpg",)
    assert b"<img" in hits_page("Ada", [hit], frozenset())
    assert album.export_names("ada").failed == ()
    assert {region.name for region in read_regions(Path(odd)).own} == {"ada"}
    Path(odd).unlink()
    assert album.scan([photos]).vanished == hit.paths
    assert album.find("ada", only=True) == ()


def test_a_folder_in_a_folder_counts_once(album: Album, photos: Path) -> None:
    assert album.scan([photos / "a"]).searched == 2
    assert album.scan([photos / "b", photos, photos]).searched == 3
    assert len(album.find()) == 5 and all(len(hit.paths) == 1 for hit in album.find())
    report = album.scan([photos / "a"])
    assert (report.unchanged, report.vanished) == (2, ())


def test_a_scan_that_was_cut_off_goes_on(album: Album, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiface.album.scanning._BATCH", 1)

    class Stop(Exception):
        pass

    def stop(done: int, _total: int | None) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        album.scan([photos], progress=stop)
    report = album.scan([photos])
    assert report.searched + report.unchanged == 5 and report.unchanged >= 3
    assert len(album.find("ada")) == 3


def test_without_crops(album: Album, photos: Path) -> None:
    album.scan([photos], crops=False)
    assert all(album.crop(face.id) is None for hit in album.find() for face in hit.faces)
    (group,) = album.groups()
    album.name(group.number, "Cleo")
    assert len(album.find("Cleo")) == 3


def test_a_film(album: Album, photos: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(photos / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", 10)
        stream.width, stream.height, stream.bit_rate = 400, 400, 8_000_000
        for number in range(60):
            name = "ada" if number < 30 else "cleo"
            picture = np.asarray(PIL.Image.fromarray(drawn_face(name)).resize((400, 400)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    album.scan([photos])
    (film,) = [hit for hit in album.find("ada") if hit.film]
    (ada, cleo) = sorted(film.faces, key=lambda face: face.seconds or (0, 0))
    assert ada.name == "ada" and ada.seconds == (0.0, 2.0)
    assert cleo.name is None and cleo.seconds == (3.0, 5.0)
    (group,) = album.groups()
    assert cleo.id in {face.id for face in group.faces}


def test_forgotten_at_last(album: Album, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What vanished long ago is gone from the file's bytes."""
    album.scan([photos])
    place = album._gallery.path
    (photos / "a" / "ada.jpg").unlink()
    with album._gallery.database.reading() as connection:
        rows = connection.execute("SELECT vector FROM album_face ORDER BY id").fetchall()
    first = bytes(rows[0][0])
    album.scan([photos])
    assert first in b"".join(file.read_bytes() for file in place.parent.glob("g.sqlite*"))
    monkeypatch.setattr("multiface.album.scanning.KEPT_DAYS", -1)
    album.scan([photos])
    assert first not in b"".join(file.read_bytes() for file in place.parent.glob("g.sqlite*"))


def test_a_removed_person_leaves_every_byte(album: Album, photos: Path) -> None:
    """After naming a group and a face, drawing, correcting and undoing."""
    album.scan([photos])
    (group,) = album.groups()
    album.name(group.number, "Cleopatra")
    album.undo(_last_change(album))
    album.name_faces([group.faces[0].id], "Cleopatra")
    album.not_person(group.faces[1].id, "Cleopatra")
    album.name_faces([group.faces[1].id], "Cleopatra")
    album.mark(photos / "a" / "ada.jpg", (0, 150, 40, 190), "Somebody")
    gallery = album._gallery
    gallery.merge("Cleopatra", "Somebody")
    number = gallery.person("Cleopatra").number
    with gallery.database.reading() as connection:
        rows = connection.execute(
            "SELECT vector, crop FROM album_face WHERE person_id = ?", (number,)
        ).fetchall()
        rows += connection.execute(
            "SELECT vector, NULL FROM template WHERE person_id = ?", (number,)
        ).fetchall()
    # A JPEG begins with tables that all of its kind share.
    parts = [bytes(vector) for vector, _ in rows if vector] + [
        bytes(crop)[-400:-20] for _, crop in rows if crop
    ]
    parts += [b"Cleopatra", b"Somebody"]
    assert len(parts) > 8

    def left() -> list[bytes]:
        data = b"".join(file.read_bytes() for file in gallery.path.parent.glob("g.sqlite*"))
        return [part for part in parts if part in data]

    assert left() == parts
    assert gallery.remove("Cleopatra").faces == 4
    assert left() == []


def test_names_go_out_and_come_in_as_xmp(album: Album, photos: Path) -> None:
    album.scan([photos])
    report = album.export_names()
    assert (report.written, report.unchanged, report.kept, report.failed) == (3, 0, (), ())
    assert sorted(path.name for path in photos.rglob("*.xmp")) == [
        "ada.jpg.xmp",
        "both.jpg.xmp",
        "with-cleo.jpg.xmp",
    ]
    again = album.export_names()
    assert (again.written, again.unchanged) == (0, 3)
    assert {region.name for region in read_regions(photos / "a" / "both.jpg").own} == {"ada", "bob"}

    # What is not true any more goes; what others drew comes in.
    (hit,) = album.find("ada", "bob")
    bob = next(face for face in hit.faces if face.name == "bob")
    album.not_person(bob.id, "bob")
    write_as_others(photos / "b" / "cleo1.jpg", ("Cleo", (48, 40, 152, 178)))
    write_as_others(photos / "b" / "cleo2.jpg", ("Ghost", (2, 150, 40, 195)))
    taken_up = album.import_names()
    assert (taken_up.named, taken_up.drawn, taken_up.known, taken_up.people) == (1, 1, 0, ("Cleo", "Ghost"))
    assert taken_up.failed == () and taken_up.kept == ()
    assert names(album, "Ghost") == ["cleo2.jpg"] and "cleo1.jpg" in names(album, "Cleo")
    once_more = album.import_names()
    assert (once_more.named, once_more.drawn, once_more.known) == (0, 0, 2)
    assert album.export_names().failed == ()
    assert {region.name for region in read_regions(photos / "a" / "both.jpg").own} == {"ada"}
    assert [region.name for region in read_regions(photos / "b" / "cleo1.jpg").regions] == ["Cleo"]


def test_one_name_on_two_faces_is_left_out_and_the_rest_comes_in(album: Album, photos: Path) -> None:
    album.scan([photos])
    boxes = {Path(hit.paths[0]).name: [face.box for face in hit.faces] for hit in album.find()}
    write_as_others(photos / "a" / "both.jpg", *(("Zoe", box) for box in boxes["both.jpg"]))
    write_as_others(photos / "b" / "cleo1.jpg", ("Zoe", boxes["cleo1.jpg"][0]))
    report = album.import_names()
    assert (report.named, report.people) == (2, ("Zoe",))
    assert [Path(path).name for path, _ in report.failed] == ["both.jpg"]
    assert set(names(album, "Zoe")) >= {"both.jpg", "cleo1.jpg"}


def test_an_import_decides_anew_once(album: Album, photos: Path, tmp_path: Path) -> None:
    """However many regions come in, drawn or not."""
    album.scan([photos])
    for name in ("ada.jpg", "both.jpg"):
        write_as_others(photos / "a" / name, (f"Ghost of {name}", (2, 150, 40, 195)))
    write_as_others(photos / "b" / "cleo2.jpg", ("Ghost", (2, 150, 40, 195)))
    write_as_others(photos / "b" / "cleo1.jpg", ("Cleo", (48, 40, 152, 178)))
    with closing(sqlite3.connect(tmp_path / "g.sqlite")) as other:
        other.executescript("""
            CREATE TABLE decided (face);
            CREATE TRIGGER decided AFTER UPDATE ON album_state WHEN new.settings <> '' AND new.changed = '[]'
            BEGIN INSERT INTO decided VALUES (new.face); END;
        """)
        report = album.import_names()
        assert (report.drawn, report.named, report.failed) == (3, 1, ())
        assert other.execute("SELECT count(*) FROM decided").fetchone() == (1,)


def test_copies_that_say_the_same_are_no_news(album: Album, photos: Path) -> None:
    shutil.copy(photos / "b" / "cleo1.jpg", photos / "a" / "copy.jpg")
    album.scan([photos])
    (hit,) = [hit for hit in album.find() if len(hit.paths) > 1]
    for path in hit.paths:
        write_as_others(Path(path), ("Zoe", hit.faces[0].box), ("Max", (0.0, 150.0, 40.0, 190.0)))
    report = album.import_names()
    assert (report.named, report.drawn, report.failed) == (1, 1, ())
    (after,) = [hit for hit in album.find() if len(hit.paths) > 1]
    assert sorted(face.name or "" for face in after.faces) == ["Max", "Zoe"]


def test_names_go_into_the_photos_when_asked(album: Album, photos: Path) -> None:
    album.scan([photos])
    pixels = np.asarray(PIL.Image.open(photos / "a" / "ada.jpg"))
    report = album.export_names("ada", into_pictures=True)
    assert report.written == 3 and list(photos.rglob("*.xmp")) == []
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(photos / "a" / "ada.jpg")), pixels)
    assert {region.name for region in read_regions(photos / "a" / "ada.jpg").own} == {"ada"}
    scanned = album.scan([photos])
    assert scanned.searched == 3  # other bytes; hand work and names are as before
    assert names(album, "ada") == ["ada.jpg", "both.jpg", "with-cleo.jpg"]


def write_as_others(picture: Path, *named: tuple[str, Box]) -> None:
    """A sidecar that another program wrote."""
    written = write_sidecar(picture, [Region(name, box) for name, box in named])
    text = written.path.read_text(encoding="utf-8")
    written.path.write_text(re.sub(r"<multiface:Written.*?</multiface:Written>", "", text, flags=re.DOTALL))
