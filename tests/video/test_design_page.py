"""The drawing in `docs/video-design.md` shows the code: every step is in its file, and each hands on what it says."""

import ast
import re
from pathlib import Path

import pytest

import multiface

ROOM = Path(multiface.__file__).parent / "video"
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "video-design.md").read_text(encoding="utf-8")
DRAWING = PAGE.split("```text\n")[1].split("```")[0]
STEPS = re.findall(r"^(\w+)\s+(\w+/\w+\.py)\s", DRAWING, re.MULTILINE)
BESIDE = re.findall(r"\b(\w+), (\w+/\w+\.py)", DRAWING)
PASSED = re.findall(r"^ +│ ([\w, ]+?)(?:\s{2,}.*)?$", DRAWING, re.MULTILINE)


def names_in(file: str) -> set[str]:
    """Functions and classes that a file defines."""
    tree = ast.parse((ROOM / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def words_in(file: str) -> set[str]:
    return set(re.findall(r"\w+", (ROOM / file).read_text(encoding="utf-8")))


def test_the_drawing_is_read() -> None:
    assert len(STEPS) == 13 and len(BESIDE) == 4 and len(PASSED) == 11


@pytest.mark.parametrize(("name", "file"), [*STEPS, *BESIDE])
def test_each_step_is_in_its_file(name: str, file: str) -> None:
    assert name in names_in(file)


@pytest.mark.parametrize(("step", "passed"), list(zip(STEPS, PASSED, strict=False)), ids=str)
def test_each_step_hands_on_what_the_arrow_says(step: tuple[str, str], passed: str) -> None:
    for kind in passed.split(", "):
        assert kind in words_in(step[1]), f"{step[1]} never speaks of {kind}"


@pytest.mark.parametrize("file", re.findall(r"`(\w+/\w+\.py)`", PAGE))
def test_files_named_in_the_text_exist(file: str) -> None:
    assert (ROOM / file).is_file()
