"""Vectors beyond memory lie in a file that nobody can open, which takes no memory and leaves nothing behind."""

import gc
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from multiface.gallery import large_arrays
from multiface.gallery.contents import VectorOrigin
from multiface.gallery.gallery import Gallery
from multiface.gallery.large_arrays import joined, large_array
from tests.conftest import ROOT, THREADS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

_PEOPLE = 8_000
_DIMENSION = 512


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files of temporary arrays are made, from a thousand numbers on."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(large_arrays, "FROM", 4_000)
    return tmp_path


def mapped(folder: Path) -> list[str]:
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if f" {folder}/" in line]


def test_a_large_array_is_a_file_without_a_name(folder: Path) -> None:
    array = large_array((100, 10))
    array[:] = np.arange(1_000).reshape(100, 10)
    (line,) = mapped(folder)
    assert line.endswith("(deleted)") and not list(folder.iterdir())
    part = array[50:]
    del array
    gc.collect()
    assert mapped(folder) and part[0, 0] == 500, "a view keeps it"
    del part
    gc.collect()
    assert not mapped(folder)


def test_a_small_one_lies_in_memory(folder: Path) -> None:
    array = large_array((99, 10))
    assert array.shape == (99, 10) and array.dtype == np.float32 and not mapped(folder)


def test_what_is_joined_is_a_file_too(folder: Path) -> None:
    parts = [np.full((60, 10), k, np.float32) for k in range(2)]
    whole = joined(parts)
    assert mapped(folder) and np.array_equal(whole, np.concatenate(parts))
    assert joined(parts[:1]) is parts[0]


def test_without_room_it_lies_in_memory(folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        array = large_array((100, 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    array[:] = 1
    assert not mapped(folder)


def test_without_a_folder_it_lies_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder / "none"))
    large_array((100, 10))[:] = 1
    assert not mapped(folder)


_GROWTH = """
import sys
from pathlib import Path
import numpy as np
from multiface.gallery import large_arrays
from multiface.gallery.gallery import Gallery

large_arrays.FROM = int(sys.argv[2])

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

probe = np.zeros((1, 512), np.float32)
probe[0, 0] = 1
with Gallery.open(sys.argv[1]) as gallery:
    before = held()
    found = gallery.search(probe, "mean")
    vectors = gallery.matrix().vectors  # as the gallery's own rate asks for it
    print(held() - before, found[0].name, found[0].similarity)
"""


def test_memory_holds_neither_vectors_nor_means(tmp_path: Path) -> None:
    file = tmp_path / "g.sqlite"
    origin = VectorOrigin("0" * 64, "small", "drawn", _DIMENSION)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((_PEOPLE, _DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Gallery.open(file, origin, create=True) as gallery, gallery.database.writing() as connection:
        for number, vector in enumerate(vectors, 1):
            connection.execute(
                "INSERT INTO person (id, public_id, name, created) VALUES (?, ?, ?, '2026-01-01T00:00:00+00:00')",
                (number, f"p_{number:016}", f"n{number}"),
            )
            connection.execute(
                "INSERT INTO template (person_id, vector, source_digest, source, width, height, x0, y0, x1, y1, score, "
                "detector, quarter_turns, faces_in_picture, added) "
                "VALUES (?, ?, ?, 'x', 9, 9, 0, 0, 9, 9, 1, 'd', 0, 1, '2026-01-01T00:00:00+00:00')",
                (number, vector.tobytes(), f"{number:064}"),
            )

    def grown(limit: int) -> tuple[int, str]:
        command = [sys.executable, "-c", _GROWTH, str(file), str(limit)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**THREADS, "TMPDIR": str(tmp_path)},
        )
        growth, _, found = done.stdout.partition(" ")
        return int(growth), found

    in_memory, found = grown(1 << 30)
    in_file, same = grown(1 << 20)
    expected = 2 * _PEOPLE * _DIMENSION * 4 // 1024
    assert found == same and in_memory - in_file > 0.9 * expected, (in_memory, in_file)
    assert int(np.argmax(vectors[:, 0])) == int(found.split()[0].removeprefix("n")) - 1
