"""`search` ranks people as `Gallery.search` has them, and decides nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image

from tests.drawn_faces import drawn_face, group_of, save_people

Call = Callable[..., Any]


def test_people_are_ranked(call: Call, tmp_path: Path) -> None:
    people = save_people(tmp_path / "people", {"ada": 1, "bob": 1, "cleo": 1})
    PIL.Image.fromarray(group_of(drawn_face("bob", 3), drawn_face("ada", 3))).save(tmp_path / "two.png")
    done = call("search", tmp_path / "two.png", "--people", people, "--most", "2", "--json").document()
    faces = done["pictures"][0]["faces"]
    first = {face["people"][0]["name"] for face in faces}
    assert first == {"ada", "bob"} and all(len(face["people"]) == 2 for face in faces)
    for face in faces:
        similar = [one["similarity"] for one in face["people"]]
        assert similar == sorted(similar, reverse=True) and "threshold" not in face
    told = call("search", tmp_path / "two.png", "--people", people)
    assert told.code == 0 and "bob" in told.out and "unknown" not in told.out


def test_without_a_calibration(call: Call, tmp_path: Path) -> None:
    """Where `identify` cannot decide."""
    people = save_people(tmp_path / "people", {"ada": 1, "bob": 1})
    pair = ("--detector", "yunet", "--flip", "--people", people)
    PIL.Image.fromarray(drawn_face("ada", 2)).save(tmp_path / "ada.png")
    (picture,) = call("search", tmp_path / "ada.png", *pair, "--json").document()["pictures"]
    assert picture["faces"][0]["people"][0]["name"] == "ada"


def test_bad_pictures_and_places(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    people = save_people(tmp_path / "people", {"ada": 1})
    assert call("search", tmp_path / "bad.jpg", "--people", people).code == 3
    assert call("search", tmp_path / "bad.jpg", "--gallery", tmp_path / "none.sqlite").code == 3
    assert call("search", tmp_path / "bad.jpg", "--people", people, "--most", "0").code == 2
