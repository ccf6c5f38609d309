"""What the detector is asked to look at: around the known faces, the whole, coarsely or thoroughly."""

from dataclasses import dataclass, field, replace

import numpy as np

from multiface.faces.face import Faces, Image
from multiface.video.results import Box
from multiface.video.tracks.last_look import LastLook
from multiface.video.tracks.looking import Found, look_on

KNOWN: Box = (600.0, 300.0, 700.0, 400.0)


@dataclass
class Scripted:
    """A detector that finds these boxes in the whole picture, and in the middle of a sheet a face of its half."""

    boxes: list[Box]
    nearby: bool = True
    coarsely: bool = True
    name: str = "scripted"
    sure: float = 0.5
    min_face: float = 20.0
    asked: list[tuple[str, float | None]] = field(default_factory=list)

    def detect(self, image: Image, smallest: float | None = None) -> Faces:
        height, width = image.shape[:2]
        whole = width == 1280
        self.asked.append(("whole" if whole else "near", smallest))
        boxes = self.boxes if whole else [(width / 4, height / 4, width * 3 / 4, height * 3 / 4)]
        seen = (self.coarsely or smallest is None) if whole else self.nearby
        found = np.array(boxes if seen else [], np.float32).reshape(-1, 4)
        return Faces(found, np.ones(len(found), np.float32), np.zeros((len(found), 5, 2), np.float32))


def after(time: float, whole: float, thorough: float, followed: bool = True) -> LastLook:
    return LastLook(
        time, (720, 1280), (1,), (KNOWN,), np.zeros((1, 4)), (0.9,), whole, thorough, followed, settled=False
    )


def look(detector: Scripted, time: float, last: LastLook, box: Box = KNOWN, height: int = 720) -> Found:
    return look_on(detector, np.zeros((height, 1280, 3), np.uint8), time, last, [box])


def test_two_looks_around_a_face_then_the_whole_coarsely_and_the_next_time_thoroughly() -> None:
    detector, last, asked = Scripted([KNOWN]), after(0.0, 0.0, 0.0), []
    for number in range(1, 13):
        found = look(detector, 0.2 * number, last)
        last = replace(last, time=0.2 * number, whole=found.whole, thorough=found.thorough)
        assert len(found.faces) == 1 and not found.in_vain
        asked.append(detector.asked.pop())
        assert not detector.asked
    assert [kind for kind, _ in asked] == ["near", "near", "whole"] * 4
    assert [smallest for kind, smallest in asked if kind == "whole"] == [40.0, None, 40.0, None]
    assert all(smallest is not None and 30 < smallest < 40 for kind, smallest in asked if kind == "near")


def test_who_is_not_followed_is_looked_for_thoroughly() -> None:
    detector = Scripted([KNOWN])
    found = look(detector, 0.2, after(0.0, 0.0, 0.0, followed=False))
    assert detector.asked == [("whole", None)]
    assert (found.whole, found.thorough, found.in_vain) == (0.2, 0.2, False)


def test_who_is_not_found_around_the_face_is_looked_for_thoroughly() -> None:
    detector = Scripted([KNOWN], nearby=False)
    found = look(detector, 0.2, after(0.0, 0.0, 0.0))
    assert [kind for kind, _ in detector.asked] == ["near", "whole"] and detector.asked[1][1] is None
    assert (found.whole, found.thorough, found.in_vain) == (0.2, 0.2, True)


def test_who_is_not_found_coarsely_is_looked_for_thoroughly() -> None:
    detector = Scripted([KNOWN], coarsely=False)
    found = look(detector, 0.6, after(0.4, 0.0, 0.0))
    assert detector.asked == [("whole", 40.0), ("whole", None)]
    assert (found.whole, found.thorough, found.in_vain) == (0.6, 0.6, True)
    assert len(found.faces) == 1


def test_where_a_known_face_is_small_no_look_at_the_whole_is_coarse() -> None:
    small: Box = (600.0, 300.0, 659.0, 400.0)
    detector = Scripted([small])
    look(detector, 0.6, after(0.4, 0.0, 0.0), small)
    assert detector.asked == [("whole", None)]
    large: Box = (600.0, 300.0, 660.0, 400.0)
    detector = Scripted([large])
    look(detector, 0.6, after(0.4, 0.0, 0.0), large)
    assert detector.asked == [("whole", 40.0)]


def test_in_a_small_picture_no_look_at_the_whole_is_coarse() -> None:
    """A face of 39 pixels is a person in it, not somebody far away."""
    for height, smallest in ((599, None), (600, 40.0)):
        detector = Scripted([KNOWN])
        look(detector, 0.6, after(0.4, 0.0, 0.0), height=height)
        assert detector.asked == [("whole", smallest)]


def test_slow_looks_are_all_thorough() -> None:
    """As of a live source on a slow machine: the next one would be too late."""
    detector = Scripted([KNOWN])
    look(detector, 0.7, after(0.0, 0.0, 0.0))
    assert detector.asked == [("whole", None)]
