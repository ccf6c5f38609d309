"""Overlap and non-maximum suppression against literal loops."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.faces.boxes import iou, nms
from multiface.images.box import Box

Mode = Literal["union", "minimum"]


def overlap_literally(a: Box, b: Box, mode: Mode) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    common = width * height
    return common / (area_a + area_b - common if mode == "union" else min(area_a, area_b))


def nms_literally(boxes: list[Box], scores: list[float], threshold: float, mode: Mode) -> list[int]:
    order = sorted(range(len(boxes)), key=lambda k: (-scores[k], k))
    stay: list[int] = []
    for k in order:
        if all(overlap_literally(boxes[j], boxes[k], mode) <= threshold for j in stay):
            stay.append(k)
    return stay


# Whole numbers: sums and products are exact, so that both sides agree on what is "more than" a threshold.
corner = st.integers(0, 40)
side = st.integers(0, 30)
boxes = st.builds(
    lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)), corner, corner, side, side
)
scored = st.lists(st.tuples(boxes, st.integers(0, 10).map(lambda k: k / 10)), max_size=60)


@given(scored, st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), st.sampled_from(["union", "minimum"]))
def test_nms_is_the_greedy_loop(faces: list[tuple[Box, float]], threshold: float, mode: Mode) -> None:
    found = nms(
        np.array([box for box, _ in faces], np.float64).reshape(-1, 4),
        np.array([score for _, score in faces], np.float64),
        threshold,
        mode,
    )
    assert found.dtype == np.intp
    assert found.tolist() == nms_literally([b for b, _ in faces], [s for _, s in faces], threshold, mode)


@pytest.mark.parametrize("mode", ["union", "minimum"])
def test_nms_over_several_blocks(mode: Mode) -> None:
    draw = np.random.default_rng(3)
    corners = draw.integers(0, 300, (1500, 2))
    many = np.concatenate([corners, corners + draw.integers(5, 60, (1500, 2))], axis=1).astype(np.float64)
    scores = draw.integers(0, 400, 1500) / 400
    wanted = nms_literally([tuple(box) for box in many.tolist()], scores.tolist(), 0.5, mode)
    assert nms(many, scores, 0.5, mode).tolist() == wanted


def test_nms_of_nothing() -> None:
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).shape == (0,)


@settings(max_examples=50)
@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=8))
def test_iou_is_the_loop(a: list[Box], b: list[Box]) -> None:
    found = iou(np.array(a, np.float32).reshape(-1, 4), np.array(b, np.float32).reshape(-1, 4))
    wanted = np.array([[overlap_literally(x, y, "union") for y in b] for x in a]).reshape(len(a), len(b))
    assert found.shape == (len(a), len(b))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_iou_of_known_boxes() -> None:
    a: npt.NDArray[np.float32] = np.array([[0, 0, 2, 2], [5, 5, 4, 6]], np.float32)
    b: npt.NDArray[np.float32] = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2]], np.float32)
    np.testing.assert_allclose(iou(a, b), [[1 / 7, 1, 0], [0, 0, 0]], rtol=1e-6)
