"""A gallery's raw material without any network: random unit vectors and facts about made-up pictures; and galleries.

A test of `gallery` alone runs on both engines: what it asks must be true of a file and of a PostgreSQL database. A test
that also takes `path`, the file, runs on the file.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from multiface.gallery.contents import NewTemplate, PictureFacts, VectorOrigin
from multiface.gallery.gallery import Gallery
from tests.gallery.postgres_server import Server, running

DIMENSION = 128


@pytest.fixture
def origin() -> VectorOrigin:
    return VectorOrigin("ab" * 32, "dlib-resnet", "mtcnn", DIMENSION)


@pytest.fixture
def template() -> Callable[..., NewTemplate]:
    """Makes a template of one picture (by a text that stands for its bytes) and one box."""

    def make(
        picture: str, box: tuple[float, float, float, float] = (10, 10, 60, 70), turns: int = 0
    ) -> NewTemplate:
        digest = hashlib.sha256(picture.encode())
        vector = np.random.default_rng([*digest.digest(), int(box[0])]).normal(size=DIMENSION)
        vector /= np.linalg.norm(vector)
        facts = PictureFacts(640, 480, box, 0.99, "mtcnn", turns, 2)
        return NewTemplate(vector.astype(np.float32), digest.hexdigest(), f"{picture}.jpg", facts)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        engines = ["sqlite"] if "path" in metafunc.fixturenames else ["sqlite", "postgres"]
        metafunc.parametrize("engine", engines)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with running() as server:
        yield server


_numbers = itertools.count()


@pytest.fixture
def new_database(postgres_server: Server) -> str:
    """The URL of a database without a gallery."""
    return postgres_server.new_database(f"gallery{next(_numbers)}")


@pytest.fixture
def location(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str | Path:
    """Where no gallery is yet."""
    if engine == "sqlite":
        return tmp_path / "gallery.db"
    url = request.getfixturevalue("new_database")
    assert isinstance(url, str)
    return url


@pytest.fixture
def gallery(location: str | Path, origin: VectorOrigin) -> Iterator[Gallery]:
    with Gallery.open(location, origin, create=True) as opened:
        yield opened
