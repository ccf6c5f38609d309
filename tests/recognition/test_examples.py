"""The examples run as they are, with the package's default networks, on the packaged portrait and a real video."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multiface.recognition.demo import PORTRAIT

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a user, where networks that are built once are kept."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people" / "Eileen Collins"
    folder.mkdir(parents=True)
    shutil.copy(PORTRAIT, folder)
    return folder.parent


def output(home: Path, name: str, *arguments: Path | str, cwd: Path | None = None) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MULTIFACE_", "XDG_"))
    } | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_examples_are_run_here() -> None:
    ours = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in ours for path in EXAMPLES.glob("*.py"))


def test_identify_folder(home: Path, people: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(PORTRAIT, pictures / "a.jpg")
    (pictures / "b.txt").write_text("no picture")
    said = output(home, "identify_folder.py", pictures, people).splitlines()
    assert said[0] == "a.jpg: Eileen Collins"
    assert "b.txt: is not a picture" in said[1]


def test_verify_two(home: Path) -> None:
    said = output(home, "verify_two.py", PORTRAIT, PORTRAIT)
    assert said.startswith("the same person\nsimilarity 1.000, threshold ")
    assert "0.1% of pairs" in said


def test_search_gallery(home: Path, people: Path, tmp_path: Path) -> None:
    arguments = (tmp_path / "gallery.sqlite", people, PORTRAIT)
    assert output(home, "search_gallery.py", *arguments).splitlines() == [
        "1 people, 1 pictures embedded",
        "Eileen Collins: most like Eileen Collins (1.000)",
    ]
    assert output(home, "search_gallery.py", *arguments).startswith("1 people, 0 pictures embedded")


def test_own_detector(home: Path, tmp_path: Path) -> None:
    said = output(home, "own_detector.py", PORTRAIT, "Eileen Collins", cwd=tmp_path).splitlines()
    assert "skimage cascade" in said[0]
    assert said[1:] == ["Eileen Collins"] * 3


def test_the_examples_are_well_typed(tmp_path: Path) -> None:
    """As a project outside sees them: from the installed package, which says that it is typed."""
    for path in EXAMPLES.glob("*.py"):
        shutil.copy(path, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_names_in_video(home: Path, people: Path, shared: Path) -> None:
    pytest.importorskip("av", reason="needs PyAV (extra `video`)")
    photos = shared / "data" / "photos" / "people" / "lin_manuel_miranda"
    shutil.copytree(photos, people / "lin_manuel_miranda")
    lines = output(
        home, "names_in_video.py", shared / "data" / "video" / "short_hamilton_clip.mp4", people
    ).splitlines()
    assert "lin_manuel_miranda: 2.74 to 7.01 s" in lines
    assert {line.split(":")[0] for line in lines} == {"lin_manuel_miranda", "unknown"}
