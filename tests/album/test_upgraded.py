"""Albums that the last version left whose state was one text: nothing is decided anew but what was left to be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from multiface.album.refresh import is_fresh, refresh
from multiface.decision import Calibration
from multiface.gallery import Gallery, album_faces, album_strangers, postgres_schema
from multiface.gallery.album_strangers import AlbumState
from multiface.gallery.contents import VectorOrigin
from multiface.recognition.gallery_threshold import GalleryThreshold

OLD = Path(__file__).parents[1] / "gallery" / "old_files"


@pytest.fixture
def old(location: str | Path, origin: VectorOrigin, monkeypatch: pytest.MonkeyPatch) -> str | Path:
    """See `old_files/README.md`."""
    if isinstance(location, Path):
        with closing(sqlite3.connect(location)) as connection:
            connection.executescript((OLD / "version_12.sql").read_text(encoding="utf-8"))
        return location
    import psycopg

    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "STEPS", postgres_schema.STEPS[:6])
        patch.setattr(postgres_schema, "VERSION", 6)
        Gallery.open(location, origin, create=True).close()
    with psycopg.connect(location) as other:
        other.execute("DELETE FROM multiface.origin")
        for statement in (OLD / "postgres_6.sql").read_text(encoding="utf-8").splitlines():
            other.execute(statement.encode())
    return location


def test_nothing_is_lost(old: str | Path, calibration: Calibration) -> None:
    with Gallery.open(old) as gallery:
        with gallery.database.reading() as connection:
            state = album_strangers.state(connection)
            before = album_faces.vectors(connection, gallery.origin)
        words = ", ".join(
            (calibration.fingerprint, calibration.detector, calibration.source, calibration.made_by)
        )
        assert state == AlbumState(1, 5, words, 0.01, 4, frozenset({1}))
        assert before.strangers.tolist() == [-1, 1, 1, 2, 2]
        threshold = GalleryThreshold(calibration, 0.01)
        assert not is_fresh(gallery, threshold)  # somebody said "not Anna" afterwards
        refresh(gallery, threshold)
        assert is_fresh(gallery, threshold) and gallery.check().problems == ()
        with gallery.database.reading() as connection:
            after = album_faces.vectors(connection, gallery.origin)
            assert album_strangers.state(connection) == AlbumState(1, 5, words, 0.01, 8, frozenset())
        assert after.strangers.tolist() == [-1, 1, 1, 2, 2] and (after.persons == -1).all()


@pytest.mark.parametrize(
    ("text", "settings", "level", "changed"),
    [("a, b, 1e-05;4", "a, b", 4, ()), ("", "", 0, ()), ("a, 1e-05;1024;1 20 300", "a", 1024, (1, 20, 300))],
)
def test_every_form_of_the_text(
    old: str | Path, text: str, settings: str, level: int, changed: tuple[int, ...]
) -> None:
    update = "UPDATE {}album_state SET settings = '" + text + "'"
    if isinstance(old, Path):
        with closing(sqlite3.connect(old)) as connection:
            connection.execute(update.format(""))
            connection.commit()
    else:
        import psycopg

        with psycopg.connect(old) as other:
            other.execute(update.format("multiface.").encode())
    with Gallery.open(old) as gallery, gallery.database.reading() as connection:
        rate = 1e-05 if text else None
        expected = AlbumState(1, 5, settings, rate, level, frozenset(changed))
        assert album_strangers.state(connection) == expected
