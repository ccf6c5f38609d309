"""The cache of a people folder: made for the user alone, followed, forgotten."""

import os
import re
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multiface.errors import NotAvailable, PictureError, UsageError
from multiface.gallery import Gallery
from multiface.recognition import Recognizer, RecognizerSettings, forget, people_folder
from multiface.recognition.people_folder import cached_gallery

SMALL: dict[str, Any] = {"detector": "yunet_onet", "weights": "sface"}


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
    settings = RecognizerSettings(store=places["store"], cache=cache)
    options = SMALL | {"settings": settings, "people": mine}
    with Recognizer(**options) as one:
        assert one.gallery is not None
        assert [person.name for person in one.gallery.people()] == ["ada", "bob"]
        path = one.gallery.path
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shutil.rmtree(mine / "bob")
    with Recognizer(**options) as again:
        assert again.gallery is not None and again.people_report is not None
        assert [person.name for person in again.gallery.people()] == ["ada"]
        assert (again.people_report.embedded, again.people_report.removed) == (0, 1)
    assert forget(cache, mine) >= 1
    assert list((cache / "people").iterdir()) == []
    assert forget(cache, mine) == 0
    assert sorted(path.name for path in mine.rglob("*.jpg")) == ["ada1.jpg", "ada2.jpg"]


def test_what_vanished_leaves_the_files_of_other_settings_too(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    shutil.copytree(people, mine)
    settings = RecognizerSettings(store=places["store"], cache=cache)
    options = SMALL | {"settings": settings, "people": mine}
    with Recognizer(**options | {"settings": replace(settings, flip=True)}) as other:
        assert other.gallery is not None
        other_path = other.gallery.path
        vector = other.gallery.templates("bob")[0].vector.tobytes()
    assert vector in other_path.read_bytes()
    (mine / "ada" / "ada1.jpg").rename(mine / "ada" / "moved.jpg")  # moved before the first run sees it
    shutil.rmtree(mine / "bob")
    with Recognizer(**options):
        pass
    with Gallery.open(other_path) as other_gallery:
        assert [(one.name, one.templates) for one in other_gallery.people()] == [("ada", 2)]
    assert vector not in b"".join(file.read_bytes() for file in other_path.parent.iterdir())
    with Recognizer(**options | {"settings": replace(settings, flip=True)}) as other:
        assert other.people_report is not None
        assert (other.people_report.embedded, other.people_report.moved) == (0, 1)


def test_a_broken_file_of_other_settings_stops_nobody(
    places: dict[str, Any], people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = RecognizerSettings(store=places["store"], cache=tmp_path / "cache")
    options = SMALL | {"settings": settings, "people": people}
    with Recognizer(**options) as one:
        assert one.gallery is not None
        beside = one.gallery.path.with_name("0.sqlite")
    beside.write_text("not a gallery")
    with Recognizer(**options) as again:
        assert again.people_report is not None and again.people_report.unchanged == 3
    assert "0.sqlite" in caplog.text and "people forget" in caplog.text


def test_an_emptied_folder_is_told_how_to_be_forgotten(
    places: dict[str, Any], people: Path, tmp_path: Path
) -> None:
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    shutil.copytree(people, mine)
    settings = RecognizerSettings(store=places["store"], cache=cache)
    options = SMALL | {"settings": settings}
    Recognizer(**options, people=mine).close()
    with Recognizer(**options, gallery=tmp_path / "g.sqlite", create=True) as recognizer:
        recognizer.sync(mine)
        for name in ("bob", "ada"):
            shutil.rmtree(mine / name)
        with pytest.raises(UsageError, match="remove the people by name"):
            recognizer.sync(mine, prune=True)
    with pytest.raises(UsageError, match=f"`multiface people forget {re.escape(str(mine))}`"):
        Recognizer(**options, people=mine)


def test_one_folder_however_it_is_written(recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(people)
    paths = set()
    for folder in (people, people / ".." / people.name, tmp_path / "link"):
        with cached_gallery(tmp_path / "cache", folder, recognizer.origin) as gallery:
            paths.add(gallery.path)
    assert len(paths) == 1
    with cached_gallery(tmp_path / "cache", people.parent, recognizer.origin) as gallery:
        assert gallery.path not in paths
    with cached_gallery(tmp_path / "cache", people, replace(recognizer.origin, flip=True)) as gallery:
        assert gallery.path not in paths


def test_a_cache_that_cannot_be_written(recognizer: Recognizer, people: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotAvailable, match="cannot be written"):
        cached_gallery(tmp_path / "file" / "cache", people, recognizer.origin)
