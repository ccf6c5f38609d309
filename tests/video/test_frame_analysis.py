"""`FrameAnalysis`: what is kept of strangers when a run ends, is stopped, and is gone on with."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from multiface.faces.detector import Detector
from multiface.faces.face import Faces, Image
from multiface.recognition import Recognizer, RecognizerSettings
from multiface.recognition.demo import PORTRAIT
from multiface.video.engine.engine_state import unpacked
from multiface.video.engine.frame_analysis import FrameAnalysis
from multiface.video.engine.video_settings import VideoSettings
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.sources.frame import Frame

SETTINGS = VideoSettings(checkpoint_every=1, min_views=1)


@pytest.fixture
def recognizer(tmp_path: Path) -> Iterator[Recognizer]:
    with Recognizer(
        gallery=tmp_path / "people.sqlite",
        create=True,
        settings=RecognizerSettings(store=tmp_path / "store", cache=tmp_path / "cache"),
    ) as opened:
        yield opened


def analysis(recognizer: Recognizer, state: bytes | None = None) -> FrameAnalysis:
    assert recognizer.gallery is not None
    strangers = StrangerNumbers(recognizer.gallery, recognizer.calibration)
    known = None if state is None else unpacked(state, recognizer.origin)
    return FrameAnalysis(recognizer, SETTINGS, strangers, False, known, pytest.fail)


def frame(number: int, copies: int) -> Frame:
    """The portrait once or, side by side, twice."""
    face = np.asarray(PIL.Image.open(PORTRAIT).convert("RGB").crop((150, 0, 310, 160)))
    image = np.zeros((160, 320, 3), np.uint8)
    for position in range(copies):
        image[:, 160 * position : 160 * position + 160] = face
    return Frame(number, number / 5, number, Fraction(1, 5), 320, 160, lambda: image)


def look(run: FrameAnalysis, number: int, copies: int = 1) -> None:
    one = frame(number, copies)
    run.detect(one, run.is_cut(one))


def test_a_stop_is_not_the_end_of_a_track_that_is_gone_on_with(recognizer: Recognizer) -> None:
    assert recognizer.gallery is not None
    first = analysis(recognizer)
    for number in range(4):
        look(first, number)
    (begun,) = recognizer.gallery.strangers.list()
    assert (begun.number, begun.sightings) == (1, 0)
    state = first.state()
    assert [event.event for event in first.finish(early=True)] == ["left"]
    assert recognizer.gallery.strangers.list() == (begun,)
    second = analysis(recognizer, state)
    look(second, 4)
    (left,) = second.finish()
    assert (left.event, left.stranger) == ("left", 1)
    (learnt,) = recognizer.gallery.strangers.list()
    assert (learnt.number, learnt.sightings, learnt.views) == (1, 1, 1)


def test_a_part_that_is_computed_twice_counts_once(recognizer: Recognizer) -> None:
    """As after a crash: strangers were made and learnt after the state that is gone on from."""
    assert recognizer.gallery is not None
    first = analysis(recognizer)
    look(first, 0)
    state = first.state()
    for number in range(1, 4):
        look(first, number)
    first.finish()
    again = analysis(recognizer, state)
    for number in range(1, 4):
        look(again, number)
    again.finish()
    (one,) = recognizer.gallery.strangers.list()
    assert (one.number, one.sightings, one.views) == (1, 1, 1)


def test_who_was_there_together_is_in_the_state(recognizer: Recognizer) -> None:
    first = analysis(recognizer)
    for number in range(4):
        look(first, number, copies=2)
    known = unpacked(first.state(), recognizer.origin)
    assert {n: (one.until, one.beside) for n, one in known.presences.items()} == {
        1: (0.6, {2}),
        2: (0.6, {1}),
    }
    first.finish()
    ended = unpacked(first.state(), recognizer.origin)
    assert ended.learnt == {1, 2} and ended.presences == known.presences


def test_most_looks_are_only_around_the_faces_that_are_known(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole picture every 0.6 s of looks 0.2 s apart, and wherever somebody is missing or a scene begins."""
    looked: list[bool] = []
    detect = type(recognizer.detector).detect

    def recorded(self: Detector, image: Image, smallest: float | None = None) -> Faces:
        looked.append(image.shape[:2] == (300, 640))
        return detect(self, image, smallest)

    monkeypatch.setattr(type(recognizer.detector), "detect", recorded)

    def picture(number: int, copies: int) -> Frame:
        image = np.full((300, 640, 3), 60, np.uint8)
        for position in range(copies):
            left = 320 * position + 2 * number
            image[100:180, left : left + 80] = np.asarray(
                PIL.Image.fromarray(frame(0, 1).image[:, :160]).resize((80, 80))
            )
        return Frame(number, number / 5, number, Fraction(1, 5), 640, 300, lambda: image)

    run = FrameAnalysis(recognizer, VideoSettings(), None, False, None, pytest.fail)
    looks: list[tuple[bool, ...]] = []
    for number in range(12):
        looked.clear()
        # Somebody leaves at 1.6 s.
        step, _ = run.detect(picture(number, 2 if number < 8 else 1), False)
        looks.append(tuple(looked))
    assert looks[:2] == [(True,), (True,)], "nobody has a number before the second look"
    assert looks[2:8] == [(False,), (False,), (True,), (False,), (False,), (True,)]
    assert looks[8] == (False, True), "not found again, so the whole picture"
    assert all(look == (True,) for look in looks[9:]), "one is missing"
    assert len(step.seen) == 1

    every = FrameAnalysis(recognizer, VideoSettings(every=5), None, False, None, pytest.fail)
    looked.clear()
    for number in range(6):
        every.detect(picture(number, 2), False)
    assert looked == [True] * 6, "who asks for looks gets whole ones"
