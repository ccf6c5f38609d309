"""What `identify` writes beside its answer, of a folder: a table, a results page."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.cli.identify_files import COLUMNS

Call = Callable[..., Any]


@pytest.fixture
def album(tmp_path: Path, people: Path, portrait: Path, empty_wall: Path, broken: Path) -> Path:
    """A folder with a known person, a stranger, a wall and a broken picture, one of them deeper."""
    folder = tmp_path / "album"
    (folder / "deeper").mkdir(parents=True)
    shutil.copy(people / "ada" / "ada1.jpg", folder / "=1+1.jpg")
    shutil.copy(portrait, folder / "deeper" / 'a "quoted", name.png')
    shutil.copy(empty_wall, folder / "wall.png")
    shutil.copy(broken, folder / "broken.jpg")
    return folder


def test_a_folder_as_a_table(call: Call, album: Path, people: Path, tmp_path: Path) -> None:
    done = call("identify", album.name, "--people", people, "--csv", "who.csv", "--json")
    assert done.code == 3  # one picture is broken
    raw = (tmp_path / "who.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 5  # RFC 4180: CRLF, a header, one row for each
    with (tmp_path / "who.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert tuple(rows[0]) == COLUMNS
    by_name = {Path(row["path"]).name: row for row in rows}
    document = {Path(one["path"]).name: one for one in done.document()["pictures"]}
    assert by_name.keys() == document.keys()
    face = document["=1+1.jpg"]["faces"][0]
    row = by_name["=1+1.jpg"]
    assert (row["face"], row["name"], row["reason"]) == ("1", "ada", "known")
    for column in ("similarity", "threshold", "rate", "score"):
        assert float(row[column]) == face[column]
    assert [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")] == face["box"]
    assert (row["nearest"], row["runner_up"]) == ("ada", face["runner_up"]["name"])
    stranger = by_name['a "quoted", name.png']
    assert (stranger["name"], stranger["reason"]) == ("", "below threshold") and stranger["nearest"]
    assert (by_name["wall.png"]["face"], by_name["wall.png"]["reason"]) == ("", "no face")
    assert "broken.jpg: " in by_name["broken.jpg"]["reason"]
    assert (tmp_path / "who.csv").stat().st_mode & 0o077 == 0


def test_no_cell_of_the_table_is_a_formula(call: Call, album: Path, people: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    shutil.copytree(people / "ada", evil / "@SUM(A1:A9)")
    assert call("identify", "=1+1.jpg", "--people", evil, "--csv", "who.csv", cwd=album).code == 0
    with (album / "who.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["name"]) == ("'=1+1.jpg", "'@SUM(A1:A9)")


def test_a_folder_as_a_page(call: Call, album: Path, people: Path, tmp_path: Path) -> None:
    done = call("identify", album, "--people", people, "--page", "who.html")
    text = (tmp_path / "who.html").read_text(encoding="utf-8")
    assert text.count("<article") == 4 and text.count("<img") == 3
    assert "<b>ada</b>" in text and "no face was found" in text
    assert str(tmp_path) not in text
    assert "page: who.html" in done.err and "page:" not in done.out
    assert call("identify", album, "--people", people, "--page", "who.html").code == 3  # once more


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--csv", "who.txt"), "the ending must be .csv"),
        (("--page", "who.htm"), "the ending must be .html"),
        (("--csv", "no/who.csv"), "there is no folder no"),
        (("--page", "notes.html"), "exists already and is not a page"),
        (("--page", "folder.html"), "is a folder"),
        (("--csv", "people/who.csv", "--people", "people"), "lies in the folder of people"),
        (("--csv", "picture.csv"), "is one of the files that are read"),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    arguments: tuple[str, ...], words: str, call: Call, people: Path, portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "notes.html").write_text("my notes")
    shutil.copytree(people, tmp_path / "people")
    shutil.copy(portrait, tmp_path / "picture.csv")
    done = call(
        "identify",
        "picture.csv",
        *(arguments if "--people" in arguments else (*arguments, "--people", people)),
    )
    assert (done.code, done.out) == (2, "") and words in done.err
    assert (tmp_path / "notes.html").read_text() == "my notes"


def test_without_json_answers_are_not_kept(call: Call, album: Path, people: Path) -> None:
    """The document holds every picture with JSON; the pictures are the same whichever way they are told."""
    told = call("identify", album, "--people", people)
    document = call("identify", album, "--people", people, "--json").document()
    assert len(document["pictures"]) == 4
    assert told.out.count("face") >= 3
    assert json.dumps(document).count('"error"') == 1
