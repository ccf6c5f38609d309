"""What the detector is asked to look at: around the known faces, or the whole."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from multiface.faces.face import Faces, Image
from multiface.images.box import Box
from multiface.video.tracks.frame_detection import FrameDetection, detect_next
from multiface.video.tracks.last_detection import LastDetection

KNOWN: Box = (600.0, 300.0, 700.0, 400.0)


@dataclass
class Scripted:
    """A detector that finds a face in the whole picture, and in the middle of anything else one of half its size."""

    nearby: bool = True
    name: str = "scripted"
    sure: float = 0.5
    min_face: float = 20.0
    asked: list[tuple[str, float | None]] = field(default_factory=list)

    def detect(self, image: Image, smallest: float | None = None, /) -> Faces:
        height, width = image.shape[:2]
        whole = (width, height) == (1280, 720)
        self.asked.append(("whole" if whole else "near", smallest))
        box = KNOWN if whole else (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        found = np.array([box] if whole or self.nearby else [], np.float32).reshape(-1, 4)
        return Faces(found, np.ones(len(found), np.float32), np.zeros((len(found), 5, 2), np.float32))


def after(time: float, whole: float, followed: bool = True) -> LastDetection:
    return LastDetection(
        time, (720, 1280), (1,), (KNOWN,), np.zeros((1, 4)), (0.9,), whole, followed, settled=False
    )


def look(detector: Scripted, time: float, last: LastDetection) -> FrameDetection:
    return detect_next(detector, np.zeros((720, 1280, 3), np.uint8), time, last, [KNOWN])


def whole_looks(apart: float, until: float) -> list[float]:
    """Times of the looks at the whole, when looks are so far apart and the first, at 0, is one."""
    detector, last, number = Scripted(), after(0.0, 0.0), 1
    times = []
    while apart * number <= until:
        looked = look(detector, apart * number, last)
        last = replace(last, time=apart * number, full=looked.full)
        assert len(looked.faces) == 1 and not looked.local_failed and len(detector.asked) == 1
        kind, smallest = detector.asked.pop()
        if kind == "whole":
            assert smallest is None and looked.full == last.time
            times.append(last.time)
        else:
            assert smallest is not None and 30 < smallest < 40, "a little more than half of 64"
        number += 1
    return times


def test_the_whole_is_looked_at_every_three_fifths_of_a_second() -> None:
    assert whole_looks(0.2, 2.0) == pytest.approx([0.6, 1.2, 1.8])
    assert whole_looks(0.4, 2.0) == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0]), "where all are slow"
    assert whole_looks(1 / 6, 1.6) == pytest.approx([0.5, 1.0, 1.5]), "24 frames a second"
    assert len(whole_looks(1.0, 5.0)) == 5, "a slow machine"


def test_who_is_not_followed_is_looked_for_in_the_whole() -> None:
    detector = Scripted()
    looked = look(detector, 0.2, after(0.0, 0.0, followed=False))
    assert detector.asked == [("whole", None)]
    assert (looked.full, looked.local_failed) == (0.2, False)


def test_who_is_not_found_around_the_face_is_looked_for_in_the_whole() -> None:
    detector = Scripted(nearby=False)
    looked = look(detector, 0.2, after(0.0, 0.0))
    assert [kind for kind, _ in detector.asked] == ["near", "whole"] and detector.asked[1][1] is None
    assert (looked.full, looked.local_failed) == (0.2, True)
    assert looked.faces.boxes.tolist() == [list(KNOWN)]
