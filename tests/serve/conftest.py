"""A real server on a real port, and clients of it; drawn faces."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import uvicorn

from multiface import Gallery, Recognizer, RecognizerSettings
from multiface.gallery.service import access_keys
from multiface.images import PictureLimits, limit_pictures
from multiface.serve.app import make_app
from multiface.serve.ending_server import EndingServer
from multiface.serve.serve_settings import ServeSettings
from tests.drawn_faces import save_people
from tests.serve.camera_film import write_film
from tests.serve.cameras import FilmServer


@contextmanager
def serving(recognizer: Recognizer, settings: ServeSettings) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    app = make_app(recognizer, settings)
    server = EndingServer(uvicorn.Config(app, log_level="error", access_log=False, lifespan="on"), app)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            until = time.monotonic() + 20
            while not server.started and time.monotonic() < until:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            limit_pictures(PictureLimits())


def encoded(picture: npt.NDArray[np.uint8], kind: str = "JPEG") -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(picture).save(content, kind, quality=95)
    return content.getvalue()


@pytest.fixture(scope="session")
def people_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_people(tmp_path_factory.mktemp("served"), {"ada": 3, "bob": 3})


@pytest.fixture(scope="module")
def recognizer(people_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """With a gallery of Ada and Bob."""
    file = tmp_path_factory.mktemp("serve") / "g.sqlite"
    with Recognizer(gallery=file, create=True, settings=RecognizerSettings(threads=2, rate=0.001)) as opened:
        opened.sync(people_pictures)
        yield opened


@pytest.fixture(scope="module")
def gallery(recognizer: Recognizer) -> Gallery:
    assert recognizer.gallery is not None
    return recognizer.gallery


def key_for(gallery: Gallery, *scopes: str, days: int | None = None) -> str:
    with gallery.database.writing() as connection:
        return access_keys.new_key(connection, "test", scopes, days)[1]


@pytest.fixture(scope="module")
def address(recognizer: Recognizer) -> Iterator[str]:
    with serving(recognizer, ServeSettings(rate=0.001)) as one:
        yield one


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a camera sees."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture
def film_server(film: Path) -> Iterator[FilmServer]:
    """A camera that sees it."""
    server = FilmServer(film)
    yield server
    server.stop()


Client = Callable[..., httpx.Client]


@pytest.fixture
def client(address: str, gallery: Gallery) -> Iterator[Client]:
    """`client(*scopes)`: a client with a key for these."""
    opened: list[httpx.Client] = []

    def make(*scopes: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key_for(gallery, *scopes)}"} if scopes else {}
        opened.append(httpx.Client(base_url=address, headers=headers, timeout=60))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
