"""An album after its gallery was embedded again with other weights: the same people, groups, numbers and hand work."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from multiface.album import Album, hand_work
from multiface.album.refresh import refresh
from multiface.arrays import Floats
from multiface.errors import FingerprintMismatch, GalleryError
from multiface.gallery import Gallery, WantedFaces, album_faces, reembed
from multiface.gallery.reembedding import NOT_FOUND
from multiface.recognition import Recognizer, RecognizerSettings
from tests.album.conftest import DIMENSION, MadeUp
from tests.album.test_scanning import album, knowing, names, photos

__all__ = ["album", "knowing", "photos"]


def test_photos_are_embedded_again_where_they_lie(album: Album, photos: Path, tmp_path: Path) -> None:
    album.scan([photos])
    bob = next(face for hit in album.find("bob") for face in hit.faces if face.name == "bob")
    album.not_person(bob.id, "bob")
    drawn = album.mark(photos / "a" / "ada.jpg", (5.0, 5.0, 30.0, 30.0))
    before = {who: names(album, *who) for who in ((), ("ada",), ("bob",))}
    (group,) = album.groups()
    gallery = album._gallery
    settings = RecognizerSettings(threads=2, rate=0.001, flip=True)
    (photos / "a" / "both.jpg").rename(photos / "moved.jpg")  # found by its content
    with Recognizer(settings=settings) as mirrored:
        people = [one.templates for one in gallery.people()]
        done = mirrored.reembed(gallery, [photos])
        assert (done.switched, done.templates, done.faces, done.faces_lost) == (True, sum(people), 7, 0)
        assert (done.strangers, done.strangers_gone) == (1, 0)
        with pytest.raises(FingerprintMismatch):
            album.find("ada")
    with Recognizer(gallery=tmp_path / "g.sqlite", settings=settings) as again:
        assert again.gallery is not None and again.gallery.check().problems == ()
        now = Album(again)
        assert {who: names(now, *who) for who in before} == before
        assert [(one.number, one.sightings) for one in now.groups()] == [(group.number, 3)]
        with again.gallery.database.reading() as connection:
            vectors = album_faces.vectors(connection, again.gallery.origin)
            assert album_faces.face(connection, drawn) is not None
        for hit in now.find():
            path = Path(hit.paths[0])
            path = path if path.exists() else photos / "moved.jpg"
            analysis = again.analyse(path)
            for face in (one for one in hit.faces if one.id != drawn):
                wanted = analysis.embeddings[np.abs(analysis.faces.boxes - face.box).sum(1).argmin()]
                np.testing.assert_allclose(vectors.vectors[vectors.ids == face.id][0], wanted, atol=1e-5)
        assert now.scan([photos]).searched == 0  # nothing is searched again


@pytest.fixture
def turned() -> npt.NDArray[np.float64]:
    """Turns vectors, so that all cosines stay."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(DIMENSION, DIMENSION)))[0]


def test_faces_without_their_photo_come_from_crops(
    made_up: MadeUp, turned: npt.NDArray[np.float64], location: str
) -> None:
    """Groups, numbers and hand work stay; a face without a crop stays in its photo, without a vector."""
    first = [made_up.photo(3)[0] for _ in range(3)]
    second = [made_up.photo(4)[0] for _ in range(3)]
    anna = [made_up.photo(1)[0] for _ in range(3)]
    hand_work.name_faces(made_up.gallery, anna, "Anna")
    taken_back = made_up.photo(1)[0]
    hand_work.name_faces(made_up.gallery, [taken_back], "Anna")
    hand_work.not_person(made_up.gallery, [taken_back], "Anna")
    single = made_up.photo(9)[0]
    made_up.refresh()
    number = made_up.standing()[first[0]][1]
    hand_work.merge_groups(made_up.gallery, number, made_up.standing()[second[0]][1])
    refresh(made_up.gallery, made_up.threshold)
    standing = made_up.standing()
    assert {standing[face][1] for face in (*first, *second)} == {number}
    with made_up.gallery.database.writing() as connection:
        rows = connection.execute("SELECT crop, vector FROM album_face").fetchall()
        connection.execute("UPDATE album_face SET crop = NULL WHERE id = ?", (single,))
    vectors = {hashlib.sha256(crop).hexdigest(): np.frombuffer(vector, "<f4") for crop, vector in rows}

    def embed(wanted: Sequence[WantedFaces]) -> Iterable[list[Floats | str]]:
        for one in wanted:
            (facts,) = one.faces
            if facts is not None or not one.aligned:
                yield [NOT_FOUND]
            else:
                yield [(vectors[one.digest] @ turned).astype(np.float32)]

    new = replace(made_up.gallery.origin, fingerprint="ef" * 32)
    done = reembed(made_up.gallery, new, embed)
    assert (done.switched, done.templates, done.from_crops, done.faces, done.faces_lost) == (
        True,
        3,
        3,
        10,
        1,
    )
    with Gallery.open(location) as again:
        assert again.check().problems == ()
        now = MadeUp(again, made_up.threshold)
        now.refresh()
        del standing[single]
        assert now.standing() == standing
        with again.database.reading() as connection:
            assert album_faces.face(connection, single) is not None
        back = next(one for one in again.changes() if one.kind == "album" and one.facts["removed"])
        with pytest.raises(GalleryError, match="embedded again with other weights since"):
            again.undo(back.id)


def test_a_named_group_keeps_its_crops(made_up: MadeUp) -> None:
    for _ in range(3):
        made_up.photo(3)
    made_up.refresh()
    (stranger,) = made_up.gallery.strangers.list()
    named = made_up.gallery.strangers.name(stranger.number, "Cleo", crops=True)
    kept = [made_up.gallery.crop(one.id) for one in made_up.gallery.templates(named.id)]
    assert len(kept) == 3 and all(one is not None and one.aligned for one in kept)
