"""The cache of built networks: built once, built anew when it must be, whole at every moment."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from multiface.errors import NotAvailable, WeightsError
from multiface.weights.built import built
from multiface.weights.places import default_cache_folder, default_store_folder


class Builder:
    """Joins its sources; counts how often it was asked."""

    def __init__(self, *sources: Path) -> None:
        self.sources = sources
        self.calls = 0

    def __call__(self) -> Mapping[str, bytes]:
        self.calls += 1
        joined = b"".join(source.read_bytes() for source in self.sources)
        return {"one": b"1" + joined, "two": b"2" + joined}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "wheel" / "weights.dat"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def test_built_once(cache: Path, source: Path) -> None:
    build = Builder(source)
    files = built(cache, "net", [source], "1", build)
    assert {role: path.read_bytes() for role, path in files.items()} == {
        "one": b"1weights",
        "two": b"2weights",
    }
    assert all(path.suffix == ".onnx" and cache / "net" in path.parents for path in files.values())
    assert built(cache, "net", [source], "1", build) == files
    assert build.calls == 1


def test_source_changes(cache: Path, source: Path) -> None:
    build = Builder(source)
    built(cache, "net", [source], "1", build)
    source.write_bytes(b"changed")
    files = built(cache, "net", [source], "1", build)
    assert build.calls == 2 and files["one"].read_bytes() == b"1changed"


def test_source_is_touched_only(cache: Path, source: Path) -> None:
    """The same content with another time is read once more, and then its new time is known."""
    build = Builder(source)
    built(cache, "net", [source], "1", build)
    os.utime(source, ns=(1, 1))
    built(cache, "net", [source], "1", build)
    assert build.calls == 1
    # Size and time are as noted now, so the content is not looked at: the quick check.
    source.write_bytes(b"WEIGHTS")
    os.utime(source, ns=(1, 1))
    built(cache, "net", [source], "1", build)
    assert build.calls == 1


def test_version_changes(cache: Path, source: Path) -> None:
    build = Builder(source)
    old = built(cache, "net", [source], "1", build)
    new = built(cache, "net", [source], "2", build)
    assert build.calls == 2
    assert new["one"].exists() and not old["one"].exists(), "what the old version left is gone"


def test_two_installations_share_a_cache(cache: Path, source: Path) -> None:
    other = source.with_name("other.dat")
    other.write_bytes(b"other")
    build, build_other = Builder(source), Builder(other)
    for _ in range(3):
        files = built(cache, "net", [source], "1", build)
        files_other = built(cache, "net", [other], "2", build_other)
        assert files["one"].read_bytes() == b"1weights" and files_other["one"].read_bytes() == b"1other"
    assert (build.calls, build_other.calls) == (1, 1)
    other.unlink()
    built(cache, "net", [source], "3", build)
    assert not files_other["one"].exists(), "its installation is gone"


@pytest.mark.parametrize("damage", ["byte", "cut", "gone", "stamp", "stamp gone", "folder"])
def test_damaged(cache: Path, source: Path, damage: str) -> None:
    build = Builder(source)
    path = built(cache, "net", [source], "1", build)["two"]
    stamp, status = path.with_name("stamp.json"), path.stat()
    if damage == "byte":
        path.write_bytes(b"2weighty")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif damage == "cut":
        path.write_bytes(b"2")
    elif damage == "gone":
        path.unlink()
    elif damage == "stamp":
        stamp.write_bytes(stamp.read_bytes()[:-9])
    elif damage == "stamp gone":
        stamp.unlink()
    else:
        stamp.write_text('{"version": "1", "sources": [{}], "outputs": []}')
    assert built(cache, "net", [source], "1", build)["two"].read_bytes() == b"2weights"
    assert build.calls == 2
    built(cache, "net", [source], "1", build)
    assert build.calls == 2


def test_failing_builder_leaves_nothing(cache: Path, source: Path) -> None:
    def fail() -> Mapping[str, bytes]:
        raise WeightsError("no network in it")

    with pytest.raises(WeightsError, match="no network"):
        built(cache, "net", [source], "1", fail)
    assert not cache.exists()
    with pytest.raises(OSError, match=r"gone\.dat"):
        built(cache, "net", [source.with_name("gone.dat")], "1", fail)


def test_folder_that_cannot_be_written(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotAvailable, match="`cache`") as error:
        built(tmp_path / "file" / "cache", "net", [source], "1", Builder(source))
    assert str(tmp_path / "file" / "cache") in str(error.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_cache_that_has_it_is_used(cache: Path, source: Path) -> None:
    build = Builder(source)
    place = built(cache, "net", [source], "1", build)["one"].parent
    place.chmod(0o500)
    os.utime(source, ns=(1, 1))
    built(cache, "net", [source], "1", build)
    assert build.calls == 1
    place.chmod(0o700)


SCRIPT = """
import sys, time
from pathlib import Path
from multiface.weights.built import built
cache, source, start = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
while time.time() < start:
    time.sleep(0.001)
for version in range(20):
    files = built(cache, "net", [source], "1", lambda: {"one": source.read_bytes() * 100_000})
    assert files["one"].read_bytes() == source.read_bytes() * 100_000
    files["one"].with_name("stamp.json").unlink(missing_ok=True)
"""


def test_processes_build_at_once(cache: Path, source: Path) -> None:
    """Two processes that build, and undo each other's stamps, always see whole files."""
    begin = str(time.time() + 1)
    command = [sys.executable, "-c", SCRIPT, str(cache), str(source), begin]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    left = [path.name for path in cache.rglob("*") if path.is_file()]
    assert set(left) <= {"one.onnx", "stamp.json"}, "no temporary file stays"


def test_default_places_are_the_users() -> None:
    store, cache = default_store_folder(), default_cache_folder()
    assert store.is_absolute() and cache.is_absolute() and store != cache
    assert "multiface" in store.parts and "multiface" in cache.parts
