"""SCRFD's outputs read place by place, in a slow loop, and networks that are none."""

import math
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import WeightsError
from multiface.faces.face import Image
from multiface.faces.scrfd import Scrfd
from multiface.weights.session import Engine, open_session
from multiface.weights.store import Store

NAMES = ("scrfd_2.5g", "scrfd_500m")


def path_of(store: Store, name: str) -> Path:
    return store.any_size(store.detector(name))


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest, store: Store, shared: Path) -> Path:  # noqa: ARG001 - has the weights
    return path_of(store, request.param)


def slowly(path: Path, image: Image, least: float) -> list[tuple[float, list[float], list[float]]]:
    """Every place of every stride: score, box and points in pixels of the (padded) picture."""
    height, width = (math.ceil(side / 32) * 32 for side in image.shape[:2])
    tensor = np.zeros((1, 3, height, width), np.float32)
    for channel in range(3):  # RGB as it is
        tensor[0, channel, : image.shape[0], : image.shape[1]] = image[..., channel]
    session = open_session(path, Engine())
    outputs = session.run(None, {session.get_inputs()[0].name: (tensor - 127.5) / 128})
    found = []
    for level, stride in enumerate((8, 16, 32)):
        scores, distances, offsets = (np.squeeze(outputs[level + 3 * k]) for k in range(3))
        place = 0
        for y in range(0, height, stride):
            for x in range(0, width, stride):
                for _anchor in range(2):
                    if scores[place] >= least:
                        left, top, right, bottom = (distances[place] * stride).tolist()
                        points = [v * stride + (x, y)[k % 2] for k, v in enumerate(offsets[place].tolist())]
                        box = [x - left, y - top, x + right, y + bottom]
                        found.append((float(scores[place]), box, points))
                    place += 1
        assert place == len(scores)
    return sorted(found, reverse=True)


def test_the_best_faces_are_those_of_a_slow_reading(network: Path, portrait: Image) -> None:
    """Greedy suppression keeps the best candidate whatever happens to the others."""
    candidates = slowly(network, portrait, 0.3)
    assert len(candidates) > 3
    (face,) = (Scrfd(open_session(network, Engine()), "x", score=0.3).detect(portrait),)
    score, box, points = candidates[0]
    assert len(face) == 1
    assert face.scores[0] == pytest.approx(score, rel=1e-4)
    np.testing.assert_allclose(face.boxes[0], box, atol=0.01)
    np.testing.assert_allclose(face.landmarks[0].ravel(), points, atol=0.01)


def test_every_face_is_a_candidate_and_none_is_left_over(network: Path, shared: Path) -> None:
    """On a picture of several: each returned face is among the slow candidates, and each candidate that is
    not returned overlaps a better returned face by more than 0.4."""
    from multiface.images import load_picture

    image = load_picture(shared / "data" / "photos" / "groups" / "bbt3.jpg")
    assert max(image.shape) <= 640
    faces = Scrfd(open_session(network, Engine()), "x", score=0.4, min_face=1).detect(image)
    candidates = slowly(network, image, 0.4)
    kept: list[list[float]] = []
    for _, box, _points in candidates:
        if all(overlap(box, better) <= 0.4 for better in kept):
            kept.append(box)
    np.testing.assert_allclose(faces.boxes, kept, atol=0.02)
    assert len(kept) >= 5


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_another_network_is_refused(store: Store) -> None:
    for path in (path_of(store, "yunet"), store.embedder("sface").path):
        with pytest.raises(
            WeightsError, match="mine: an SCRFD network with landmarks has 1 input and 9 outputs"
        ):
            Scrfd(open_session(path, Engine()), "mine")
