"""The cache of a people folder: made for the user alone, followed, forgotten."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from multiface.errors import NotAvailable, PictureError
from multiface.recognition import Recognizer, forget, people_folder
from multiface.recognition.people_folder import cached_gallery

SMALL: dict[str, Any] = {"detector": "yunet_n", "weights": "mobilefacenet_128_ms1m"}


def test_a_folder_is_wanted(tmp_path: Path) -> None:
    assert people_folder(tmp_path) == tmp_path
    with pytest.raises(PictureError, match="does not exist"):
        people_folder(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(PictureError, match="is a file"):
        people_folder(tmp_path / "file")


def test_what_vanished_is_dropped_and_forget_leaves_nothing(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    shutil.copytree(people, mine)
    options = SMALL | {"store": places["store"], "cache": cache, "people": mine}
    with Recognizer(**options) as one:
        assert one.gallery is not None
        assert [person.name for person in one.gallery.people()] == ["biden", "obama"]
        path = one.gallery.path
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shutil.rmtree(mine / "biden")
    with Recognizer(**options) as again:
        assert again.gallery is not None and again.people_report is not None
        assert [person.name for person in again.gallery.people()] == ["obama"]
        assert (again.people_report.embedded, again.people_report.removed) == (0, 1)
    assert forget(cache, mine) >= 1
    assert list((cache / "people").iterdir()) == []
    assert forget(cache, mine) == 0
    assert sorted(path.name for path in mine.rglob("*.jpg")) == ["obama.jpg", "obama2.jpg"]


def test_one_folder_however_it_is_written(recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(people)
    paths = set()
    for folder in (people, people / ".." / people.name, tmp_path / "link"):
        with cached_gallery(tmp_path / "cache", folder, recognizer.origin, True) as gallery:
            paths.add(gallery.path)
    assert len(paths) == 1
    with cached_gallery(tmp_path / "cache", people.parent, recognizer.origin, True) as gallery:
        assert gallery.path not in paths
    with cached_gallery(tmp_path / "cache", people, recognizer.origin, False) as gallery:
        assert gallery.path not in paths


def test_a_cache_that_cannot_be_written(recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotAvailable, match="cannot be written"):
        cached_gallery(tmp_path / "file" / "cache", people, recognizer.origin, True)
