"""A file's name as text, and back."""

import os
from pathlib import Path

import pytest

from multiface.images.path_text import path_of_text, path_text


def test_there_and_back(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xff.jpg")
    assert path_text(odd).endswith("caf\\udce9 \\udcff.jpg")
    assert path_of_text(path_text(odd)) == Path(odd)
    assert path_of_text("photos/a\\b.jpg") == Path("photos/a\\b.jpg")


@pytest.mark.skipif(os.name == "nt", reason="needs file names with a backslash")
def test_a_file_of_that_very_name_comes_first(tmp_path: Path) -> None:
    literal = tmp_path / "caf\\udce9.jpg"
    literal.write_bytes(b"")
    assert path_of_text(path_text(literal)) == literal
