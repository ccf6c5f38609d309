"""Nothing that a terminal obeys, that forges a line or that a spreadsheet runs comes out of names, paths and EXIF."""

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.images import save_picture
from multiface.video.events.intervals import Interval, write_intervals
from multiface.video.events.summary import write_summary
from multiface.visible import log_of, table_cell, visible

Call = Callable[..., Any]
EVIL = "a\x1b]0;owned\x07\x1b[31m\rok\nerror: forged\x9b2J\u202egpj"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def evil(tmp_path: Path, portrait: Path) -> Path:
    """A portrait with a name and with EXIF that a terminal would obey."""
    path = tmp_path / f"{EVIL}.jpg"
    with PIL.Image.open(portrait) as picture:
        exif = PIL.Image.Exif()
        for tag in (0x010E, 0x010F, 0x0110, 0x0132, 0x013B):
            exif[tag] = EVIL
        picture.convert("RGB").save(path, "JPEG", exif=exif)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "detect P",
        "detect P --json",
        "detect MISSING",
        "detect MISSING --json",
        "identify P --people F",
        "identify P --people F --json",
        "verify P P --json",
        "embed P --out V.npz",
        "align P --out OUT",
        "facebank F --gallery G.sqlite",
        "enroll NAME P --gallery G.sqlite",
        "people show NAME --gallery MISSING",
        "weights show NAME",
        "prepare photos F --out PREPARED",
        "video -f MISSING --people F",
        "detect P --weights NAME",
        "detect --NAME",
        "detect --NAME --json",
        "detect P --threads NAME",
        "NAME",
    ],
)
def test_paths_and_names_are_shown_and_not_obeyed(
    command: str, call: Call, evil: Path, tmp_path: Path
) -> None:
    people = tmp_path / f"people{EVIL}"
    for person in ("=HYPERLINK(1)", EVIL):
        (people / person).mkdir(parents=True)
        shutil.copy(evil, people / person / evil.name)
    save_picture(np.full((99, 99, 3), 90, np.uint8), people / EVIL / f"wall{EVIL}.png")
    words = {
        "P": str(evil),
        "F": str(people),
        "MISSING": f"{EVIL}.no",
        "NAME": EVIL,
        "--NAME": "--" + EVIL.replace("\u202e", ""),  # typer's own words, about what the user typed
        "OUT": str(tmp_path / f"out{EVIL}"),
        "PREPARED": str(tmp_path / f"prepared{EVIL}"),
    }
    done = call(*(words.get(word, word) for word in command.split()))
    for text in (done.out, done.err):
        assert not UNSAFE.search(text), ascii(text)
        assert not any(line.startswith("error: forged") for line in text.splitlines())


def test_json_says_the_same_without_a_character_that_is_obeyed(call: Call, evil: Path) -> None:
    (picture,) = call("detect", evil, "--json").document()["pictures"]
    assert picture["path"] == str(evil)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1"])
def test_no_cell_is_a_formula(name: str, tmp_path: Path) -> None:
    """Read as a spreadsheet reads it: what stands first in the cell, blanks left out."""
    write_intervals(tmp_path / "who.csv", [Interval(name, None, 1, 0.0, 1.0), Interval(None, 2, 3, 0.0, 1.0)])
    with (tmp_path / "who.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["person"].removeprefix("'") == visible(name)
    assert first["person"].lstrip()[0] not in "=+-@\uff1d"
    assert second["person"] == ""
    assert table_cell("Ann-Marie = A") == "Ann-Marie = A"


def test_a_list_of_dropped_photos_holds_no_formula(
    call: Call, empty_wall: Path, portrait: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    for person in ("=cmd|' /C calc'!A0", "Ann"):
        (people / person).mkdir(parents=True)
        shutil.copy(portrait, people / person / "face.png")
        shutil.copy(empty_wall, people / person / "-2+3.png")
    assert call("prepare", "photos", people, "--out", tmp_path / "out").code == 0
    with (tmp_path / "out" / "dropped.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 3
    assert not any(cell.lstrip()[:1] in ("=", "+", "-", "@") for row in rows for cell in row)


def test_a_message_of_the_log_is_one_visible_line(caplog: pytest.LogCaptureFixture) -> None:
    log_of("multiface.test").warning("%s: %d lost", EVIL, 3)
    log_of("multiface.test").warning("100 %s", "plain")
    shown, plain = (record.getMessage() for record in caplog.records)
    assert "\\x1b" in shown and shown.endswith(": 3 lost") and not UNSAFE.search(shown) and "\n" not in shown
    assert plain == "100 plain"


def test_every_logger_of_ours_is_such_a_one() -> None:
    source = Path(__file__).resolve().parents[2] / "src" / "multiface"
    users = [path.name for path in source.rglob("*.py") if "getLogger" in path.read_text(encoding="utf-8")]
    assert sorted(users) == ["cluster.py", "visible.py"], "cluster.py quietens Ray's own"


def test_a_page_names_the_film_and_not_its_folder(
    call: Call, clip: Path, people: Path, tmp_path: Path
) -> None:
    pytest.importorskip("av")
    page = tmp_path / "page.html"
    done = call("video", "-f", clip, "--people", people, "--duration", "0.2", "--summary", page)
    assert done.code == 0
    text = page.read_text(encoding="utf-8")
    assert clip.name in text and str(clip.parent) not in text
    write_summary(page, title=EVIL, intervals=[], best_views={}, begin=0.0, end=1.0)
    assert not UNSAFE.search(page.read_text(encoding="utf-8"))
