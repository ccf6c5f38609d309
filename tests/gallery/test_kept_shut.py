"""No file of a database that this process has open is opened as a picture, weights or a video.

Closing such a descriptor would drop SQLite's locks, and another process could write at the same time.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from multiface.errors import MultifaceError
from multiface.gallery import Gallery, VectorOrigin
from multiface.images import list_pictures, load_picture
from multiface.regular_file import open_regular
from multiface.video.sources.local_file import opened_file
from multiface.weights.hashing import sha256_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

ORIGIN = VectorOrigin("f" * 64, "weights", "detector", 4, False)
FILES = ("g.db", "g.db-wal", "g.db-shm")

OTHER_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("wrote")
except sqlite3.OperationalError as error:
    print(error)
"""


def another_writes(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_WRITER, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _each(read: Callable[[Path], object]) -> Callable[[Path], None]:
    def read_all(folder: Path) -> None:
        for name in FILES:
            with pytest.raises((OSError, MultifaceError), match="database in use"):
                read(folder / name)

    return read_all


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: list_pictures(folder),
        _each(load_picture),
        _each(sha256_of),
        _each(open_regular),
        _each(lambda path: opened_file(path, path.name)),
        _each(lambda path: open_regular(path.parent / "link" / path.name)),
    ],
    ids=["listing", "picture", "weights", "file", "video", "through a link"],
)
def test_the_lock_of_a_writer_outlives_a_look_at_the_files(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with Gallery.open(tmp_path / "g.db", ORIGIN, create=True) as gallery:
        with gallery.database.writing():
            assert another_writes(tmp_path / "g.db") == "database is locked"
            read(tmp_path)
            assert another_writes(tmp_path / "g.db") == "database is locked"
        assert another_writes(tmp_path / "g.db") == "wrote"


def test_a_gallery_in_a_folder_of_pictures_is_passed_over(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g.db", ORIGIN, create=True):
        assert {path.name for path in list_pictures(tmp_path).ignored} == set(FILES)


def test_a_closed_gallery_is_a_file_like_others(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g.db", ORIGIN, create=True):
        pass
    with open_regular(tmp_path / "g.db") as file:
        assert file.read(15) == b"SQLite format 3"


def test_a_gallery_that_is_open_twice_stays_shut_until_both_are_closed(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g.db", ORIGIN, create=True):
        with Gallery.open(tmp_path / "g.db", ORIGIN):
            pass
        with pytest.raises(OSError, match="database in use"):
            open_regular(tmp_path / "g.db")


def test_a_forgotten_gallery_and_one_that_could_not_be_opened_are_let_go(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(MultifaceError):
        Gallery.open(tmp_path / "other.db", ORIGIN)
    open_regular(tmp_path / "other.db").close()


def test_other_files_are_read_while_a_gallery_is_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with Gallery.open(tmp_path / "g.db", ORIGIN, create=True), open_regular(tmp_path / "file") as file:
        assert file.read() == b"x"
