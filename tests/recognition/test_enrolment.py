"""Pictures to templates: what is refused and for how long, what is read, and how much memory it takes."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.faces.analysis import Analyser
from multiface.faces.face import Faces, Image
from multiface.gallery import NewTemplate, Refusal
from multiface.images import load_picture
from multiface.recognition import Recognizer
from multiface.recognition.demo import PORTRAIT
from multiface.recognition.enrolment import templates_of


def outcome(recognizer: Recognizer, path: Path) -> NewTemplate | Refusal:
    ((seen, found),) = templates_of(recognizer.analyser, [path], None)
    assert seen == path
    return found


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(PORTRAIT.read_bytes())
        file.truncate(200_000_001)


def large(path: Path) -> None:
    PIL.Image.new("1", (30_000, 10_000)).save(path, "png")


def heic(path: Path) -> None:
    path.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))


REFUSALS: list[tuple[str, Callable[[Path], Any], str, bool]] = [
    ("wall", lambda p: PIL.Image.new("RGB", (90, 80)).save(p, "png"), "no face was found, neither", True),
    ("text", lambda p: p.write_text("x"), "is not a picture of a kind", True),
    ("empty", lambda p: p.touch(), "is empty", True),
    ("cut", lambda p: p.write_bytes(PORTRAIT.read_bytes()[:300]), "cannot be decoded", True),
    ("damaged", lambda p: p.write_bytes(PORTRAIT.read_bytes()[:3000]), "damaged, at most 6.2 % of its", True),
    ("bytes", sparse, "has 200,000,001 bytes or more, over the 200,000,000 allowed", False),
    ("pixels", large, "has 30000 x 10000 pixels", False),
    ("missing", str, "there is no such file", False),
    ("folder", lambda p: p.mkdir(), "is a folder", False),
    ("loop", lambda p: p.symlink_to(p), "cannot be read (Too many levels", False),
]


@pytest.mark.parametrize(("name", "make", "reason", "lasting"), REFUSALS, ids=lambda value: str(value)[:9])
def test_why_and_for_how_long(
    recognizer: Recognizer,
    tmp_path: Path,
    name: str,
    make: Callable[[Path], Any],
    reason: str,
    lasting: bool,
) -> None:
    make(tmp_path / f"{name}.jpg")
    found = outcome(recognizer, tmp_path / f"{name}.jpg")
    assert isinstance(found, Refusal)
    assert found.reason.startswith(reason) and found.lasting == lasting
    assert name + ".jpg" not in found.reason


def test_several_faces_last(recognizer: Recognizer, group: Path) -> None:
    found = outcome(recognizer, group)
    assert isinstance(found, Refusal) and found.lasting
    assert found.reason.startswith("has 2 faces and none of them")


def test_a_missing_package_does_not_last(
    recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heic(tmp_path / "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # what Python does where it is not installed
    found = outcome(recognizer, tmp_path / "a.heic")
    assert isinstance(found, Refusal) and not found.lasting
    assert found.reason.startswith("is a HEIC picture, for which an optional package is needed")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name")
def test_a_pipe_keeps_nobody_waiting(recognizer: Recognizer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = outcome(recognizer, tmp_path / "pipe")
    assert isinstance(found, Refusal) and "regular file" in found.reason


class ReplacingDetector:
    """Writes another picture over the file while it looks at the first."""

    def __init__(self, inner: Any, path: Path) -> None:
        self.inner, self.path = inner, path
        self.name, self.sure, self.min_face = inner.name, inner.sure, inner.min_face

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        PIL.Image.new("RGB", (50, 50)).save(self.path)
        faces: Faces = self.inner.detect(image, smallest)
        return faces


def test_digest_and_pixels_are_of_the_same_bytes(recognizer: Recognizer, tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(PORTRAIT.read_bytes())
    detector = ReplacingDetector(recognizer.detector, path)
    ((_, found),) = templates_of(Analyser(detector, recognizer.embedder, recognizer.flip), [path], None)
    assert isinstance(found, NewTemplate)
    assert found.source_digest == hashlib.sha256(PORTRAIT.read_bytes()).hexdigest()
    np.testing.assert_allclose(found.vector, recognizer.analyse(PORTRAIT).embeddings[0], atol=1e-6)


class CollapsingDetector:
    """Sees the faces of the inner detector; in pictures 100 pixels high all landmarks are one point."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name
        self.sure, self.min_face = inner.sure, inner.min_face

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        if image.shape[0] == 100:
            box = np.array([[10, 10, 60, 60]], np.float32)
            return Faces(box, np.ones(1, np.float32), np.full((1, 5, 2), 30, np.float32))
        faces: Faces = self.inner.detect(image, smallest)
        return faces


def test_a_face_that_cannot_be_aligned_ends_only_its_own_picture(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    PIL.Image.new("RGB", (100, 100)).save(tmp_path / "bad.png")
    analyser = Analyser(CollapsingDetector(recognizer.detector), recognizer.embedder)
    found = list(templates_of(analyser, [PORTRAIT, tmp_path / "bad.png", PORTRAIT], None))
    assert [type(one) for _, one in found] == [NewTemplate, Refusal, NewTemplate]
    assert isinstance(found[1][1], Refusal) and "cannot be aligned" in found[1][1].reason


def test_batches_change_no_vector(recognizer: Recognizer, people: Path) -> None:
    """Against each picture analysed alone: the largest face's vector and facts."""
    paths = sorted(people.rglob("*.jpg"))
    for path, found in templates_of(recognizer.analyser, paths, None):
        alone = recognizer.analyse(path)
        assert isinstance(found, NewTemplate) and len(alone.faces) == 1
        np.testing.assert_allclose(found.vector, alone.embeddings[0], atol=1e-5)
        assert (found.facts.width, found.facts.height) == (alone.width, alone.height)
        assert found.facts.box == tuple(alone.faces.boxes[0].tolist())
        assert found.source_digest == hashlib.sha256(path.read_bytes()).hexdigest()


PEAK = """
import sys
from pathlib import Path
from multiface.recognition import Recognizer, RecognizerSettings
settings = RecognizerSettings(store=sys.argv[1], cache=sys.argv[2], threads=2)
with Recognizer(detector="yunet_onet", weights="sface", settings=settings) as recognizer, \
        recognizer.temporary_gallery():
    done = recognizer.enroll("Eileen", sorted(Path(sys.argv[3]).iterdir()), force=True)
status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent's memory too
print(done.added, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in /proc")
def test_a_batch_of_large_pictures_fits_into_little_memory(places: dict[str, Any], tmp_path: Path) -> None:
    """12 pictures of 12 MP would take 430 MB decoded all at once, beside some 300 MB for the rest."""
    image = PIL.Image.fromarray(load_picture(PORTRAIT)).crop((120, 20, 320, 170)).resize((4000, 3000))
    for k in range(12):
        image.paste((9 * k, 0, 0), (0, 0, 64, 64))
        image.save(tmp_path / f"{k}.jpg", quality=60)
    command = [sys.executable, "-c", PEAK, str(places["store"]), str(places["cache"]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    added, peak = map(int, done.stdout.split())
    assert added == 12 and peak < 620, done.stdout
