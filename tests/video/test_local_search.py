"""Detections around known faces: as good as over the whole picture, or no answer."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.faces.face import Faces, Image
from multiface.faces.opening import open_detector
from multiface.recognition.demo import PORTRAIT
from multiface.video.tracks.local_search import all_found, detect_locally
from multiface.weights.session import Engine
from multiface.weights.store import Store


@dataclass
class Blocks:
    """A detector of blocks of one colour: each value from 150 on is a face, its box the block's bounds."""

    name: str = "blocks"
    sure: float = 0.5
    min_face: float = 20.0
    looked: list[int] = field(default_factory=list)
    smallest: float | None = None

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        self.looked.append(image.shape[0] * image.shape[1])
        self.smallest = smallest
        boxes = []
        values = np.unique(image[..., 0])
        for value in values[values > 149]:
            rows, columns = np.nonzero(image[..., 0] == value)
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        found = np.array(boxes, np.float32).reshape(-1, 4)
        scores = np.array([image[int(y0), int(x0), 0] / 255 for x0, y0, _, _ in boxes], np.float32)
        order = np.argsort(-scores)
        return Faces(found, scores, np.tile(found[:, None, :2], (1, 5, 1))).take(order)


def scene(*boxes: tuple[int, int, int, int]) -> Image:
    image = np.zeros((300, 500, 3), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        image[y0:y1, x0:x1] = 150 + number
    return image


def test_faces_are_where_they_are_in_the_whole_picture() -> None:
    image = scene((50, 60, 90, 110), (400, 200, 440, 250))
    near = Blocks()
    found = detect_locally(near, image, [(45, 55, 85, 105), (405, 195, 445, 245)])
    whole = Blocks().detect(image)
    assert found is not None and len(near.looked) == 1 and sum(near.looked) < 0.25 * 300 * 500
    assert near.smallest == pytest.approx(0.55 * 40)
    for name in ("boxes", "scores", "landmarks"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_a_face_that_is_gone_or_far_from_its_place_gives_no_answer() -> None:
    image = scene((50, 60, 90, 110))
    assert detect_locally(Blocks(), image, [(50, 60, 90, 110), (400, 200, 440, 250)]) is None
    assert detect_locally(Blocks(), image, [(80, 90, 120, 140)]) is None
    assert detect_locally(Blocks(), image, [(-90, -90, -50, -40)]) is None


def test_one_face_does_not_stand_for_two() -> None:
    """As when two people cross: the second one is to be looked for in the whole picture."""
    image = scene((100, 100, 150, 150))
    assert detect_locally(Blocks(), image, [(100, 100, 150, 150), (118, 100, 168, 150)]) is None
    both = scene((100, 100, 150, 150), (151, 100, 200, 150))
    assert detect_locally(Blocks(), both, [(100, 100, 150, 150), (105, 100, 155, 150)]) is None


def test_every_box_needs_a_face_of_its_own() -> None:
    faces = Blocks().detect(scene((50, 60, 90, 110), (200, 200, 240, 250)))
    assert all_found([(50, 60, 90, 110)], faces)
    assert all_found([(205, 200, 245, 250), (55, 60, 95, 110)], faces)
    assert not all_found([(50, 60, 90, 110), (55, 60, 95, 110)], faces)
    assert not all_found([(300, 200, 340, 250)], faces)


def test_a_new_face_beside_a_known_one_is_found_unless_it_is_cut_off() -> None:
    known = (200, 100, 260, 160)
    whole = detect_locally(Blocks(), scene(known, (263, 100, 285, 130)), [known])
    assert whole is not None and len(whole) == 2
    cut_off = detect_locally(Blocks(), scene(known, (265, 100, 300, 130)), [known])
    assert cut_off is not None and len(cut_off) == 1


def test_at_the_side_of_the_picture_nothing_counts_as_cut_off() -> None:
    known = (0, 0, 40, 50)
    found = detect_locally(Blocks(), scene(known), [(2, 0, 42, 50)])
    assert found is not None and found.boxes.tolist() == [list(known)]


def test_many_faces_are_looked_for_in_the_whole_picture() -> None:
    near = Blocks()
    many = [(x, y, x + 50, y + 50) for x in (10, 130, 250, 370) for y in (40, 180)]
    assert detect_locally(near, scene(*many), many) is None
    assert not near.looked


def test_large_faces_are_looked_for_at_a_smaller_size() -> None:
    near, known = Blocks(), (120, 60, 280, 220)
    found = detect_locally(near, scene(known), [(125, 60, 285, 220)])
    assert found is not None and near.looked[0] < 0.2 * 300 * 500
    np.testing.assert_allclose(found.boxes[0], known, atol=5)


def test_faces_stay_larger_than_the_smallest_that_the_detector_gives() -> None:
    known = (120, 60, 210, 150)
    found = detect_locally(Blocks(min_face=60.0), scene(known), [known])
    assert found is not None and found.boxes.tolist() == [list(known)], "not shrunk"


@pytest.mark.parametrize("name", ["mtcnn", "yunet", "yunet_onet", "scrfd_500m"])
def test_real_detectors_find_a_real_face_again(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Where the whole picture has it, to a tenth of its side: they see it at another size, on another grid."""
    store = Store(tmp_path / "store", tmp_path / "cache")
    if name == "scrfd_500m":
        store.pull(name, request.getfixturevalue("shared") / "data" / "weights")
    detector = open_detector(store, name, Engine())
    image = np.full((720, 1280, 3), 90, np.uint8)
    portrait = PIL.Image.open(PORTRAIT).convert("RGB").resize((256, 256))
    image[300:556, 700:956] = np.asarray(portrait)
    (whole,) = detector.detect(image).boxes.tolist()
    side = whole[2] - whole[0]
    expected = (whole[0] + 0.2 * side, whole[1] - 0.1 * side, whole[2] + 0.2 * side, whole[3] - 0.1 * side)
    found = detect_locally(detector, image, [expected])
    assert found is not None
    np.testing.assert_allclose(found.boxes, [whole], atol=0.1 * side)
