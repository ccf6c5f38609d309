"""Hints on the portrait of the package, drawn faces and photographs, spoiled in the ways that the hints are about."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageFilter

from multiface.faces.detector import Detector
from multiface.faces.face import Faces
from multiface.faces.opening import open_detector
from multiface.images import Image, load_picture
from multiface.recognition.demo import PORTRAIT
from multiface.video.capture.hints import Advice, Hint, advise
from multiface.weights.session import Engine
from multiface.weights.store import Store
from tests.drawn_faces import drawn_face, group_of


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    root = tmp_path_factory.mktemp("hints")
    return open_detector(Store(root / "store", root / "cache"), "yunet_onet", Engine("cpu", 2))


@pytest.fixture(scope="module")
def scrfd(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The detector that the limits were set with."""
    root = tmp_path_factory.mktemp("hints")
    files = Store(root / "store", root / "cache")
    files.pull("scrfd_2.5g", shared / "data" / "weights")
    return open_detector(files, "scrfd_2.5g", Engine("cpu", 2))


@pytest.fixture(scope="module")
def portrait() -> Image:
    return load_picture(PORTRAIT)


def advice(detector: Detector, image: Image) -> Advice:
    return advise(detector.detect(image), image)


def blurred(image: Image, pixels: float) -> Image:
    return np.asarray(PIL.Image.fromarray(image).filter(ImageFilter.GaussianBlur(pixels)))


def lit(image: Image, factor: float) -> Image:
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def beside(*images: Image) -> Image:
    return np.concatenate(images, axis=1)


def test_a_good_portrait_is_ok(detector: Detector, portrait: Image) -> None:
    found = advice(detector, portrait)
    assert found.hint is Hint.OK
    assert found.face == 0 and 0.2 < found.quality <= 1


def test_light(detector: Detector, portrait: Image) -> None:
    assert advice(detector, lit(portrait, 0.2)).hint is Hint.TOO_DARK
    assert advice(detector, lit(portrait, 0.7)).hint is Hint.OK
    assert advice(detector, lit(portrait, 2.5)).hint is Hint.TOO_BRIGHT


def test_dark_skin_in_good_light_is_not_too_dark(scrfd: Detector, shared: Path) -> None:
    people = shared / "data" / "photos" / "people"
    for file in ("obama/obama.jpg", "obama/obama2.jpg", "raj/raj1.png", "raj/raj3.png", "raj/raj5.png"):
        assert advice(scrfd, load_picture(people / file)).hint is Hint.OK, file


def test_far_away(detector: Detector, portrait: Image) -> None:
    """The face of the portrait is about 120 pixels high in 512."""
    small = np.asarray(PIL.Image.fromarray(portrait).resize((180, 180), PIL.Image.Resampling.LANCZOS))
    assert advice(detector, small).hint is Hint.COME_CLOSER


def test_motion_and_blur(detector: Detector, portrait: Image) -> None:
    assert advice(detector, blurred(portrait, 3)).hint is Hint.HOLD_STILL
    for axis in (0, 1):
        trail = np.mean([np.roll(portrait, step, axis=axis) for step in range(16)], axis=0).astype(np.uint8)
        assert advice(detector, trail).hint is Hint.HOLD_STILL


def test_no_face(detector: Detector) -> None:
    assert advice(detector, np.full((120, 160, 3), 180, np.uint8)) == Advice(Hint.NO_FACE, None, 0.0)
    assert advice(detector, np.zeros((1, 1, 3), np.uint8)).hint is Hint.NO_FACE


def test_two_people(detector: Detector, portrait: Image) -> None:
    assert advice(detector, beside(portrait, portrait)) == Advice(Hint.ONLY_ONE_PERSON, None, 0.0)
    group = group_of(drawn_face("ada"), drawn_face("bob"))
    assert advice(detector, group).hint is Hint.ONLY_ONE_PERSON


def test_somebody_small_in_the_background_does_not_matter(detector: Detector, portrait: Image) -> None:
    small = np.zeros((512, 200, 3), np.uint8)
    small[:200] = np.asarray(PIL.Image.fromarray(portrait).resize((200, 200)))
    both = beside(small, portrait)
    assert len(detector.detect(both)) == 2
    found = advice(detector, both)
    assert found.hint is Hint.OK
    assert found.face is not None and detector.detect(both).boxes[found.face][0] > 200


def test_part_of_a_face(scrfd: Detector, portrait: Image) -> None:
    x0, _, x1, _ = scrfd.detect(portrait).boxes[0]
    cut = portrait[:, int(x0 + 0.35 * (x1 - x0)) :]
    faces = scrfd.detect(cut)
    assert len(faces)
    assert advise(faces, cut).hint in (Hint.WHOLE_FACE, Hint.LOOK_STRAIGHT)
    boxes = faces.boxes - np.array([[0.4 * (x1 - x0), 0, 0.4 * (x1 - x0), 0]], np.float32)
    assert advise(Faces(boxes, faces.scores, faces.landmarks), cut).hint is Hint.WHOLE_FACE


def test_a_face_in_profile(scrfd: Detector, shared: Path) -> None:
    """The man in the foreground of a group, who looks aside."""
    image = load_picture(shared / "data" / "photos" / "groups" / "bbt2.jpg")
    faces = scrfd.detect(image)
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    nearest = int(np.argmin(((centres - np.array([135, 171])) ** 2).sum(axis=1)))
    assert advise(faces.take(np.array([nearest])), image).hint is Hint.LOOK_STRAIGHT


def test_faces_of_a_film(scrfd: Detector, shared: Path) -> None:
    """Seen by eye: a profile from frame 20 to 45, several people to 80, one who looks at us from 85 to 200."""
    av = pytest.importorskip("av", reason="needs PyAV")
    with av.open(str(shared / "data" / "video" / "short_hamilton_clip.mp4")) as film:
        frames = enumerate(film.decode(video=0))
        hints = {
            number: advice(scrfd, frame.to_ndarray(format="rgb24")).hint
            for number, frame in frames
            if number in (20, 30, 45, 60, 90, 110, 150, 200, 250)
        }
    assert {hints[number] for number in (20, 30, 45)} == {Hint.LOOK_STRAIGHT}
    assert {hints[number] for number in (60, 250)} == {Hint.ONLY_ONE_PERSON}
    assert {hints[number] for number in (90, 110, 150, 200)} == {Hint.OK}


def test_useless_landmarks(portrait: Image) -> None:
    """All five points in one place, as a network may say."""
    faces = Faces(
        np.array([[100, 100, 300, 300]], np.float32),
        np.array([0.9], np.float32),
        np.full((1, 5, 2), 200, np.float32),
    )
    assert advise(faces, portrait) == Advice(Hint.LOOK_STRAIGHT, 0, 0.0)


def test_worse_pictures_have_a_lower_quality(detector: Detector, portrait: Image) -> None:
    good = advice(detector, portrait).quality
    small = np.asarray(PIL.Image.fromarray(portrait).resize((200, 200)))
    assert advice(detector, blurred(portrait, 2)).quality < 0.9 * good
    assert advice(detector, small).quality < 0.9 * good


def test_portraits_of_photographers_are_ok(scrfd: Detector, shared: Path) -> None:
    """LFW's: what the head of the file says, on every fourth of those it was measured on."""
    files = sorted((shared / "data" / "lfw").glob("*/*_0001.jpg"))[::56]
    hints = [advice(scrfd, load_picture(file)).hint for file in files]
    one = [hint for hint in hints if hint is not Hint.ONLY_ONE_PERSON]
    assert len(one) > 50
    assert sum(hint is Hint.OK for hint in one) >= 0.9 * len(one)
    assert not {Hint.TOO_DARK, Hint.TOO_BRIGHT, Hint.NO_FACE} & set(one)
