"""Sharpness, contrast and norm of faces against literal formulas, and how they move when a picture gets worse."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.faces.opening import open_embedder
from multiface.faces.picture_quality import PictureQuality, detail_and_contrast
from multiface.images import load_picture
from multiface.recognition.demo import PORTRAIT
from multiface.weights.session import Engine
from multiface.weights.store import Store


def literal(crop: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Pixel by pixel, in Python's own numbers."""
    height, width, _ = crop.shape
    top, left = height // 7, 3 * width // 14
    luma = [
        [
            sum(w * int(v) for w, v in zip((0.299, 0.587, 0.114), crop[y, x], strict=True))
            for x in range(left, width - left)
        ]
        for y in range(top, height - top)
    ]
    laplacian = [
        4 * luma[y][x] - luma[y - 1][x] - luma[y + 1][x] - luma[y][x - 1] - luma[y][x + 1]
        for y in range(1, len(luma) - 1)
        for x in range(1, len(luma[0]) - 1)
    ]
    values = [value for row in luma for value in row]

    def deviation(numbers: list[float]) -> float:
        mean = sum(numbers) / len(numbers)
        return float((sum((n - mean) ** 2 for n in numbers) / len(numbers)) ** 0.5)

    contrast = deviation(values)
    return deviation(laplacian) / contrast if contrast > 1e-9 else 0.0, contrast


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(14, 40), width=st.integers(14, 40))
def test_the_literal_formula(seed: int, height: int, width: int) -> None:
    crops = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    detail, contrast = detail_and_contrast(crops)
    assert detail.dtype == contrast.dtype == np.float32
    for k, crop in enumerate(crops):
        assert (detail[k], contrast[k]) == pytest.approx(literal(crop), rel=1e-4)


def test_an_even_crop_has_none_of_either_and_no_crops_give_nothing() -> None:
    detail, contrast = detail_and_contrast(np.full((1, 112, 112, 3), 77, np.uint8))
    assert detail[0] == 0 and contrast[0] == pytest.approx(0, abs=1e-4)
    assert [part.shape for part in detail_and_contrast(np.zeros((0, 112, 112, 3), np.uint8))] == [(0,), (0,)]


def test_blur_takes_detail_and_darkness_takes_contrast_only() -> None:
    portrait = PIL.Image.fromarray(load_picture(PORTRAIT)).crop((170, 60, 282, 172))
    worse = [portrait.filter(PIL.ImageFilter.GaussianBlur(sigma)) for sigma in (0, 1, 2, 4)]
    detail, _ = detail_and_contrast(np.stack([np.asarray(one) for one in worse]))
    assert np.all(np.diff(detail) < 0)
    dark = portrait.point(lambda value: value * 0.5)
    (bright_detail, dark_detail), (bright, darker) = detail_and_contrast(
        np.stack([np.asarray(portrait), np.asarray(dark)])
    )
    assert dark_detail == pytest.approx(bright_detail, rel=0.05)
    assert darker == pytest.approx(bright / 2, rel=0.02)


def test_eyes_are_measured_in_the_picture() -> None:
    landmarks = np.zeros((2, 5, 2), np.float32)
    landmarks[0, 1] = (3, 4)
    landmarks[1, :2] = ((10, 10), (10, 22))
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    norm = np.array([7, 8], np.float32)
    quality = PictureQuality.of(landmarks, crops, norm)
    assert quality.eyes.tolist() == [5, 12] and quality.norm.tolist() == [7, 8]


@pytest.mark.parametrize("flip", [False, True])
def test_the_norm_is_that_of_the_crop_as_it_is(flip: bool, tmp_path: Path) -> None:
    embedder = open_embedder(Store(tmp_path, tmp_path), "sface", Engine(threads=1))
    crops = np.random.default_rng(5).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    unit, norms = embedder.embed_with_norms(crops, flip)
    assert np.allclose(norms, np.sqrt((embedder.features(crops).astype(float) ** 2).sum(axis=1)), rtol=1e-5)
    assert np.allclose(unit, embedder.embed(crops, flip), atol=1e-6)
