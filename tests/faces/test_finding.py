"""Second looks: the border, the quarter turns and the way back.

Most tests use a detector such as a user may bring: it finds marks drawn into the picture (a red pixel for
each landmark, upright only), so that boxes and landmarks can be compared to the pixel.
"""

from pathlib import Path

import numpy as np
import pytest

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.faces.finding import find_faces
from multiface.images import load_picture
from multiface.recognition.demo import PORTRAIT
from tests.drawn_faces import PEOPLE, drawn_face

LANDMARKS = np.array([[30, 20], [50, 21], [41, 30], [33, 44], [47, 45]], np.float32) + np.float32(0.5)
"""The middles of the marked pixels."""
SHIFT = np.array([-10, -12, 10, 16], np.float32)


class MarkFinder:
    """Finds five pixels of red 251..255 if the eyes are above the mouth, and enough black lies around."""

    name = "marks"
    sure = 0.8
    min_face = 20.0

    def __init__(self, border: int = 0) -> None:
        self.border = border
        self.seen: list[tuple[int, int]] = []

    def detect(self, image: Image, _smallest: float | None = None, /) -> Faces:
        self.seen.append((image.shape[1], image.shape[0]))
        points = np.zeros((5, 2), np.float32)
        for k in range(5):
            y, x = np.nonzero((image[..., 0] == 251 + k) & (image[..., 1] == 9))
            if len(x) != 1:
                return Faces.none()
            points[k] = x[0] + 0.5, y[0] + 0.5
        inside = points.min() >= self.border and (points < np.array(image.shape[1::-1]) - self.border).all()
        if not inside or points[:2, 1].max() >= points[3:, 1].min():
            return Faces.none()
        corner = np.concatenate([points.min(axis=0), points.max(axis=0)])
        box = corner + SHIFT
        return Faces(box[None].astype(np.float32), np.array([0.8], np.float32), points[None])


def marked(width: int = 90, height: int = 70) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    for k, (x, y) in enumerate(LANDMARKS.astype(int)):
        image[y, x] = 251 + k, 9, 0
    return image


BOX = np.concatenate([LANDMARKS.min(axis=0), LANDMARKS.max(axis=0)]) + SHIFT


def turned(points: np.ndarray, turns: int, width: int, height: int) -> np.ndarray:
    """Points (x, y) after quarter turns counter-clockwise, each (x, y) -> (y, width - x)."""
    for _ in range(turns):
        points = np.stack([points[:, 1], width - points[:, 0]], axis=1)
        width, height = height, width
    return points


def test_a_face_seen_at_once_needs_one_look() -> None:
    detector = MarkFinder()
    found = find_faces(detector, marked())
    assert detector.seen == [(90, 70)]
    assert (found.turn, found.bordered) == (0, False)
    np.testing.assert_array_equal(found.faces.landmarks[0], LANDMARKS)
    np.testing.assert_array_equal(found.faces.boxes[0], BOX)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_are_found_and_said(turns: int) -> None:
    """`turn` is what makes the picture upright again; the answer is in pixels of the picture as it came."""
    picture = np.rot90(marked(), turns)
    found = find_faces(MarkFinder(), picture)
    assert (found.turn, found.bordered) == (4 - turns, False)
    np.testing.assert_array_equal(found.faces.landmarks[0], turned(LANDMARKS, turns, 90, 70))
    corners = turned(BOX.reshape(2, 2), turns, 90, 70)
    np.testing.assert_array_equal(found.faces.boxes[0], [*corners.min(axis=0), *corners.max(axis=0)])
    for k, (x, y) in enumerate(found.faces.landmarks[0].astype(int)):
        assert picture[y, x, 0] == 251 + k


def test_a_border_is_tried_before_turns_and_taken_off_again() -> None:
    detector = MarkFinder(border=60)
    found = find_faces(detector, marked())
    assert detector.seen == [(90, 70), (270, 250)]
    assert (found.turn, found.bordered) == (0, True)
    np.testing.assert_array_equal(found.faces.landmarks[0], LANDMARKS)
    np.testing.assert_array_equal(found.faces.boxes[0], BOX)


def test_a_border_on_a_large_picture_is_put_around_a_small_copy() -> None:
    """11 million pixels in blocks of 6 x 6 become the marks at 640 pixels, and come back times 6."""
    large = np.repeat(np.repeat(marked(640, 480), 6, axis=0), 6, axis=1)
    detector = MarkFinder(border=60)
    found = find_faces(detector, large)
    assert detector.seen == [(3840, 2880), (640 * 3, 480 + 2 * 640)]
    assert found.bordered
    np.testing.assert_allclose(found.faces.landmarks[0], LANDMARKS * 6)
    np.testing.assert_allclose(found.faces.boxes[0], BOX * 6)


def test_nothing_is_nothing_after_five_looks() -> None:
    detector = MarkFinder()
    found = find_faces(detector, np.zeros((30, 50, 3), np.uint8))
    assert len(found.faces) == 0 and (found.turn, found.bordered) == (0, False)
    assert sorted(detector.seen[2:]) == [(30, 50), (30, 50), (50, 30)]
    assert len(detector.seen) == 5


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_real_detectors_on_a_turned_portrait(
    detectors: dict[str, Detector], portrait: Image, turns: int
) -> None:
    """MTCNN does not take a turned face for an upright one, so its second looks find it where it is."""
    upright = find_faces(detectors["mtcnn"], portrait)
    assert (len(upright.faces), upright.turn, upright.bordered) == (1, 0, False)
    height, width = portrait.shape[:2]
    found = find_faces(detectors["mtcnn"], np.rot90(portrait, turns))
    assert found.turn == 4 - turns
    wanted = turned(upright.faces.landmarks[0], turns, width, height)
    assert np.abs(found.faces.landmarks[0] - wanted).max() < 3


def test_a_face_that_fills_its_picture_is_found_with_a_border(
    detectors: dict[str, Detector], shared: Path
) -> None:
    detector = detectors["scrfd_2.5g"]
    portrait = load_picture(shared / "data" / "lfw" / "Aaron_Eckhart" / "Aaron_Eckhart_0001.jpg")
    (box,) = detector.detect(portrait).boxes.round().astype(int)
    close = np.ascontiguousarray(portrait[box[1] : box[3], box[0] : box[2]])
    large = np.repeat(np.repeat(close, 6, axis=0), 6, axis=1)
    assert len(detector.detect(large)) == 0
    found = find_faces(detector, large)
    assert found.bordered and len(found.faces) == 1
    whole = np.array([0, 0, large.shape[1], large.shape[0]])
    assert np.abs(found.faces.boxes[0] - whole).max() < 0.15 * large.shape[1]


def wrong_ways(detector: Detector, pictures: list[Image]) -> list[int]:
    """How many pictures, turned by one, two and three quarters, have their landmarks elsewhere than upright."""
    wrong = [0, 0, 0]
    for picture in pictures:
        wanted = find_faces(detector, picture)
        height, width = picture.shape[:2]
        size = (wanted.faces.boxes[0, 2:] - wanted.faces.boxes[0, :2]).max()
        for turns in (1, 2, 3):
            found = find_faces(detector, np.ascontiguousarray(np.rot90(picture, turns)))
            moved = turned(wanted.faces.landmarks[0], turns, width, height)
            wrong[turns - 1] += bool(np.abs(found.faces.landmarks[0] - moved).max() > 0.15 * size)
    return wrong


@pytest.mark.parametrize("name", ["mtcnn", "scrfd_2.5g", "scrfd_500m", "yunet_n"])
def test_every_detector_sees_which_way_a_portrait_stands(
    detectors: dict[str, Detector], shared: Path, name: str
) -> None:
    """Detectors see faces in sideways pictures that are not there; the surer look must win."""
    people = [load_picture(path) for path in sorted((shared / "data" / "lfw").glob("A*/*_0001.jpg"))[:12]]
    assert max(wrong_ways(detectors[name], people)) <= 1


@pytest.mark.parametrize("name", ["mtcnn", "yunet", "yunet_onet"])
def test_every_detector_of_the_package_sees_which_way_a_picture_stands(
    detectors: dict[str, Detector], portrait: Image, name: str
) -> None:
    people = [portrait, *(drawn_face(name) for name in PEOPLE)]
    assert wrong_ways(detectors[name], people) == [0, 0, 0]


def close_up_is_seen_as_it_stands(detector: Detector, picture: Image) -> None:
    wanted = find_faces(detector, picture).faces
    size = (wanted.boxes[0, 2:] - wanted.boxes[0, :2]).max()
    for turns in range(4):
        found = find_faces(detector, np.ascontiguousarray(np.rot90(picture, turns)))
        assert found.turn == (4 - turns) % 4
        moved = turned(wanted.landmarks[0], turns, picture.shape[1], picture.shape[0])
        assert np.abs(found.faces.landmarks[0] - moved).max() < 0.15 * size


def test_every_detector_sees_which_way_a_close_up_stands(detector: Detector, shared: Path) -> None:
    """SCRFD took this picture, turned by 270 degrees, for upright, with landmarks beside the face."""
    picture = load_picture(shared / "data" / "photos" / "people" / "obama" / "obama.jpg")
    close_up_is_seen_as_it_stands(detector, picture)


def test_a_close_up_of_the_portrait_is_seen_as_it_stands(detector: Detector) -> None:
    close_up_is_seen_as_it_stands(detector, load_picture(PORTRAIT)[30:190, 150:300])
