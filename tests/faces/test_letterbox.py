"""The working copy of single-shot detectors: its size, its content, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.faces.letterbox import letterbox, resized


def ramp(height: int, width: int) -> np.ndarray:
    """Red rises to the right by up to 200, green downwards; blue is 90."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[..., 0] = np.linspace(0, 200, width)
    picture[..., 1] = np.linspace(0, 200, height)[:, None]
    return picture


@settings(max_examples=80, deadline=None)
@given(height=st.integers(1, 1500), width=st.integers(1, 1500), min_face=st.floats(1, 300))
def test_sizes(height: int, width: int, min_face: float) -> None:
    box = letterbox(np.full((height, width, 3), 7, np.uint8), min_face)
    rows, columns = box.image.shape[:2]
    assert rows % 32 == columns % 32 == 0
    used = (round(width * box.scale_x), round(height * box.scale_y))
    assert 0 <= columns - used[0] < 32 and 0 <= rows - used[1] < 32
    assert max(box.scale_x, box.scale_y) <= 1 or min(height, width) * box.scale_x < 1.5
    assert (box.image[: used[1], : used[0]] == 7).all()
    assert not box.image[used[1] :].any() and not box.image[:, used[0] :].any()
    if min(used) > 30:  # whole pixels are coarse in small pictures
        assert box.scale_x == pytest.approx(box.scale_y, rel=0.05)


@pytest.mark.parametrize(
    ("side", "min_face", "wanted"),
    [
        (250, 20, 250),  # nothing is enlarged
        (250, 1, 250),
        (640, 200, 640),
        (1280, 200, 640),  # shrunk to 640 where faces stay large
        (1280, 20, 768),  # faces of 20 pixels keep 12
        (1280, 12, 1280),
        (1280, 5, 1280),
        (6000, 200, 640),
        (6000, 20, 2560),  # never more than 2,560
        (4000, 24, 2000),
    ],
)
@pytest.mark.parametrize("upright", [True, False])
def test_the_longer_side(side: int, min_face: float, wanted: int, upright: bool) -> None:
    shape = (side, side // 2) if upright else (side // 2, side)
    box = letterbox(np.ones((*shape, 3), np.uint8), min_face)
    assert max(int(box.image.any(axis=(1, 2)).sum()), int(box.image.any(axis=(0, 2)).sum())) == wanted
    assert box.scale_x == pytest.approx(wanted / side, rel=0.01)


def test_a_picture_that_fits_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    np.testing.assert_array_equal(letterbox(image, 20).image[:250, :250], image)


@pytest.mark.parametrize(("height", "width"), [(1300, 2000), (4000, 2500), (3001, 4999)])
def test_shrinking_moves_nothing(height: int, width: int) -> None:
    """Also where large pictures are averaged strip by strip: a ramp stays the same ramp."""
    small = resized(ramp(height, width), 320, 280).astype(float)
    assert small.shape == (280, 320, 3)
    columns = (np.arange(320) + 0.5) / 320 * 200
    rows = (np.arange(280) + 0.5) / 280 * 200
    assert np.abs(small[:, 3:-3, 0] - columns[3:-3]).max() < 1.5
    assert np.abs(small[3:-3, :, 1] - rows[3:-3, None]).max() < 1.5
    assert (small[..., 2] == 90).all()


def test_shrinking_averages() -> None:
    board = (np.indices((3200, 3200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resized(np.repeat(board[..., None], 3, axis=2), 300, 300).astype(int)
    assert np.abs(small[2:-2, 2:-2] - 127).max() <= 2


def test_candidates_come_back_in_pixels_of_the_picture() -> None:
    box = letterbox(np.zeros((1280, 1280, 3), np.uint8), 200)
    assert box.scale_x == box.scale_y == 0.5
    boxes = np.array(
        [[10, 20, 110, 140], [300, 300, 390, 500], [12, 22, 113, 141], [400, 20, 501, 121]], float
    )
    points = np.arange(40, dtype=np.float32).reshape(4, 5, 2)
    scores = np.array([0.7, 0.95, 0.9, 0.6])
    faces = box.settle(boxes.astype(np.float32), scores.astype(np.float32), points, 200, 0.4)
    # The second is narrower than 200 pixels of the picture, the first overlaps the better third.
    np.testing.assert_array_equal(faces.boxes, boxes[[2, 3]] * 2)
    np.testing.assert_array_equal(faces.landmarks, points[[2, 3]] * 2)
    np.testing.assert_allclose(faces.scores, [0.9, 0.6], rtol=1e-6)
    assert {a.dtype for a in (faces.boxes, faces.scores, faces.landmarks)} == {np.dtype(np.float32)}


def test_sides_scale_apart() -> None:
    """A strip one pixel high cannot be shrunk in height: its way back is another for x and y."""
    box = letterbox(np.zeros((1, 5000, 3), np.uint8), 12)
    assert box.scale_x == pytest.approx(0.512) and box.scale_y == 1
    faces = box.settle(
        np.array([[0, 0, 100, 40]], np.float32),
        np.ones(1, np.float32),
        np.ones((1, 5, 2), np.float32),
        20,
        0.5,
    )
    np.testing.assert_allclose(faces.boxes, [[0, 0, 100 / 0.512, 40]], rtol=1e-5)
    np.testing.assert_allclose(faces.landmarks[0, 0], [1 / 0.512, 1], rtol=1e-5)
