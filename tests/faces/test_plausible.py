"""Landmarks that can be an upright face: a frontal face, a profile, and what no head looks like."""

import numpy as np
import pytest

from multiface.faces.face import Faces
from multiface.faces.plausible import plausible
from multiface.weights.spec import ARCFACE_TEMPLATE

FRONT = np.array(ARCFACE_TEMPLATE, np.float64)
PROFILE = np.array([[30, 40], [34, 40], [12, 60], [28, 82], [30, 82]], np.float64)
BOX = np.array([5, 0, 107, 112], np.float64)


def judged(points: np.ndarray, box: np.ndarray = BOX) -> bool:
    faces = Faces(box[None].astype(np.float32), np.ones(1, np.float32), points[None].astype(np.float32))
    return bool(plausible(faces)[0])


def about_the_middle(points: np.ndarray, degrees: float) -> np.ndarray:
    """Turned around (56, 56), the middle of a box of 112 x 112."""
    turn = np.exp(1j * np.radians(degrees))
    moved = (points[:, 0] - 56 + 1j * (points[:, 1] - 56)) * turn
    return np.stack([moved.real, moved.imag], axis=1) + 56


@pytest.mark.parametrize("points", [FRONT, PROFILE])
@pytest.mark.parametrize("scale", [0.1, 1, 30])
@pytest.mark.parametrize("shift", [-50, 0, 1000])
def test_size_and_place_do_not_matter(points: np.ndarray, scale: float, shift: float) -> None:
    assert judged(points * scale + shift, BOX * scale + shift)
    assert not judged(points[[3, 4, 2, 0, 1]] * scale + shift, BOX * scale + shift)


@pytest.mark.parametrize("degrees", [-45, -30, 0, 30, 45])
def test_a_tilted_head_is_a_face(degrees: float) -> None:
    assert judged(about_the_middle(FRONT, degrees), np.array([0, 0, 112, 112]))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_face_is_none(degrees: float) -> None:
    assert not judged(about_the_middle(FRONT, degrees), np.array([0, 0, 112, 112]))


def test_points_beside_the_box_or_in_one_place_or_not_finite_are_none() -> None:
    assert not judged(FRONT + np.array([60, 0]))
    assert not judged(np.full((5, 2), 50.0))
    assert not judged(FRONT * np.array([1, np.nan]))
    assert not judged(FRONT, BOX[[2, 1, 0, 3]])


def test_no_faces_are_no_answers() -> None:
    assert plausible(Faces.none()).shape == (0,)
