"""The examples run as they stand, on real pictures and a real video, and say what is true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def two(shared: Path, tmp_path: Path) -> Path:
    """A folder with the singer and a president."""
    for name in ("lin_manuel_miranda", "obama"):
        (tmp_path / "people" / name).mkdir(parents=True)
        for photo in (shared / "data" / "photos" / "people" / name).iterdir():
            (tmp_path / "people" / name / photo.name).symlink_to(photo.resolve())
    return tmp_path / "people"


def printed(tmp_path: Path, example: str, *arguments: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ
        | {"MULTIFACE_CACHE": str(tmp_path / "cache"), "MULTIFACE_STORE": str(tmp_path / "store")},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_identify_folder(two: Path, tmp_path: Path) -> None:
    lines = printed(tmp_path, "identify_folder.py", two / "obama", two).splitlines()
    assert sorted(lines) == [f"{photo.name}: obama" for photo in sorted((two / "obama").iterdir())]


def test_verify_two(two: Path, tmp_path: Path) -> None:
    first, second = sorted((two / "obama").iterdir())[:2]
    assert printed(tmp_path, "verify_two.py", first, second).startswith("the same person\nsimilarity 0.9")


def test_search_gallery(two: Path, tmp_path: Path) -> None:
    (photo,) = (two / "lin_manuel_miranda").iterdir()
    for embedded in (3, 0):
        first, second = printed(
            tmp_path, "search_gallery.py", tmp_path / "people.sqlite", two, photo
        ).splitlines()
        assert first == f"2 people, {embedded} pictures embedded"
        assert second.startswith("lin_manuel_miranda: most like lin_manuel_miranda (1.000)")


def test_names_in_video(two: Path, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs PyAV (extra `video`)")
    clip = shared / "data" / "video" / "short_hamilton_clip.mp4"
    lines = printed(tmp_path, "names_in_video.py", clip, two).splitlines()
    assert "lin_manuel_miranda: 2.74 to 7.01 s" in lines
    assert {line.split(":")[0] for line in lines} == {"lin_manuel_miranda", "unknown"}
