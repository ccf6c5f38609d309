"""Damaged pictures: each answer says so, and a gallery takes them only where it is told to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def cut(portrait: Path, tmp_path: Path) -> Path:
    """The portrait, as a JPEG that lacks its lower part; the face is whole."""
    import PIL.Image

    whole = tmp_path / "whole.jpg"
    with PIL.Image.open(portrait) as picture:
        picture.convert("RGB").save(whole, quality=90)
    path = tmp_path / "cut" / "eileen" / "cut.jpg"
    path.parent.mkdir(parents=True)
    content = whole.read_bytes()
    path.write_bytes(content[: int(0.9 * len(content))] + b"\xff\xd9")
    whole.unlink()
    return path


def test_each_answer_says_it(call: Call, cut: Path, portrait: Path, people: Path, tmp_path: Path) -> None:
    for command in (
        ("detect", cut),
        ("identify", cut, "--people", people),
        ("align", cut, "--out", tmp_path),
    ):
        done = call(*command, "--json")
        (one,) = done.document()["pictures"]
        assert 0.7 < one["damaged"]["whole_share"] < 0.98 and done.code == 0
        assert (
            f"cut.jpg: is damaged: at most {100 * one['damaged']['whole_share']:.1f} % of its rows"
            in done.err
        )
    done = call("verify", cut, portrait, "--json")
    first, second = done.document()["pictures"]
    assert first["damaged"]["whole_share"] < 0.98 and second["damaged"] is None
    assert done.document()["same"] and "cut.jpg: is damaged" in done.err


def test_a_gallery_takes_it_only_when_forced(call: Call, cut: Path, tmp_path: Path) -> None:
    gallery = ("--gallery", tmp_path / "g.sqlite", "--json")
    for command in (("enroll", "eileen", cut), ("facebank", cut.parent.parent)):
        for _ in range(2):
            done = call(*command, *gallery)
            assert done.code == 3 and done.document().get("added", 0) == 0
            assert "cut.jpg: damaged, at most" in done.err and "--force accepts it" in done.err
    done = call("facebank", cut.parent.parent, "--force", *gallery)
    assert (done.code, done.document()["changed"]) == (0, 1)  # it was refused before
    assert call("enroll", "eileen", cut, "--force", *gallery).document()["already_there"] == 1


def test_one_that_lacks_only_its_end_mark_is_whole(
    call: Call, cut: Path, portrait: Path, tmp_path: Path
) -> None:
    cut.write_bytes(portrait.read_bytes()[:-2])
    done = call("enroll", "eileen", cut, "--gallery", tmp_path / "g.sqlite", "--json")
    assert (done.code, done.document()["added"]) == (0, 1)
    done = call("detect", cut, "--json")
    assert done.document()["pictures"][0]["damaged"] == {"whole_share": 1.0}
    assert "its last bytes are missing, all of its rows are whole" in done.err
