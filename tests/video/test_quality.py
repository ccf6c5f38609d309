"""Quality falls with what makes a face hard to recognise, on a real face."""

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFilter

from multiface.faces.face import Faces
from multiface.images import load_picture
from multiface.recognition.demo import PORTRAIT
from multiface.video.tracks.quality import alignable, covered, frontality, qualities, sharpness
from multiface.weights.spec import ARCFACE_TEMPLATE

FACE = np.array(ARCFACE_TEMPLATE, np.float32)


def faces(landmarks: np.ndarray, boxes: np.ndarray, scores: list[float]) -> Faces:
    return Faces(boxes.astype(np.float32), np.array(scores, np.float32), landmarks.astype(np.float32))


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    """The face of the portrait, 112 x 112 (where exactly its parts lie does not matter)."""
    square = Pillow.fromarray(load_picture(PORTRAIT)[20:220, 120:320])
    return np.asarray(square.resize((112, 112), Pillow.Resampling.LANCZOS))


def test_blur_lowers_sharpness_step_by_step(crop: np.ndarray) -> None:
    blurred = [
        np.asarray(Pillow.fromarray(crop).filter(ImageFilter.GaussianBlur(radius)))
        for radius in (0, 1, 2, 4, 8)
    ]
    values = sharpness(np.stack(blurred))
    assert (np.diff(values) < 0).all() and values[0] > 3 * values[3]
    assert sharpness(np.full((1, 56, 56, 3), 90, np.uint8))[0] == 0


def test_contrast_does_not_count(crop: np.ndarray) -> None:
    paler = (crop.astype(float) * 0.7 + 40).astype(np.uint8)
    assert sharpness(paler[None])[0] == pytest.approx(sharpness(crop[None])[0], rel=0.1)


def test_noise_in_the_dark_is_not_detail(crop: np.ndarray) -> None:
    """A face out of focus and dark, whose contrast is hardly more than the noise."""
    soft = np.asarray(Pillow.fromarray(crop).filter(ImageFilter.GaussianBlur(6)), float) * 0.06 + 8
    noise = np.random.default_rng(0).normal(0, 1, crop.shape[:2])[..., None]
    dark = (soft + noise).clip(0, 255).astype(np.uint8)
    assert sharpness(dark[None])[0] < 0.6 * sharpness(crop[None])[0]


def test_a_face_that_turns_is_less_frontal() -> None:
    turned = []
    for shift in (0, 6, 12, 17, 25):
        points = FACE.copy()
        points[2, 0] += shift
        turned.append(points)
    values = frontality(np.stack(turned))
    assert values[0] > 0.9 and (np.diff(values[:4]) < 0).all() and values[4] == np.float32(0.05)


def test_frontality_does_not_ask_for_upright_faces() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]], np.float32)
    assert frontality((FACE @ turn.T * 3 + 50)[None]) == pytest.approx(frontality(FACE[None]), abs=1e-5)


def test_each_factor_counts(crop: np.ndarray) -> None:
    box = np.array([[0, 0, 112, 112]])
    whole = qualities(faces(FACE[None], box, [0.9]), crop)[0]
    assert 0.1 < whole <= 0.9
    assert qualities(faces(FACE[None], box, [0.45]), crop)[0] == pytest.approx(whole / 2)
    half = np.asarray(Pillow.fromarray(crop).resize((56, 56)))
    assert qualities(faces(FACE[None] / 2, box / 2, [0.9]), half)[0] < 0.75 * whole
    both = qualities(
        faces(np.stack([FACE, FACE]), np.array([[0, 0, 112, 112], [56, 0, 168, 112]]), [0.9, 0.9]), crop
    )
    assert both[0] == pytest.approx(whole * 2 / 3, rel=1e-4)


def test_useless_landmarks_have_no_quality(crop: np.ndarray) -> None:
    points = np.stack([FACE, np.full((5, 2), 7.0), np.full((5, 2), np.nan)])
    assert alignable(points.astype(np.float32)).tolist() == [True, False, False]
    found = qualities(
        faces(points, np.array([[0, 0, 112, 112], [200, 0, 212, 9], [300, 0, 309, 9]]), [0.9] * 3), crop
    )
    assert found[0] > 0 and found[1:].tolist() == [0, 0]
    assert qualities(Faces.none(), crop).shape == (0,)


def test_faces_outside_of_the_picture() -> None:
    found = qualities(
        faces(FACE[None] + 500, np.array([[500, 500, 612, 612]]), [1.0]), np.zeros((1, 1, 3), np.uint8)
    )
    assert found.tolist() == [0]


def test_how_much_is_covered() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [30, 0, 40, 10]], np.float32)
    assert covered(boxes) == pytest.approx([1 / 3, 1 / 3, 0], abs=1e-6)
    assert covered(boxes[:1]).tolist() == [0]
