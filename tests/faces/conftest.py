"""A store with every detector, filled and built once for all tests of the room."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from multiface.faces.detector import Detector
from multiface.faces.face import Image
from multiface.faces.opening import open_detector
from multiface.images import load_picture
from multiface.weights.session import Engine
from multiface.weights.store import Store

PULLED = ("scrfd_2.5g", "scrfd_500m", "yunet_n", "mobilefacenet_128_ms1m")
DETECTORS = ("mtcnn", "scrfd_2.5g", "scrfd_500m", "yunet_n")


@dataclass(frozen=True, slots=True)
class Group:
    """A picture of several people, from `truth.json`.

    boxes: (x0, y0, x1, y1) of the clear faces. hard: of disguised and cut ones.
    """

    name: str
    image: Image
    boxes: tuple[tuple[float, float, float, float], ...]
    hard: tuple[tuple[float, float, float, float], ...]


@pytest.fixture(scope="session")
def store(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("cache"))
    for name in PULLED:
        store.pull(name, shared / "data" / "weights")
    return store


@pytest.fixture(scope="session")
def detectors(store: Store) -> dict[str, Detector]:
    """Every detector by name, as it is opened for users."""
    return {name: open_detector(store, name, Engine()) for name in DETECTORS}


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest, detectors: dict[str, Detector]) -> Detector:
    """Each detector in turn."""
    return detectors[request.param]


@pytest.fixture(scope="session")
def groups(shared: Path) -> tuple[Group, ...]:
    photos = shared / "data" / "photos"
    truth = json.loads((photos / "truth.json").read_text())
    return tuple(
        Group(
            name,
            load_picture(photos / "groups" / name),
            tuple(tuple(face["box"]) for face in faces if not face.get("hard")),
            tuple(tuple(face["box"]) for face in faces if face.get("hard")),
        )
        for name, faces in truth.items()
    )


@pytest.fixture(scope="session")
def portrait(shared: Path) -> Image:
    """One face, 250 x 250 pixels."""
    return load_picture(shared / "data" / "lfw" / "Aaron_Eckhart" / "Aaron_Eckhart_0001.jpg")
