"""Vectors and names are biometric data: not in logs, not in errors, and for the user's eyes only on disk."""

import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.gallery import Gallery

Call = Callable[..., Any]
NAME = "Zebulon Quux"


@pytest.fixture
def folder(people: Path, broken: Path, tmp_path: Path) -> Path:
    """One person with a name that stands nowhere else, and a broken picture of that person."""
    place = tmp_path / "faces"
    shutil.copytree(people / "ada", place / NAME)
    shutil.copy(broken, place / NAME / "broken.jpg")
    return place


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_modes(call: Call, folder: Path, portrait: Path, cache: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "g.sqlite"
    os.umask(os.umask(0) & 0o022)
    with Gallery.open(_filled(call, folder, gallery)) as opened:
        opened.people()
        for path in tmp_path.glob("g.sqlite*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    before = set(cache.rglob("*.sqlite"))
    assert call("identify", portrait, "--people", folder).code == 0
    (cached,) = set(cache.rglob("*.sqlite")) - before
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    assert stat.S_IMODE(cached.parent.stat().st_mode) == 0o700
    assert NAME not in str(cached)


def test_logs_hold_no_names_and_no_vectors(
    call: Call, folder: Path, portrait: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gallery = tmp_path / "g.sqlite"
    with caplog.at_level(logging.DEBUG):
        _filled(call, folder, gallery)
        call("identify", portrait, "--gallery", gallery)
        call("people", "remove", NAME, "--gallery", gallery)
        call("identify", portrait, "--people", folder)
    ours = [record.getMessage() for record in caplog.records]
    assert not any(NAME in text or "array(" in text for text in ours)


def test_errors_name_nobody_that_was_not_asked_for(
    call: Call, folder: Path, portrait: Path, tmp_path: Path
) -> None:
    gallery = _filled(call, folder, tmp_path / "g.sqlite")
    for command in (
        ["people", "show", "somebody else"],
        ["people", "remove", "x"],
        ["identify", portrait, "--weights", "sface", "--flip"],
        ["identify", portrait, "--rate", "1e-12"],
        ["enroll", "x", folder / "missing.jpg"],
    ):
        done = call(*command, "--gallery", gallery)
        assert done.code == 3, command
        assert NAME not in done.err and NAME not in done.out


def test_vectors_are_printed_only_by_embed(call: Call, folder: Path, portrait: Path, tmp_path: Path) -> None:
    gallery = _filled(call, folder, tmp_path / "g.sqlite")
    with Gallery.open(gallery) as opened:
        vectors = np.array(opened.matrix().vectors)
    said = ""
    for command in (
        ["people", "list"],
        ["people", "show", NAME],
        ["people", "check"],
        ["identify", portrait],
        ["facebank", folder],
    ):
        for form in ([], ["--json"]):
            done = call(*command, "--gallery", gallery, *form)
            said += done.out + done.err
    for vector in vectors:
        for value in vector[:20]:
            assert f"{abs(value):.6f}" not in said and repr(float(value)) not in said


def _filled(call: Call, folder: Path, gallery: Path) -> Path:
    done = call("facebank", folder, "--gallery", gallery, "--json")
    assert done.code == 3
    assert len(done.document()["refused"]) == 1
    return gallery
