"""Words and numbers that could be misread: help, hints, thresholds, digits."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
    pictures = [portrait, people / "ada" / "ada1.jpg", people / "bob" / "bob1.jpg"]
    done = call("identify", *pictures, "--people", people)
    assert done.code == 0 and done.out.count("threshold: at most") == 1


def floats_in(value: Any, at: str = "") -> list[tuple[str, float]]:
    """Each number of a document that is no whole one, with the name of its field."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in floats_in(inner, key)]
    if isinstance(value, list):
        return [one for inner in value for one in floats_in(inner, at)]
    return [(at, value)] if isinstance(value, float) else []


def test_numbers_in_json_have_as_many_digits_as_they_are_good_for(
    call: Callable[..., Any], portrait: Path, people: Path, gallery: Path
) -> None:
    for command in (
        ("detect", portrait),
        ("identify", portrait, "--people", people),
        ("verify", portrait, people / "ada" / "ada1.jpg"),
        ("embed", portrait, "--out", "v.npz"),
        ("demo", "--out", "demo.png"),
        ("people", "show", "ada", "--gallery", gallery),
        ("people", "check", "--gallery", gallery),
        ("weights", "list"),
    ):
        for field, number in floats_in(call(*command, "--json").document()):
            digits = len(re.sub(r"^0\.0*|[-.]|e.*", "", repr(number)).rstrip("0"))
            assert digits <= 6, (command, field, number)
            if field in ("box", "landmarks"):
                assert round(number, 1) == number, (command, field, number)


def test_vectors_in_json_are_float32_to_the_bit(
    call: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    (face,) = call("embed", portrait, "--json").document()["faces"]
    assert call("embed", portrait, "--out", "v.npz").code == 0
    assert call("embed", portrait, "--out", "v.jsonl").code == 0
    vector = np.load(tmp_path / "v.npz")["embeddings"][0]
    line = json.loads((tmp_path / "v.jsonl").read_text())
    for told in (face["embedding"], line["embedding"]):
        assert np.array_equal(np.array(told, np.float32), vector)
        assert max(map(len, map(repr, told))) <= 15
