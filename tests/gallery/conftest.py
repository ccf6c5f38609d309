"""A gallery's raw material without any network: random unit vectors and facts about made-up pictures."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiface.gallery.engine import NewTemplate, PictureFacts, VectorOrigin

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
