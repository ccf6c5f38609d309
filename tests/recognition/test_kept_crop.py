"""Crops that are kept of templates: nearly the vector of the picture, for all networks that see no more of a face."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiface.faces.align import align
from multiface.gallery import Gallery
from multiface.images import load_picture
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.kept_crop import cut_from_crop, kept_crop
from multiface.weights.catalogue import CATALOGUE
from multiface.weights.spec import ARCFACE_TEMPLATE, InputSpec, Point
from tests.recognition.test_faces_again import mirrored  # noqa: F401 a fixture


def scaled(by: float, shift: float = 0.0) -> tuple[Point, ...]:
    return tuple((by * x + shift, by * y + shift) for x, y in ARCFACE_TEMPLATE)


def test_the_vector_is_nearly_that_of_the_picture(recognizer: Recognizer, people: Path) -> None:
    spec = recognizer.embedder.spec
    for path in sorted(people.rglob("*.jpg")):
        image = load_picture(path)
        found = recognizer.detect(image)
        crop = kept_crop(image, found.faces, 0)
        assert len(crop.picture) < 12_000
        pixels = cut_from_crop(load_picture(crop.picture), spec)
        assert isinstance(pixels, np.ndarray)
        assert (
            np.abs(pixels.astype(int) - load_picture(crop.picture)).max() <= 1
        )  # the rounding of the resampling
        (vector,) = recognizer.embedder.embed(pixels[None], recognizer.flip)
        assert recognizer.analyse(image).embeddings[0] @ vector > 0.99


def test_what_a_crop_serves(people: Path, recognizer: Recognizer) -> None:
    image = load_picture(people / "ada" / "ada1.jpg")
    found = recognizer.detect(image)
    crop = load_picture(kept_crop(image, found.faces, 0).picture)
    for entry in CATALOGUE:
        if entry.spec is not None:
            assert isinstance(cut_from_crop(crop, entry.spec), np.ndarray), entry.name
    half = InputSpec.for_crops(128, 56, 56, template=scaled(0.5, -0.25))
    pixels = cut_from_crop(crop, half)
    assert isinstance(pixels, np.ndarray)
    direct = align(image, found.faces.landmarks[[0]], half.template, (56, 56))[0]
    assert np.abs(pixels.astype(int) - direct).mean() < 6
    for size, template in (
        (160, scaled(160 / 112)),  # more pixels
        (112, scaled(0.7, 17.0)),  # more of the face
        (112, (*ARCFACE_TEMPLATE[:2], (56.0, 80.0), *ARCFACE_TEMPLATE[3:])),  # another face, so to say
    ):
        refused = cut_from_crop(crop, InputSpec.for_crops(128, size, size, template=template))
        assert isinstance(refused, str) and "need more of a face" in refused
    assert "112 pixels" in str(cut_from_crop(crop[:100], recognizer.embedder.spec))


def test_a_picture_from_memory_is_embedded_again_from_its_crop(
    mirrored: Recognizer,  # noqa: F811
    people: Path,
    places: dict[str, Any],
    tmp_path: Path,
) -> None:
    image = load_picture(people / "ada" / "ada1.jpg")
    with Recognizer(
        gallery=tmp_path / "g.sqlite", create=True, settings=RecognizerSettings(**places)
    ) as keeping:
        keeping.enroll("ada", [image])
        assert keeping.gallery is not None
        done = mirrored.reembed(keeping.gallery)
        assert (done.switched, done.templates, done.from_crops) == (True, 1, 1)
    with Gallery.open(tmp_path / "g.sqlite", mirrored.origin) as gallery:
        (vector,) = gallery.matrix().vectors
        assert vector @ mirrored.analyse(image).embeddings[0] > 0.99


@pytest.mark.parametrize("crops", [True, False])
def test_where_crops_are_kept(crops: bool, people: Path, places: dict[str, Any], tmp_path: Path) -> None:
    settings = RecognizerSettings(crops=crops, **places)
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True, settings=settings) as keeping:
        keeping.sync(people)
        assert keeping.gallery is not None
        assert keeping.gallery.forget_crops().templates == (3 if crops else 0)
    with Recognizer(people=people, settings=settings) as cached:
        assert cached.gallery is not None and cached.gallery.forget_crops().templates == 0
