"""Faces of an album in SQL, as arrays."""

import numpy as np

from multiface.gallery import album_faces, album_pictures
from multiface.gallery.album_faces import NewFace, Standing
from multiface.gallery.album_pictures import AlbumFile, NewPicture
from multiface.gallery.gallery import Gallery


def test_faces_of_photos_and_films_come_as_arrays(gallery: Gallery) -> None:
    vectors = np.eye(gallery.origin.dimension, dtype=np.float32)[:3]
    with gallery.database.writing() as connection:
        nobody = album_faces.vectors(connection, gallery.origin)
        assert len(nobody) == 0 and nobody.seconds.shape == (0, 2)
        pictures = [
            album_pictures.add_picture(
                connection, NewPicture(f"{k:064x}", k == 1, 640, 480, "2026-01-01T00:00:00", True, "x", None)
            )
            for k in range(2)
        ]
        album_pictures.put_file(connection, AlbumFile("/photos", "a.jpg", 1, 1, pictures[0]))
        faces = [
            NewFace((0, 0, 9, 9), None, 0.9, 20.0, None, False, vectors[0], None),
            NewFace((9, 0, 19, 9), None, 0.9, 9.0, "blurred", True, vectors[1], None),
            NewFace((0, 0, 9, 9), (1.5, 3.25), 0.9, 15.0, None, False, vectors[2], None),
            NewFace((0, 0, 9, 9), (1.5, 3.25), 0.9, 15.0, None, False, None, None, True),
        ]
        ids = [
            album_faces.add_face(connection, pictures[at], face, gallery.origin)
            for at, face in zip((0, 0, 1, 1), faces, strict=True)
        ]
        album_faces.set_standing(connection, ids[1], Standing(None, None, True, True))
        found = album_faces.vectors(connection, gallery.origin)
    assert np.array_equal(found.vectors, vectors)
    assert found.ids.tolist() == ids[:3] and found.pictures.tolist() == [pictures[k] for k in (0, 0, 1)]
    assert found.persons.tolist() == found.strangers.tolist() == [-1, -1, -1]
    assert found.by_hand.tolist() == found.ignored.tolist() == [False, True, False]
    assert found.poor.tolist() == found.alone.tolist() == [False, True, False]
    assert found.quality.tolist() == [20, 9, 15] and found.there.tolist() == [True, True, False]
    assert np.array_equal(found.seconds, [[np.nan, np.nan], [np.nan, np.nan], [1.5, 3.25]], equal_nan=True)
