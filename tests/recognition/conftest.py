"""A recogniser of the small networks YuNet and MobileFaceNet, opened once, and pictures for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiface.recognition import Recognizer, RecognizerSettings
from multiface.weights.store import Store

SMALL = ("yunet_n", "mobilefacenet_128_ms1m")


@pytest.fixture(scope="session")
def places(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`store` with the small networks, and `cache`."""
    root = tmp_path_factory.mktemp("recognition")
    found = {"store": root / "store", "cache": root / "cache"}
    files = Store(found["store"], found["cache"])
    for name in SMALL:
        files.pull(name, shared / "data" / "weights")
    return found


@pytest.fixture(scope="session")
def recognizer(places: dict[str, Any]) -> Iterator[Recognizer]:
    """Without people."""
    with Recognizer(detector=SMALL[0], weights=SMALL[1], settings=RecognizerSettings(**places)) as opened:
        yield opened


@pytest.fixture(scope="session")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, three pictures; not changed by any test."""
    folder = tmp_path_factory.mktemp("faces") / "people"
    for name, files in (("biden", ("biden.jpg",)), ("obama", ("obama.jpg", "obama2.jpg"))):
        (folder / name).mkdir(parents=True)
        for file in files:
            shutil.copy(shared / "data" / "photos" / "people" / name / file, folder / name)
    return folder


@pytest.fixture(scope="session")
def group(shared: Path) -> Path:
    """A picture of both."""
    return shared / "data" / "photos" / "groups" / "two_people.jpg"
