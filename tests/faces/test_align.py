"""Alignment against a literal least-squares solution and a literal slow sampler."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import FaceError
from multiface.faces.align import align, similarity_transforms
from multiface.weights.spec import ARCFACE_TEMPLATE

TEMPLATE = np.array(ARCFACE_TEMPLATE)
OTHER = ((47.0, 46.0), (103.0, 46.0), (75.0, 78.0), (51.0, 106.0), (99.0, 106.0))
"""Five points in a crop of 150 x 150."""


def least_squares(landmarks: np.ndarray, template: np.ndarray) -> tuple[complex, complex]:
    """Solve x' = p x - q y + r, y' = q x + p y + s for p, q, r, s with NumPy's solver."""
    rows, values = [], []
    for (x, y), (u, v) in zip(landmarks, template, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    p, q, r, s = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return complex(p, q), complex(r, s)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.05, 30), angle=st.floats(-3.2, 3.2))
def test_transforms_equal_a_general_solver(seed: int, scale: float, angle: float) -> None:
    rng = np.random.default_rng(seed)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    faces = (TEMPLATE + rng.normal(0, 3, (4, 5, 2))) @ turn.T + rng.uniform(-500, 500, (4, 1, 2))
    for face, (a, b) in zip(faces, similarity_transforms(faces, ARCFACE_TEMPLATE), strict=True):
        wanted_a, wanted_b = least_squares(face, TEMPLATE)
        assert abs(a - wanted_a) < 1e-7 * max(1, abs(wanted_a))
        assert abs(b - wanted_b) < 1e-4 * max(1, abs(wanted_b))


def test_landmarks_on_the_template_give_the_picture_itself() -> None:
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    crop = align(image, TEMPLATE[None])
    assert crop.shape == (1, 112, 112, 3) and crop.dtype == np.uint8
    assert np.abs(crop[0].astype(int) - image).max() <= 1  # Pillow cuts fractions off


def slow_bilinear(image: np.ndarray, a: complex, b: complex, width: int, height: int) -> np.ndarray:
    out = np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            p = (complex(x, y) - b) / a
            x0, y0 = int(np.floor(p.real)), int(np.floor(p.imag))
            if x0 < 0 or y0 < 0 or x0 + 1 >= image.shape[1] or y0 + 1 >= image.shape[0]:
                out[y, x] = np.nan
                continue
            fx, fy = p.real - x0, p.imag - y0
            top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
            bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
            out[y, x] = top * (1 - fy) + bottom * fy
    return out


@pytest.mark.parametrize(("scale", "angle"), [(0.7, 0.3), (1.0, -0.5), (1.4, 2.8), (1.9, 0.0)])
def test_sampling_equals_a_literal_bilinear_sampler(scale: float, angle: float) -> None:
    """Picture pixels per crop pixel below 2: no averaging, so the literal formula holds to rounding."""
    image = np.random.default_rng(1).integers(0, 256, (300, 320, 3), np.uint8)
    points = (TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1] - (56 + 72j)) * scale * np.exp(1j * angle) + (160 + 140j)
    landmarks = np.stack([points.real, points.imag], axis=1)[None]
    ((a, b),) = similarity_transforms(landmarks, ARCFACE_TEMPLATE)
    wanted = slow_bilinear(image, a, b, 112, 112)
    inside = np.isfinite(wanted)
    assert inside.mean() > 0.8
    got = align(image, landmarks)[0].astype(float)
    assert np.abs(got - wanted)[inside].max() <= 1.01


def test_much_shrinking_averages_instead_of_skipping() -> None:
    """A fine checkerboard becomes grey, not a pattern of its own."""
    board = (np.indices((1600, 1600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    crop = align(image, TEMPLATE[None] * 12 + 100)[0].astype(int)
    assert np.abs(crop[5:-5, 5:-5] - 127).max() <= 2


def test_shrunk_crops_are_not_shifted() -> None:
    """A smooth ramp keeps its values: block averaging must not move the picture."""
    ramp = np.tile(np.linspace(0, 255, 1200), (1200, 1)).round().astype(np.uint8)
    image = np.repeat(ramp[..., None], 3, axis=2)
    for factor in (1.7, 2.0, 3.3, 7.9):
        landmarks = TEMPLATE[None] * factor + 60
        crop = align(image, landmarks)[0].astype(float)
        x = (np.arange(112) * factor + 60) * 255 / 1199
        assert np.abs(crop[56, 2:-2, 0] - x[2:-2]).max() < 1.6, factor


def test_outside_the_picture_is_black_and_nothing_crashes() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    crops = align(image, np.stack([TEMPLATE - 30, TEMPLATE + 5000]))
    assert crops[0].max() == 200 and crops[0].min() == 0
    assert crops[1].max() == 0


def test_faces_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (200, 200, 3), np.uint8)
    faces = TEMPLATE + rng.normal(0, 8, (6, 5, 2))
    together = align(image, faces, OTHER, (150, 150))
    for k in range(6):
        np.testing.assert_array_equal(together[k], align(image, faces[k : k + 1], OTHER, (150, 150))[0])


def test_landmarks_that_fit_at_no_scale_are_refused() -> None:
    """Points orthogonal to the template, as complex vectors: the best similarity transform has scale zero."""
    centred = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    centred -= centred.mean()
    rng = np.random.default_rng(0)
    other = rng.normal(size=5) + 1j * rng.normal(size=5)
    other -= other.mean()
    other -= centred * np.vdot(centred, other) / np.vdot(centred, centred)
    with pytest.raises(FaceError, match="no likeness"):
        align(np.zeros((20, 20, 3), np.uint8), np.stack([other.real, other.imag], axis=1)[None] * 10)


@pytest.mark.parametrize("value", [3.0, np.nan, np.inf])
def test_landmarks_that_say_nothing_are_refused(value: float) -> None:
    with pytest.raises(FaceError, match="cannot be aligned"):
        align(np.zeros((20, 20, 3), np.uint8), np.full((1, 5, 2), value))


def test_no_faces_give_no_crops() -> None:
    assert align(np.zeros((5, 5, 3), np.uint8), np.zeros((0, 5, 2))).shape == (0, 112, 112, 3)
