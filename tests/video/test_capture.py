"""Takes of one person: which moments they are, who is refused, and how they become files."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from multiface.errors import UsageError
from multiface.images import Image, load_picture, save_picture
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.demo import PORTRAIT
from multiface.video.capture.capture import APART, CaptureSession, Manner, Refusal, Shot, Take
from multiface.video.capture.capture_loops import take_by_itself
from multiface.video.capture.hints import Hint
from multiface.video.capture.take_files import person_folder, save_takes
from multiface.video.sources.frame import Frame, SourceInfo
from tests.drawn_faces import drawn_face


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    root = tmp_path_factory.mktemp("capture")
    settings = RecognizerSettings(store=root / "store", cache=root / "cache", threads=2)
    with Recognizer(settings=settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def portrait() -> Image:
    return load_picture(PORTRAIT)


@pytest.fixture(scope="module")
def somebody_else() -> Image:
    """Drawn, on a picture of the portrait's size."""
    return np.pad(drawn_face("bob"), ((156, 156), (156, 156), (0, 0)), mode="edge")


class Pictures:
    """A source that hands out pictures at given times, as files and cameras do."""

    def __init__(self, pictures: Sequence[Image], rate: float, live: bool) -> None:
        self._pictures, self._rate = pictures, rate
        height, width = pictures[0].shape[:2]
        self.info = SourceInfo("pictures", width, height, len(pictures), None, None, live)
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for number, picture in enumerate(self._pictures):
            height, width = picture.shape[:2]
            yield Frame(
                number, number / self._rate, number, Fraction(1, 25), width, height, lambda p=picture: p
            )

    def close(self) -> None:
        self.closed.set()


def shaken(image: Image, count: int) -> list[Image]:
    """The same picture `count` times, each a little moved and noisy: other pixels, the same person."""
    rng = np.random.default_rng(0)
    return [
        np.clip(np.roll(image, k % 7, axis=1) + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        for k in range(count)
    ]


def outcomes(source: Pictures, session: CaptureSession) -> list[Take | Refusal]:
    found = [step.outcome for step in take_by_itself(source, session) if step.outcome is not None]
    assert source.closed.is_set()
    return found


def test_a_camera_gives_the_best_of_each_second(recognizer: Recognizer, portrait: Image) -> None:
    dark = (portrait * 0.1).astype(np.uint8)
    pictures = shaken(portrait, 12)
    pictures[0:4] = [dark] * 4
    session = CaptureSession(recognizer, 2, Manner.EACH_SECOND)
    looks = [session.look(k, k / 4, picture) for k, picture in enumerate(pictures)]
    taken = [step.outcome for step in map(session.add, looks) if step.outcome is not None]
    # The first second is too dark; of the next two the best shot is taken.
    assert [type(one) for one in taken] == [Take] * 1 and not session.done
    taken += session.finish()
    assert session.done and taken == session.takes
    for second, take in zip((1, 2), taken, strict=True):
        among = [shot for shot in looks if second <= shot.time < second + 1]
        allowed = among if second == 1 else [shot for shot in among if shot.time - taken[0].time >= APART]
        best = max(allowed, key=lambda shot: shot.advice.quality)
        assert take.time == best.time and take.quality == best.advice.quality
    assert session.hints == {Hint.TOO_DARK: 4, Hint.OK: 8}


def test_the_picture_is_what_is_around_the_face(recognizer: Recognizer, portrait: Image) -> None:
    (take,) = outcomes(
        Pictures([portrait], 25, live=False), CaptureSession(recognizer, 1, Manner.BEST_OF_ALL)
    )
    assert isinstance(take, Take)
    x0, y0, x1, y1 = take.box
    height, width = take.picture.shape[:2]
    assert width < portrait.shape[1] and x1 - x0 < width <= 2.2 * (y1 - y0) and y1 - y0 < height
    where = np.argwhere(
        (portrait[: 1 - height or None, : 1 - width or None] == take.picture[0, 0]).all(axis=2)
    )
    assert any(np.array_equal(portrait[y : y + height, x : x + width], take.picture) for y, x in where)
    assert take.similarity is None


def test_of_a_file_the_best_seconds(recognizer: Recognizer, portrait: Image) -> None:
    """Three seconds, the middle one much larger in the picture: it comes first."""
    small = portrait[::2, ::2]
    small = np.pad(small, ((0, 256), (0, 256), (0, 0)))
    pictures = [*shaken(small, 5), *shaken(portrait, 5), *shaken(small, 5)]
    session = CaptureSession(recognizer, 2, Manner.BEST_OF_ALL)
    found = outcomes(Pictures(pictures, 5, live=False), session)
    assert [type(one) for one in found] == [Take, Take]
    assert 1 <= found[0].time < 2 and not 1 <= found[1].time < 2


def test_takes_are_different_moments_of_one_person(recognizer: Recognizer, portrait: Image) -> None:
    session = CaptureSession(recognizer, 4, Manner.EACH_SECOND)
    outcomes(Pictures(shaken(portrait, 30), 5, live=True), session)
    times = [take.time for take in session.takes]
    assert len(times) == 4
    assert all(later - earlier >= APART for earlier, later in pairwise(times))
    assert session.takes[0].similarity is None
    assert all(take.similarity is not None and take.similarity > 0.5 for take in session.takes[1:])


def test_another_person_is_refused_with_words(
    recognizer: Recognizer, portrait: Image, somebody_else: Image
) -> None:
    pictures = [*shaken(portrait, 5), *shaken(somebody_else, 5), *shaken(portrait, 5)]
    session = CaptureSession(recognizer, 3, Manner.EACH_SECOND)
    found = outcomes(Pictures(pictures, 5, live=True), session)
    assert [type(one) for one in found] == [Take, Refusal, Take]
    (refusal,) = session.refusals
    assert 1 <= refusal.time < 2
    assert "is not the same person: similarity" in refusal.reason and "false-match rate" in refusal.reason
    assert not session.done


def test_a_take_only_when_asked(recognizer: Recognizer, portrait: Image) -> None:
    session = CaptureSession(recognizer, 1, Manner.ASKED)
    looks = [session.look(k, k / 4, picture) for k, picture in enumerate(shaken(portrait, 10))]
    assert all(session.add(shot).outcome is None for shot in looks)
    session.ask()
    later = [Shot(shot.number, shot.time + 10, shot.image, shot.faces, shot.advice) for shot in looks]
    found = [step.outcome for step in map(session.add, later) if step.outcome is not None]
    assert [type(one) for one in found] == [Take] and 10 <= found[0].time < 11


def test_who_asks_in_vain_is_told_why(recognizer: Recognizer, portrait: Image) -> None:
    session = CaptureSession(recognizer, 1, Manner.ASKED)
    session.ask()
    dark = (portrait * 0.1).astype(np.uint8)
    steps = [session.add(session.look(k, k / 2, dark)) for k in range(5)]
    assert [step.outcome.reason for step in steps if isinstance(step.outcome, Refusal)] == [
        "not taken: too dark"
    ]


def test_the_film(recognizer: Recognizer, shared: Path) -> None:
    pytest.importorskip("av", reason="needs PyAV")
    from multiface.video.sources.file_source import open_file

    source = open_file(shared / "data" / "video" / "short_hamilton_clip.mp4")
    session = CaptureSession(recognizer, 3, Manner.BEST_OF_ALL)
    steps = list(take_by_itself(source, session))
    assert session.done and not session.refusals
    assert len([step for step in steps if step.outcome is None]) == session.hints.total() < 60
    vectors = np.concatenate([recognizer.analyse(take.picture).embeddings for take in session.takes])
    assert len(vectors) == 3  # one face in each picture
    threshold = recognizer.calibration.threshold_for_verify(1e-3).similarity
    assert (vectors @ vectors.T).min() > threshold
    face = shared / "data" / "photos" / "people" / "lin_manuel_miranda" / "lin-manuel-miranda.png"
    assert (vectors @ recognizer.analyse(face).embeddings[0]).min() > threshold


def test_a_source_without_a_frame(recognizer: Recognizer, portrait: Image) -> None:
    source = Pictures([portrait], 5, live=False)
    source.frames = lambda: iter(())  # type: ignore[method-assign]
    session = CaptureSession(recognizer, 1, Manner.BEST_OF_ALL)
    assert outcomes(source, session) == [] and not session.hints


def test_no_takes_wanted(recognizer: Recognizer) -> None:
    with pytest.raises(UsageError, match="at least one"):
        CaptureSession(recognizer, 0, Manner.ASKED)


def takes(*pictures: Image) -> list[Take]:
    return [Take(picture, float(k), (0, 0, 1, 1), 0.5, None) for k, picture in enumerate(pictures)]


def test_files(tmp_path: Path, portrait: Image) -> None:
    folder = person_folder(tmp_path / "people", "Jos\u00e9")
    assert folder == tmp_path / "people" / "Jos\u00e9" and not (tmp_path / "people").exists()
    small = portrait[::2, ::2]
    saved = save_takes(folder, takes(portrait, small))
    assert saved.added == 2 and sorted(folder.iterdir()) == sorted(saved.paths)
    assert np.array_equal(load_picture(saved.paths[0]), portrait)
    assert np.array_equal(load_picture(saved.paths[1]), small)
    again = save_takes(folder, takes(small, portrait[:100]))
    assert again.added == 1 and len(list(folder.iterdir())) == 3 and again.paths[0] == saved.paths[1]


def test_the_folder_of_the_person_is_found_in_any_form_of_unicode(tmp_path: Path) -> None:
    (tmp_path / "Jose\u0301").mkdir()
    if not (tmp_path / "Jos\u00e9").exists():  # a disk that keeps both forms
        assert person_folder(tmp_path, "Jos\u00e9") == tmp_path / "Jose\u0301"


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "a\\b", "", "a\nb", "x" * 201, "\U0001f600" * 100])
def test_names_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        person_folder(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_something_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "ann").write_text("x")
    for people in (tmp_path / "file", tmp_path / "people"):
        with pytest.raises(UsageError, match="is not a folder"):
            person_folder(people, "ann")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    if sys.platform == "linux":
        with pytest.raises(UsageError, match="cannot be written"):
            person_folder(Path("/proc/people"), "ann")
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="cannot be written"):
            person_folder(tmp_path / "people", "ann")


def test_nothing_is_left_when_writing_fails(tmp_path: Path, portrait: Image) -> None:
    folder = tmp_path / "people" / "ann"
    bad = Take(portrait[:0], 1.0, (0, 0, 1, 1), 0.5, None)
    with pytest.raises(Exception, match="at least one pixel"):
        save_takes(folder, [*takes(portrait), bad])
    assert not list(tmp_path.iterdir())
    save_picture(portrait, tmp_path / "old.png")
    with pytest.raises(Exception, match="at least one pixel"):
        save_takes(tmp_path, [*takes(portrait), bad])
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]


@pytest.mark.skipif(shutil.which("mount") is None or os.name == "nt", reason="needs a disk that can be full")
def test_a_full_disk(tmp_path: Path) -> None:
    """A real one, of 64 KiB, in a mount namespace of its own."""
    script = (
        "import numpy as np, pathlib, sys\n"
        "from multiface.errors import UsageError\n"
        "from multiface.video.capture.capture import Take\n"
        "from multiface.video.capture.take_files import save_takes\n"
        "noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)\n"
        "large = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "try:\n"
        "    save_takes(folder / 'ann', [Take(p, 0.0, (0, 0, 1, 1), 0.5, None) for p in (noise, large)])\n"
        "except UsageError as error:\n"
        "    assert 'No space left' in str(error) and not list(folder.iterdir()), error\n"
        "    print('full')\n"
    )
    inner = f'mount -t tmpfs -o size=64k tmpfs "{tmp_path}" || exit 77; exec "{sys.executable}" -c "$0" "{tmp_path}"'
    done = subprocess.run(
        ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c", inner, script],
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("mount namespaces are not allowed here")
    assert (done.returncode, done.stdout) == (0, "full\n"), done.stderr


def test_a_patient_camera_gives_up(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a window nobody could end it; the patience is shortened here, the clock is the real one."""
    monkeypatch.setattr("multiface.video.capture.capture_loops.PATIENCE", 0.3)
    wall = np.full((90, 120, 3), 180, np.uint8)

    def endless() -> Iterator[Frame]:
        number = 0
        while True:
            yield Frame(number, number / 25, number, Fraction(1, 25), 120, 90, lambda: wall)
            number += 1

    source = Pictures([wall], 25, live=True)
    source.frames = endless  # type: ignore[method-assign]
    start = time.monotonic()
    assert outcomes(source, CaptureSession(recognizer, 1, Manner.EACH_SECOND)) == []
    assert 0.3 <= time.monotonic() - start < 10
