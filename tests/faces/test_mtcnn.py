"""MTCNN on real photos (every clear face is found), against facenet-pytorch, and on odd pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.errors import PictureError, UsageError
from multiface.faces.boxes import iou
from multiface.faces.face import Faces, Image
from multiface.faces.mtcnn import Mtcnn, MtcnnSessions, _lone_crop, _Picture
from multiface.recognition.demo import PORTRAIT
from multiface.weights.store import Store


def session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def sessions() -> MtcnnSessions:
    files = dict(Store(Path("unused")).detector("mtcnn").files)
    return MtcnnSessions(**{role: session(path.read_bytes()) for role, path in files.items()})


@pytest.fixture(scope="module")
def detector(sessions: MtcnnSessions) -> Mtcnn:
    return Mtcnn(sessions)


@pytest.fixture(scope="module")
def photo() -> Image:
    """1210 x 464, five faces: the portrait in several ways."""
    eileen = PIL.Image.open(PORTRAIT).convert("RGB").crop((113, 20, 333, 240))
    takes = [eileen, PIL.ImageOps.mirror(eileen), eileen.rotate(8, PIL.Image.Resampling.BICUBIC)]
    takes += [PIL.ImageEnhance.Brightness(eileen).enhance(0.7), eileen.convert("L").convert("RGB")]
    image = PIL.Image.new("RGB", (1210, 464), (128, 128, 128))
    for place, (take, side) in enumerate(zip(takes, (200, 170, 200, 150, 210), strict=True)):
        image.paste(
            take.resize((side, side), PIL.Image.Resampling.LANCZOS), (30 + 240 * place, 70 + 30 * place)
        )
    return np.asarray(image)


def load(path: Path) -> Image:
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def check(faces: Faces, score: float = 0.9, min_face: float = 40) -> None:
    assert faces.boxes.dtype == faces.scores.dtype == faces.landmarks.dtype == np.float32
    assert (np.diff(faces.scores) <= 0).all() and (faces.scores >= score).all() and (faces.scores <= 1).all()
    assert (faces.boxes[:, 2:] - faces.boxes[:, :2] >= min_face).all()
    assert np.isfinite(faces.landmarks).all()


def same(a: Faces, b: Faces, distance: float, overlap: float = 0.8) -> None:
    """The same faces; landmarks no farther apart than so many parts of the distance between the eyes."""
    assert len(a) == len(b)
    match = iou(a.boxes, b.boxes)
    order = match.argmax(axis=1)
    assert sorted(order) == list(range(len(b))) and match.max(axis=1).min() > overlap
    apart = np.linalg.norm(a.landmarks - b.landmarks[order], axis=2)
    eyes = np.linalg.norm(a.landmarks[:, 0] - a.landmarks[:, 1], axis=1)
    assert (apart.mean(axis=1) / eyes).max() < distance


GROUPS = [
    "bbt2.jpg",
    "bbt3.jpg",
    "bbt5.jpg",
    "couple.jpg",
    "friends.jpg",
    "kit_with_rose.jpg",
    "obama_and_biden.jpg",
    "office1.jpg",
    "office4.jpg",
    "selfie-many-people.jpg",
    "two_people.jpg",
]


def test_every_clear_face_of_the_group_pictures_is_found(shared: Path, sessions: MtcnnSessions) -> None:
    for name in GROUPS:
        truth: list[dict[str, Any]] = json.loads((shared / "data/photos/truth.json").read_text())[name]
        clear = np.array([face["box"] for face in truth if not face.get("hard")], np.float32)
        least = float((clear[:, 2:] - clear[:, :2]).min())
        min_face = min(40.0, 0.75 * least)
        faces = Mtcnn(sessions, 0.9, min_face).detect(load(shared / "data/photos/groups" / name))
        check(faces, min_face=min_face)
        best = iou(clear, faces.boxes).max(axis=1)
        assert (best > 0.4).all(), (name, best)


# facenet-pytorch 2.6.0: boxes and landmarks, x and y in turn, of the main face.
FACENET = {
    "AJ_Lamas_0001": "41.5 37.3 100.0 118.5 62.8 68.3 90.0 71.6 78.9 81.3 58.1 92.6 89.0 96.4",
    "Aaron_Eckhart_0001": "45.8 38.5 102.1 114.1 64.0 65.2 88.7 68.0 74.7 85.8 62.8 94.8 83.8 97.3",
    "Aaron_Peirsol_0001": "49.7 43.8 100.3 110.8 63.8 68.8 87.3 68.3 76.6 84.3 65.1 92.4 89.2 91.5",
    "Aaron_Sorkin_0001": "42.9 44.2 94.2 114.5 61.8 67.7 85.7 68.5 76.6 83.3 60.2 94.8 85.9 95.0",
    "Hugo_Chavez_0036": "44.1 37.2 105.7 115.0 64.1 68.4 91.4 67.5 78.9 83.9 65.3 96.4 89.5 97.3",
    "Saeb_Erekat_0002": "49.9 40.2 102.7 107.0 64.6 67.3 88.7 67.1 76.7 81.5 66.4 92.7 87.4 92.6",
}


def test_lfw_faces_are_where_facenet_pytorch_finds_them(shared: Path, detector: Mtcnn) -> None:
    for name, numbers in FACENET.items():
        wanted = np.array(numbers.split(), np.float32)
        faces = detector.detect(load(shared / "data/lfw" / name[:-5] / f"{name}.jpg"))
        check(faces)
        match = iou(faces.boxes, wanted[None, :4])[:, 0]
        assert match.max() > 0.75, name
        landmarks = faces.landmarks[match.argmax()]
        points = wanted[4:].reshape(5, 2)
        eyes = np.linalg.norm(points[0] - points[1])
        # It cuts its windows out half a pixel farther left and up, at whole pixels.
        assert np.linalg.norm(landmarks - (points - 0.5), axis=1).mean() < 0.08 * eyes, name


def test_order_of_landmarks(detector: Mtcnn, photo: Image) -> None:
    faces = detector.detect(photo)
    assert len(faces) == 5
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks.transpose(1, 0, 2)
    assert (left_eye[:, 0] < right_eye[:, 0]).all() and (left_mouth[:, 0] < right_mouth[:, 0]).all()
    assert (np.maximum(left_eye, right_eye)[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < np.minimum(left_mouth, right_mouth)[:, 1]).all()
    inside = (faces.landmarks > faces.boxes[:, None, :2]) & (faces.landmarks < faces.boxes[:, None, 2:])
    assert inside.all()


def test_mirrored_picture_gives_mirrored_faces(detector: Mtcnn, photo: Image) -> None:
    faces, mirrored = detector.detect(photo), detector.detect(photo[:, ::-1])
    width = photo.shape[1]
    boxes = mirrored.boxes[:, [2, 1, 0, 3]] * np.float32([-1, 1, -1, 1]) + np.float32([width, 0, width, 0])
    landmarks = mirrored.landmarks[:, [1, 0, 2, 4, 3]] * np.float32([-1, 1]) + np.float32([width, 0])
    same(faces, Faces(boxes, mirrored.scores, landmarks), 0.15, 0.75)


def test_shifted_picture_gives_shifted_faces(detector: Mtcnn, photo: Image) -> None:
    right, down = 37, 21
    moved = detector.detect(np.pad(photo, ((down, 0), (right, 0), (0, 0)), constant_values=127))
    offset = np.float32([right, down])
    back = Faces(moved.boxes - np.tile(offset, 2), moved.scores, moved.landmarks - offset)
    same(detector.detect(photo), back, 0.1)


def test_larger_picture_gives_larger_faces(detector: Mtcnn, photo: Image) -> None:
    picture = PIL.Image.fromarray(photo)
    large = np.asarray(picture.resize((picture.width * 2, picture.height * 2), PIL.Image.Resampling.BICUBIC))
    found = detector.detect(large)
    same(detector.detect(photo), Faces(found.boxes / 2, found.scores, found.landmarks / 2), 0.1)


def test_a_second_picture_changes_nothing(sessions: MtcnnSessions, photo: Image) -> None:
    """Two photos in one picture give the faces of each: windows do not depend on their batch."""
    detector = Mtcnn(sessions, min_face=60)
    alone, both = detector.detect(photo), detector.detect(np.concatenate([photo, photo]))
    assert len(both) == 2 * len(alone)
    again = detector.detect(photo)
    np.testing.assert_array_equal(alone.boxes, again.boxes)
    np.testing.assert_array_equal(alone.landmarks, again.landmarks)
    lower = both.take(both.boxes[:, 1] > photo.shape[0] - 20)
    offset = np.float32([0, photo.shape[0]])
    same(alone, Faces(lower.boxes - np.tile(offset, 2), lower.scores, lower.landmarks - offset), 0.1)


def test_strips_give_what_the_whole_gives(
    sessions: MtcnnSessions, photo: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Mtcnn(sessions, 0.7, 20)
    whole = detector.detect(photo)
    monkeypatch.setattr("multiface.faces.mtcnn._STRIP_PIXELS", 40 * 600)
    strips = detector.detect(photo)
    same(whole, strips, 0.03, 0.9)


def test_limits_hold(sessions: MtcnnSessions, photo: Image) -> None:
    every = Mtcnn(sessions, 0.5, 20).detect(photo)
    check(every, 0.5, 20)
    sides = (every.boxes[:, 2:] - every.boxes[:, :2]).min(axis=1)
    limit = float(np.sort(sides)[-2]) - 1
    large = Mtcnn(sessions, 0.9, limit).detect(photo)
    check(large, 0.9, limit)
    assert 1 <= len(large) <= 3
    assert len(Mtcnn(sessions, 1.0, 20).detect(photo)) <= len(every)


def test_faces_cut_by_the_border_and_close_ups(shared: Path, detector: Mtcnn) -> None:
    photo = load(shared / "data/lfw/Aaron_Peirsol/Aaron_Peirsol_0001.jpg")
    whole = detector.detect(photo).landmarks[0]
    cut = detector.detect(np.ascontiguousarray(photo[:, 62:]))
    assert len(cut) == 1 and cut.boxes[0, 0] < 0
    assert np.linalg.norm(cut.landmarks[0] + np.float32([62, 0]) - whole, axis=1).mean() < 5
    inner = photo[50:106, 55:97]  # smaller than the face
    close = detector.detect(np.asarray(PIL.Image.fromarray(inner).resize((336, 448))))
    assert len(close) == 1
    assert np.linalg.norm(close.landmarks[0] / 8 + np.float32([55, 50]) - whole, axis=1).mean() < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (7, 2000), (11, 13), (40, 40), (300, 41)])
def test_pictures_of_odd_shapes_hold_no_face(sessions: MtcnnSessions, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for min_face in (1.0, 40.0, 5000.0):
        faces = Mtcnn(sessions, 0.9, min_face).detect(noise)
        check(faces, min_face=min_face)
        assert len(faces) == 0


@pytest.mark.parametrize("value", [0, 127, 255])
def test_plain_pictures_hold_no_face(detector: Mtcnn, value: int) -> None:
    assert len(detector.detect(np.full((400, 500, 3), value, np.uint8))) == 0


def test_a_huge_picture(sessions: MtcnnSessions, photo: Image) -> None:
    """7,000 x 6,000 with the photo in its lower right corner; read-only and not contiguous."""
    huge = np.full((6000, 7000, 3), 90, np.uint8)
    height, width = photo.shape[:2]
    huge[-height:, -width:] = photo
    huge.setflags(write=False)
    faces = Mtcnn(sessions, min_face=60).detect(huge)
    offset = np.float32([7000 - width, 6000 - height])
    found = Faces(faces.boxes - np.tile(offset, 2), faces.scores, faces.landmarks - offset)
    same(found, Mtcnn(sessions, min_face=60).detect(photo), 0.1)


def test_wrong_use_is_named(sessions: MtcnnSessions, detector: Mtcnn) -> None:
    for wrong in (
        np.zeros((50, 0, 3), np.uint8),
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
    ):
        with pytest.raises(PictureError, match=r"\(h, w, 3\) of uint8"):
            detector.detect(wrong)  # type: ignore[arg-type]
    for score in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="score"):
            Mtcnn(sessions, score)
    for size in (0, -1, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="min_face"):
            Mtcnn(sessions, 0.9, size)
    assert Mtcnn.name == "mtcnn"


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    centre=st.tuples(st.floats(-0.3, 1.3), st.floats(-0.3, 1.3)),
    side=st.floats(1.0, 600.0),
    seed=st.integers(0, 2**16),
)
def test_a_lone_crop_shows_what_the_whole_pictures_does(
    size: tuple[int, int], centre: tuple[float, float], side: float, seed: int
) -> None:
    """Windows of any size, also beyond the picture: no more than the rounding of the edges is between them."""
    height, width = size
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    x, y = centre[0] * width, centre[1] * height
    window = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    lone, whole = _lone_crop(image, window, 48), _Picture(image).crops(window[None], 48)
    assert lone.shape == whole.shape == (1, 3, 48, 48)
    np.testing.assert_allclose(lone, whole, rtol=0, atol=1.01)


def test_a_lone_crop_of_a_large_picture_reads_little_of_it() -> None:
    """What lies far from the window may be anything."""
    image = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    window = np.array([100.3, 200.7, 340.3, 440.7], np.float32)
    before = _lone_crop(image, window, 48)
    image[:, 400:] = 0
    image[500:] = 255
    np.testing.assert_array_equal(_lone_crop(image, window, 48), before)
