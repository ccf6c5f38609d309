"""A recogniser of the package's networks, opened once, and drawn pictures for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiface.images import save_picture
from multiface.recognition import Recognizer, RecognizerSettings
from tests.drawn_faces import drawn_face, group_of, save_people

SMALL = ("yunet_onet", "sface")


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`store` and `cache`, empty folders."""
    root = tmp_path_factory.mktemp("recognition")
    for name in ("store", "cache"):
        (root / name).mkdir()
    return {"store": root / "store", "cache": root / "cache"}


@pytest.fixture(scope="session")
def recognizer(places: dict[str, Any]) -> Iterator[Recognizer]:
    """Without people."""
    with Recognizer(detector=SMALL[0], weights=SMALL[1], settings=RecognizerSettings(**places)) as opened:
        yield opened


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn people, three pictures; not changed by any test."""
    return save_people(tmp_path_factory.mktemp("faces") / "people", {"ada": 2, "bob": 1})


@pytest.fixture(scope="session")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of both."""
    path = tmp_path_factory.mktemp("group") / "two_people.jpg"
    save_picture(group_of(drawn_face("ada", 2), drawn_face("bob", 2)), path)
    return path
