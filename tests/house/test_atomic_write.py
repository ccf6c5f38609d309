"""A file is there whole or not at all, and is readable by whom it should be."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiface.atomic_write import whole_file, write_whole


@pytest.fixture
def umask() -> Iterator[None]:
    """A umask that takes writing from the group and everything from others."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
@pytest.mark.usefixtures("umask")
def test_the_umask_decides_unless_the_file_is_private(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"x")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    write_whole(tmp_path / "a", b"y", private=True)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").read_bytes() == b"y"


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a") as file:
        file.write(b"half of the new")
        raise RuntimeError
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    (tmp_path / "folder").mkdir()
    for bad in (tmp_path / "missing" / "a", tmp_path / "folder"):
        with pytest.raises(OSError, match=bad.name):
            write_whole(bad, b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([k]) * 300_000 for k in range(8)]
    writers = [threading.Thread(target=write_whole, args=(tmp_path / "a", one)) for one in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "a").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
