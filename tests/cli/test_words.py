"""Words and numbers that could be misread: help, hints, thresholds, digits."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def test_no_help_loses_its_brackets(run: Callable[..., Any]) -> None:
    """Square brackets are markup of the library that shows help: ``extra `[train]` `` becomes ``extra `` ``."""
    for words in (["train"], ["weights", "import"], ["video"], ["camera"], ["doctor"], ["prepare", "rec"]):
        text = run(*words, "--help", env={"COLUMNS": "200"}).out
        assert "``" not in text and "extra )" not in text, words


def test_no_message_installs_a_name_that_is_not_ours() -> None:
    """Nobody of ours has `multiface` on the index."""
    for path in (ROOT / "src").rglob("*.py"):
        assert not re.search(r"pip install '?multiface", path.read_text(encoding="utf-8")), path
    for name in ("README.md", "CONTRIBUTING.md"):
        assert not re.search(r"pip install '?multiface", (ROOT / name).read_text(encoding="utf-8")), name


def test_the_threshold_is_said_once(call: Callable[..., Any], portrait: Path, people: Path) -> None:
    pictures = [portrait, people / "obama" / "obama.jpg", people / "biden" / "biden.jpg"]
    done = call("identify", *pictures, "--people", people)
    assert done.code == 0 and done.out.count("threshold: at most") == 1


def test_numbers_in_json_have_as_many_digits_as_they_are_good_for(
    call: Callable[..., Any], portrait: Path, people: Path
) -> None:
    for command in (
        ("detect", portrait),
        ("identify", portrait, "--people", people),
        ("verify", portrait, people / "obama" / "obama.jpg"),
        ("embed", portrait, "--out", "v.npz"),
        ("demo", "--out", "demo.png"),
    ):
        out = call(*command, "--json").out
        assert not re.search(r"\d\.0*[1-9]\d{9,}", out), out
