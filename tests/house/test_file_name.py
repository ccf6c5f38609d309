"""What may name a file: always one visible step down the folder, whatever the text."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import UsageError
from multiface.file_name import LONGEST, file_name, is_file_name, nearest_file_name

BAD = [
    "",
    ".",
    "..",
    "...",
    ".hidden",
    "a/b",
    "/etc",
    "../x",
    "a\\b",
    "a\0",
    "x" * (LONGEST + 1),
    "é" * LONGEST,
    "\ud800",
    ".\udcff.",
]
NAMES = st.text(max_size=60) | st.text(alphabet="./\\\0ab\ud800\udcff", max_size=8)


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_name_a_file(text: str) -> None:
    assert not is_file_name(text)
    with pytest.raises(UsageError, match=r"a pack called.*cannot name a file"):
        file_name(text, "a pack called")
    assert is_file_name(nearest_file_name(text))


@pytest.mark.parametrize("text", ["lfw", "a.b", "Jörg", "王", "J. R.", "x" * LONGEST, "caf\udce9"])
def test_what_can(text: str) -> None:
    assert file_name(text, "name") == text == nearest_file_name(text)


@given(text=NAMES)
def test_a_name_is_one_step_down(text: str) -> None:
    for name in {nearest_file_name(text), *([text] if is_file_name(text) else [])}:
        for ending in ("", ".png", "_list.npy"):
            path = os.path.normpath(f"/folder/{name}{ending}")
            assert Path(path).parent == Path("/folder")
            assert (Path("/folder") / name).with_name(f"{name}{ending}").parent == Path("/folder")
