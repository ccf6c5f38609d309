"""Portraits by person: real small pictures in folders, in a fixed order, and the folders that are none."""

from pathlib import Path

import numpy as np
import pytest

from multiface.datasets.people import portraits_by_person
from multiface.errors import DataSetError
from multiface.images import save_picture


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(np.zeros((4, 4, 3), np.uint8), path)
    return path


def test_people_are_numbered_by_name(tmp_path: Path) -> None:
    for name in ("bob/1.png", "Ada/10.png", "Ada/2.png", "cleo/x/deep.png", "cleo/a.png"):
        picture(tmp_path / name)
    found = portraits_by_person(tmp_path)
    numbers = {str(one.path.relative_to(tmp_path)): one.person for one in found}
    assert numbers == {"Ada/2.png": 0, "Ada/10.png": 0, "bob/1.png": 1, "cleo/a.png": 2, "cleo/x/deep.png": 2}
    assert [one.path.name for one in found[:2]] == ["2.png", "10.png"]


def test_a_person_s_number_does_not_hang_on_the_order_of_files(tmp_path: Path) -> None:
    """The same folders made in another order, and with other files beside, give the same numbers."""
    for root, names in (("one", "abc"), ("two", "cab")):
        for name in names:
            picture(tmp_path / root / name / "1.png")
    (tmp_path / "two" / "notes.txt").write_text("not a person")
    (tmp_path / "two" / "empty").mkdir()
    (tmp_path / "two" / "b" / "Thumbs.db").write_text("not a picture")
    first, second = (portraits_by_person(tmp_path / root) for root in ("one", "two"))
    assert [(p.path.parent.name, p.person) for p in first] == [(p.path.parent.name, p.person) for p in second]
    assert {p.person for p in second} == {0, 1, 2}


def test_a_picture_beside_the_folders_is_nobody_s(tmp_path: Path) -> None:
    picture(tmp_path / "loose.png")
    picture(tmp_path / "ada" / "1.png")
    assert [one.path.parent.name for one in portraits_by_person(tmp_path)] == ["ada"]


@pytest.mark.parametrize("content", ["absent", "file", "empty", "loose"])
def test_a_folder_without_people_is_a_clear_error(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "set"
    if content == "file":
        folder.write_text("")
    elif content != "absent":
        folder.mkdir()
    if content == "loose":
        picture(folder / "1.png")
    with pytest.raises(DataSetError, match="set: "):
        portraits_by_person(folder)


def test_the_facebank(shared: Path) -> None:
    folder = shared / "data" / "photos" / "people"
    found = portraits_by_person(folder)
    names = sorted(path.name for path in folder.iterdir())
    assert {(one.path.parent.name, one.person) for one in found} == set(zip(names, range(15), strict=True))
    assert len(found) == sum(1 for path in folder.glob("*/*") if path.is_file())
