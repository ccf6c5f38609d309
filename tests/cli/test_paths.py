"""`--out` never takes the place of a picture that is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.cli.paths import annotated_copies, crop_files

Call = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path, portrait: Path) -> Path:
    """`pics` with a.png, a picture with one face (what a file is, its content says)."""
    folder = tmp_path / "pics"
    folder.mkdir()
    (folder / "a.png").write_bytes(portrait.read_bytes())
    return folder


COMMANDS = [
    "detect pics/a.png --out pics",
    "detect pics --out pics",
    "detect pics/a.png --out pics/a.png",
    "detect pics/a.png --out link",
    "detect link/a.png --out pics",
    "detect links/a.png --out pics",
    "detect pics/a.png --out hard.png",
    "identify pics/a.png --people people --out pics",
    "identify pics/a.png --people people --out pics/a.png",
    "align pics --out pics",
    "embed pics/vectors.npz --out pics/vectors.npz",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_picture_that_is_read_is_not_written_over(
    command: str, call: Call, pictures: Path, people: Path, portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("pics")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.png").symlink_to(pictures / "a.png")
    (tmp_path / "hard.png").hardlink_to(pictures / "a.png")
    (tmp_path / "people").symlink_to(people)
    # `pics/a_0.png` is the name of the first crop of `pics/a.png`.
    for name in ("a_0.png", "vectors.npz"):
        (pictures / name).write_bytes(portrait.read_bytes())
    before = sorted(pictures.iterdir())
    done = call(*command.split(), "--json")
    assert (done.code, done.document()["error"]["kind"]) == (2, "UsageError"), done
    assert "would be written over" in done.err
    assert sorted(pictures.iterdir()) == before
    for path in before:
        assert path.read_bytes() == portrait.read_bytes()


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("detect pics/a.png --out pics/b.png", "pics/b.png"),
        ("detect pics/a.png --out out/deep", "out/deep/a.png"),
        ("align pics/a.png --out pics", "pics/a_0.png"),
        ("detect pics/a.png --out dotted.folder", "dotted.folder/a.png"),
    ],
)
def test_other_places_are_written(command: str, written: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "dotted.folder").mkdir()
    for _ in range(2):  # what an earlier run wrote is replaced
        assert call(*command.split()).code == 0
        assert (tmp_path / written).is_file()


def test_nothing_is_written_among_the_people(call: Call, people: Path, portrait: Path) -> None:
    before = sorted(people.rglob("*"))
    for out in (people, people / "new", people / "ada" / "x.png"):
        done = call("identify", portrait, "--people", people, "--out", out)
        assert done.code == 2
        assert "lies in the folder of people" in " ".join(done.err.split())
    assert sorted(people.rglob("*")) == before


def test_a_name_of_a_file_is_not_made_a_folder(call: Call, pictures: Path, tmp_path: Path) -> None:
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes())
    for command in ("detect pics --out x.png", "detect pics --out y.gif", "align pics --out x.png"):
        assert call(*command.split()).code == 2
    assert call("detect", "pics/a.png", "--out", "y.gif").code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["pics"]


@pytest.mark.parametrize("name", ["..jpg", "...jpg", ".hidden.jpg"])
def test_no_name_of_a_picture_leads_out_of_the_folder(
    name: str, call: Call, portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(portrait.read_bytes())
    for command in ("detect", "align"):
        before = set(tmp_path.iterdir())
        done = call(command, tmp_path / "in" / name, "--out", tmp_path / f"{command}-out")
        assert done.code == 0, done.err
        assert set(tmp_path.iterdir()) - before == {tmp_path / f"{command}-out"}
        (made,) = (tmp_path / f"{command}-out").iterdir()
        assert made.suffix == ".png" and not made.name.startswith(".")


def test_pictures_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    paths = [Path("x/a.png"), Path("y/A.jpg"), Path("a-2.png")]
    copies = annotated_copies(tmp_path / "out", paths)
    assert copies is not None
    assert [copies(path).name for path in paths] == ["a.png", "A-2.png", "a-2-2.png"]
    crops = crop_files(tmp_path / "out", paths)
    assert [crops(path, 1).name for path in paths] == ["a_1.png", "A-2_1.png", "a-2-2_1.png"]
