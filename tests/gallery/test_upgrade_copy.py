"""A service copies a gallery that an older version made before it changes its tables."""

import sqlite3
from contextlib import closing
from pathlib import Path

from multiface.gallery import Gallery, schema
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.upgrade_copy import copy_before_upgrade


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def older(path: Path, origin: VectorOrigin, steps: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number in range(1, steps + 1):
            schema.take_step(connection, number)
        connection.execute(
            "INSERT INTO origin (id, fingerprint, weights, detector, dimension, created) VALUES (1, ?, ?, ?, ?, '')",
            (origin.fingerprint, origin.weights, origin.detector, origin.dimension),
        )


def test_the_copy_is_the_gallery_as_it_was(tmp_path: Path, origin: VectorOrigin) -> None:
    path, before = tmp_path / "g.sqlite", schema.VERSION - 1
    older(path, origin, before)
    copy = copy_before_upgrade(str(path))
    assert copy == tmp_path / f"g.sqlite.schema-{before}"
    Gallery.open(path, origin).close()
    assert (version(path), version(copy)) == (schema.VERSION, before)
    assert copy.stat().st_mode & 0o077 == 0
    content = copy.read_bytes()
    assert copy_before_upgrade(str(path)) is None  # up to date now
    assert copy.read_bytes() == content


def test_nothing_is_copied_without_need(tmp_path: Path, origin: VectorOrigin) -> None:
    assert copy_before_upgrade(str(tmp_path / "none.sqlite")) is None
    Gallery.open(tmp_path / "new.sqlite", origin, create=True).close()
    assert copy_before_upgrade(str(tmp_path / "new.sqlite")) is None
    assert copy_before_upgrade("postgresql://user@host/database") is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new.sqlite"]
