"""Detection, alignment and embedding as one step, against the three steps one picture at a time."""

import numpy as np
import pytest

from multiface.errors import UsageError, WeightsMissing
from multiface.faces.align import align
from multiface.faces.analysis import Analyser
from multiface.faces.detector import Detector
from multiface.faces.embedder import Embedder
from multiface.faces.face import Image
from multiface.faces.finding import find_faces
from multiface.faces.opening import open_detector, open_embedder
from multiface.weights.session import Engine
from multiface.weights.store import Store
from tests.drawn_faces import PEOPLE, drawn_face, group_of


@pytest.fixture(scope="module")
def embedder(store: Store) -> Embedder:
    return open_embedder(store, "sface", Engine())


@pytest.fixture(scope="module")
def pictures(portrait: Image) -> list[Image]:
    """Several faces, none, one, one that is turned."""
    drawn = group_of(*(drawn_face(name) for name in PEOPLE))
    return [drawn, np.zeros((40, 60, 3), np.uint8), portrait, np.rot90(portrait, 2)]


@pytest.mark.parametrize("flip", [True, False])
def test_the_same_as_step_by_step(
    detectors: dict[str, Detector], embedder: Embedder, pictures: list[Image], flip: bool
) -> None:
    detector = detectors["mtcnn"]
    analyses = Analyser(detector, embedder, flip).analyse(pictures)
    assert [len(one.faces) for one in analyses] == [4, 0, 1, 1]
    assert [one.turn for one in analyses] == [0, 0, 0, 2]
    for image, one in zip(pictures, analyses, strict=True):
        assert (one.height, one.width) == image.shape[:2]
        found = find_faces(detector, image)
        assert one.bordered == found.bordered
        np.testing.assert_array_equal(one.faces.boxes, found.faces.boxes)
        assert one.embeddings.shape == (len(found.faces), 128)
        for face in range(len(found.faces)):
            crop = align(image, found.faces.landmarks[face], embedder.spec.template, (112, 112))
            np.testing.assert_allclose(one.embeddings[face], embedder.embed(crop, flip)[0], atol=1e-4)


def test_a_turned_picture_shows_the_same_person(
    detectors: dict[str, Detector], embedder: Embedder, pictures: list[Image]
) -> None:
    many, _, upright, turned = Analyser(detectors["mtcnn"], embedder).analyse(pictures)
    assert float(upright.embeddings[0] @ turned.embeddings[0]) > 0.9
    assert float((many.embeddings @ upright.embeddings[0]).max()) < 0.5


def test_no_pictures_give_nothing(detectors: dict[str, Detector], embedder: Embedder) -> None:
    assert Analyser(detectors["mtcnn"], embedder).analyse([]) == []


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("yunet_zoo", WeightsMissing, "weights pull yunet_zoo"),
        ("mtcn", WeightsMissing, "mtcn"),
        ("sface", UsageError, "embedder, not a detector"),
    ],
)
def test_a_name_that_is_no_detector_here(store: Store, name: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        open_detector(store, name, Engine())


@pytest.mark.parametrize("size", [0, -5, float("nan")])
def test_a_size_that_no_face_has(store: Store, size: float) -> None:
    with pytest.raises(UsageError, match="min_face must be a number of pixels above 0"):
        open_detector(store, "mtcnn", Engine(), min_face=size)
