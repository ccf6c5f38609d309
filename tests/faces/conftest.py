"""A store with every detector, filled and built once for all tests of the room."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from multiface.errors import WeightsMissing
from multiface.faces.detector import Detector
from multiface.faces.face import Image
from multiface.faces.opening import open_detector
from multiface.images import load_picture
from multiface.weights.session import Engine
from multiface.weights.store import Store
from tests.conftest import ROOT

PORTRAIT = ROOT / "src" / "multiface" / "recognition" / "portrait" / "astronaut.jpg"

PULLED = ("scrfd_2.5g", "scrfd_500m", "yunet_n", "mobilefacenet_128_ms1m")
DETECTORS = ("mtcnn", "yunet_onet", "scrfd_500m")
"""Two of the package, and one that needs the reference data; `scrfd_2.5g` is the same code with a larger network."""


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
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of weights, with `PULLED` where the reference data is there."""
    store = Store(tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("cache"))
    weights = ROOT.parent / "shared" / "data" / "weights"
    if weights.is_dir():
        for name in PULLED:
            store.pull(name, weights)
    return store


class Detectors(dict[str, Detector]):
    """Detectors by name, as they are opened for users; one whose weights are not there skips the test."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __missing__(self, name: str) -> Detector:
        try:
            self[name] = open_detector(self._store, name, Engine())
        except WeightsMissing:
            pytest.skip(f"needs the folder `shared` beside the repository for {name}")
        return self[name]


@pytest.fixture(scope="session")
def detectors(store: Store) -> Detectors:
    return Detectors(store)


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest, detectors: Detectors) -> Detector:
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
def portrait() -> Image:
    """One face, 150 x 150 pixels, of the package's portrait."""
    face = Pillow.open(PORTRAIT).convert("RGB").crop((98, 0, 348, 250))
    return np.asarray(face.resize((150, 150), Pillow.Resampling.LANCZOS))
