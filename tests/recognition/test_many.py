"""`Recognizer.identify_many`, threads and forks: the answers of `identify`, in order. Needs no shared data."""

import gc
import multiprocessing
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface import Identification, MultifaceError, Recognizer, RecognizerSettings, load_picture
from multiface.errors import GalleryError, PictureError, UndecodablePicture, UsageError
from multiface.recognition.demo import PORTRAIT
from multiface.recognition.many import BATCH, FEW
from tests.weights.linear_network import make_network, make_spec

NAME = "Eileen"


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    file = tmp_path_factory.mktemp("many") / "g.sqlite"
    with Recognizer(gallery=file, create=True, settings=RecognizerSettings(threads=2)) as opened:
        opened.enroll(NAME, PORTRAIT)
        yield opened


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The portrait in many sizes and turns, pictures without a face, and files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    portrait = PIL.Image.open(PORTRAIT).convert("RGB")
    paths = []
    for k in range(23):
        path = folder / f"{k}.png"
        if k % 7 == 3:
            path.write_text("no picture")
        elif k % 5 == 4:
            PIL.Image.new("RGB", (40 + k, 30), (k, 9, 9)).save(path)
        else:
            portrait.resize((200 + 10 * k, 200 + 10 * k)).rotate(3 * k - 30).save(path)
        paths.append(path)
    return [*paths, folder / "missing.png"]


def told(answer: Any) -> Any:
    """An answer to compare: landmarks are arrays."""
    if isinstance(answer, MultifaceError):
        return type(answer), str(answer)
    faces = [(face.box, face.score, face.landmarks.tolist(), face.decision) for face in answer.faces]
    return answer.width, answer.height, answer.turn, answer.bordered, answer.whole_share, faces


def one_by_one(recognizer: Recognizer, pictures: list[Path]) -> list[Any]:
    answers: list[Any] = []
    for path in pictures:
        try:
            answers.append(recognizer.identify(path))
        except PictureError as error:
            answers.append(error)
    return answers


def close_to(found: Any, wanted: Any) -> None:
    """Equal but for the last digits, which change with the size of a batch."""
    if isinstance(wanted, MultifaceError):
        assert told(found) == told(wanted)
        return
    assert isinstance(found, Identification)
    assert told(found)[:5] == told(wanted)[:5]
    assert [(face.name, face.box, face.decision.reason) for face in found.faces] == [
        (face.name, face.box, face.decision.reason) for face in wanted.faces
    ]
    for one, other in zip(found.faces, wanted.faces, strict=True):
        assert one.decision.best is not None and other.decision.best is not None
        assert abs(one.decision.best.similarity - other.decision.best.similarity) < 1e-5


def test_the_answers_of_identify_in_order(recognizer: Recognizer, pictures: list[Path]) -> None:
    wanted = one_by_one(recognizer, pictures)
    assert sum(isinstance(one, UndecodablePicture) for one in wanted) == 3
    assert sum(isinstance(one, Identification) and len(one.faces) == 1 for one in wanted) > 10
    found = list(recognizer.identify_many(pictures))
    assert len(found) == len(pictures)
    for one, other in zip(found, wanted, strict=True):
        close_to(one, other)


def test_many_pictures_get_networks_of_their_own_once(recognizer: Recognizer, pictures: list[Path]) -> None:
    usable = [path for path in pictures[:12] if not path.read_bytes().startswith(b"no picture")]
    wanted = one_by_one(recognizer, usable)
    with Recognizer(gallery=recognizer.gallery, settings=RecognizerSettings(threads=2)) as opened:
        list(opened.identify_many(usable[k % len(usable)] for k in range(FEW)))
        assert opened._side_by_side is None
        answers = list(opened.identify_many(usable[k % len(usable)] for k in range(FEW + 11)))
        assert len(answers) == FEW + 11
        for k, one in enumerate(answers):
            close_to(one, wanted[k % len(usable)])
        assert opened._side_by_side is not None and opened.side_by_side() is opened._side_by_side


def test_one_thread_and_parts_of_one_s_own_are_not_opened_again(recognizer: Recognizer) -> None:
    one = RecognizerSettings(threads=1)
    with Recognizer(settings=one) as opened:
        assert opened.side_by_side() is opened.analyser
    parts = recognizer.detector, recognizer.embedder.network
    with Recognizer(detector=parts[0], weights=parts[1], settings=RecognizerSettings(threads=2)) as opened:
        analyser = opened.side_by_side()
        assert (analyser.detector, analyser.embedder.network) == parts


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_pictures(recognizer: Recognizer, pictures: list[Path], count: int) -> None:
    assert len(list(recognizer.identify_many(iter(pictures[:count])))) == count


def test_one_picture_is_one_picture(recognizer: Recognizer) -> None:
    for picture in (str(PORTRAIT), PORTRAIT, PORTRAIT.read_bytes(), load_picture(PORTRAIT)):
        (answer,) = recognizer.identify_many(picture)
        assert isinstance(answer, Identification)
        assert [face.name for face in answer.faces] == [NAME]


def test_wrong_use_is_told_at_the_call(recognizer: Recognizer) -> None:
    with Recognizer() as nobody, pytest.raises(UsageError, match="needs people"):
        nobody.identify_many([PORTRAIT])
    with pytest.raises(PictureError, match="one picture or several, got int"):
        recognizer.identify_many(3)  # type: ignore[arg-type]


def test_little_is_asked_for_ahead_and_nothing_is_kept(recognizer: Recognizer) -> None:
    """However long the iterator is, few of its arrays are alive at once."""
    alive, most, asked = 0, 0, 0
    lock = threading.Lock()

    def gone() -> None:
        nonlocal alive
        with lock:
            alive -= 1

    def frames() -> Iterator[Any]:
        nonlocal alive, most, asked
        for k in range(60):
            frame = np.full((32, 32, 3), k, np.uint8)
            weakref.finalize(frame, gone)
            with lock:
                alive += 1
                most = max(most, alive)
            asked += 1
            yield frame
            del frame

    bound = (2 + 1) * BATCH
    for answered, _ in enumerate(recognizer.identify_many(frames())):
        assert asked <= answered + 1 + bound
    gc.collect()
    assert asked == 60 and most <= bound + BATCH and alive == 0


def test_it_can_be_left_in_the_middle(recognizer: Recognizer, pictures: list[Path]) -> None:
    before = threading.active_count()
    answers = recognizer.identify_many(pictures)
    next(answers)
    answers.close()
    assert threading.active_count() == before


def test_an_iterator_that_fails_fails_here(recognizer: Recognizer) -> None:
    def broken() -> Iterator[Path]:
        yield PORTRAIT
        raise RuntimeError("the disk is gone")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the disk is gone"):
        list(recognizer.identify_many(broken()))
    assert threading.active_count() == before


def test_threads_share_a_recogniser(recognizer: Recognizer, pictures: list[Path]) -> None:
    usable = [path for path in pictures[:12] if not path.read_bytes().startswith(b"no picture")]
    wanted = [told(recognizer.identify(path)) for path in usable]
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: [told(recognizer.identify(path)) for path in usable], range(6)):
            assert found == wanted


def names_there(recognizer: Recognizer) -> list[list[str | None]]:
    answers = recognizer.identify_many([PORTRAIT] * 3)
    return [[face.name for face in one.faces] for one in answers if isinstance(one, Identification)]


def put_names(queue: Any, recognizer: Recognizer) -> None:
    queue.put(names_there(recognizer))


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_a_recogniser(recognizer: Recognizer) -> None:
    wanted = names_there(recognizer)
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        queue = context.SimpleQueue()
        child = context.Process(target=put_names, args=(queue, recognizer))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        assert queue.get() == wanted == [[NAME]] * 3
    assert names_there(recognizer) == wanted


def test_a_closed_recogniser_says_so(tmp_path: Path) -> None:
    with Recognizer(gallery=tmp_path / "g.sqlite", create=True) as opened:
        opened.enroll(NAME, PORTRAIT)
    with pytest.raises(GalleryError, match="already closed"):
        list(opened.identify_many([PORTRAIT]))


@pytest.mark.parametrize("seed", [1, None])
def test_weights_that_were_replaced_or_removed_are_not_opened(tmp_path: Path, seed: int | None) -> None:
    """Or a gallery would hold vectors of two networks."""
    file, metadata = tmp_path / "own.onnx", {"multiface.spec": make_spec().to_json()}
    file.write_bytes(make_network(metadata=metadata))
    settings = RecognizerSettings(threads=2, cache=tmp_path / "cache")
    with (
        Recognizer(weights=file, settings=settings) as same,
        Recognizer(weights=file, settings=settings) as other,
    ):
        again = same.side_by_side()
        assert again is not same.analyser and again.embedder.fingerprint == same.embedder.fingerprint
        file.unlink()
        if seed is not None:
            file.write_bytes(make_network(metadata=metadata, seed=seed))
        assert other.side_by_side() is other.analyser
