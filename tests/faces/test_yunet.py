"""YuNet's outputs read place by place, in a slow loop, and networks that are none."""

import math
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import WeightsError
from multiface.faces.face import Image
from multiface.faces.yunet import YuNet
from multiface.weights.session import Engine, open_session
from multiface.weights.store import NETWORK, Store
from tests.drawn_faces import PEOPLE, drawn_face, group_of


@pytest.fixture(scope="module", params=["yunet", "yunet_n"])
def network(store: Store, request: pytest.FixtureRequest) -> Path:
    """That of the package, and a larger one."""
    if request.param == "yunet_n":
        request.getfixturevalue("shared")
    return dict(store.detector(request.param).files)[NETWORK]


def slowly(path: Path, image: Image, least: float) -> list[tuple[float, list[float], list[float]]]:
    """Every place of every stride: score, box and points in pixels of the (padded) picture."""
    height, width = (math.ceil(side / 32) * 32 for side in image.shape[:2])
    tensor = np.zeros((1, 3, height, width), np.float32)
    for channel in range(3):  # BGR, pixels as they are
        tensor[0, 2 - channel, : image.shape[0], : image.shape[1]] = image[..., channel]
    session = open_session(path, Engine())
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {session.get_inputs()[0].name: tensor}), strict=True))
    found = []
    for stride in (8, 16, 32):
        cls, obj, bbox, kps = (outputs[f"{part}_{stride}"][0] for part in ("cls", "obj", "bbox", "kps"))
        for place in range(len(cls)):
            row, column = place // (width // stride), place % (width // stride)
            score = math.sqrt(float(cls[place, 0]) * float(obj[place, 0]))
            if score < least:
                continue
            dx, dy, log_w, log_h = bbox[place].tolist()
            x, y = (column + dx) * stride, (row + dy) * stride
            w, h = math.exp(log_w) * stride, math.exp(log_h) * stride
            points = [(v + (column, row)[k % 2]) * stride for k, v in enumerate(kps[place].tolist())]
            found.append((score, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], points))
    return sorted(found, reverse=True)


def test_the_best_face_is_that_of_a_slow_reading(network: Path, portrait: Image) -> None:
    candidates = slowly(network, portrait, 0.5)
    assert len(candidates) > 3
    faces = YuNet(open_session(network, Engine()), "x", score=0.5).detect(portrait)
    score, box, points = candidates[0]
    assert faces.scores[0] == pytest.approx(score, rel=1e-4)
    np.testing.assert_allclose(faces.boxes[0], box, atol=0.01)
    np.testing.assert_allclose(faces.landmarks[0].ravel(), points, atol=0.01)


def test_every_candidate_is_a_face_or_repeats_a_better_one(network: Path, portrait: Image) -> None:
    image = group_of(portrait, *(drawn_face(name)[25:175, 25:175] for name in PEOPLE))
    faces = YuNet(open_session(network, Engine()), "x", score=0.6, min_face=1).detect(image)
    kept: list[list[float]] = []
    for _, box, _points in slowly(network, image, 0.6):
        if all(overlap(box, better) <= 0.3 for better in kept):
            kept.append(box)
    np.testing.assert_allclose(faces.boxes, kept, atol=0.02)
    assert len(kept) >= 4


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_another_network_is_refused(store: Store) -> None:
    for path in (dict(store.detector("mtcnn").files)["onet"], store.embedder("sface").path):
        with pytest.raises(
            WeightsError, match="mine: the network lacks the outputs bbox_16, bbox_32, bbox_8"
        ):
            YuNet(open_session(path, Engine()), "mine")
