"""What later detections tell of frames that wait."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from multiface.decision import Candidate, Decision, Reason
from multiface.images.box import Box
from multiface.video.names.backfill import backfilled
from multiface.video.results import FrameResult, SeenFace
from multiface.video.sources.frame import Frame
from multiface.video.tracks.track import SeenTrack, StepResult
from multiface.video.tracks.views import Views


def box(left: float) -> Box:
    return (left, 0.0, left + 10.0, 10.0)


def waiting(time: float, *faces: SeenFace) -> FrameResult:
    frame = Frame(0, time, 0, Fraction(1), 1, 1, lambda: np.zeros((1, 1, 3), np.uint8))
    return FrameResult(frame, faces, ())


ANN = Decision("ann", Reason.KNOWN, Candidate("ann", 0.7), None, None)
LANDMARKS = np.zeros((5, 2), np.float32)
TRACK = SeenTrack(
    3,
    0,
    box(40),
    LANDMARKS,
    0.9,
    0.5,
    1.0,
    box(0),
    Views.none(),
    True,
    (1.2, box(20)),
    np.zeros(4),
    ((1.0, box(0)), (1.2, box(20)), (1.4, box(40))),
)
FACE = SeenFace(3, box(40), True, LANDMARKS, 0.9, ANN)


def at(*appeared: int, track: SeenTrack = TRACK) -> StepResult:
    return StepResult(1.4, (track,), (), appeared, (), (), False)


def test_a_face_is_added_from_where_it_was_first_seen() -> None:
    for time, left in ((1.0, 0), (1.1, 10), (1.2, 20)):
        (face,) = backfilled(waiting(time), at(3), (FACE,)).faces
        assert np.allclose(face.box, box(left))
        assert (face.track, face.detected, face.landmarks, face.decision) == (3, False, None, ANN)
    assert backfilled(waiting(0.9), at(3), (FACE,)).faces == ()
    assert backfilled(waiting(1.1), at(), (FACE,)).faces == (), "not new: it was out of sight there"


def test_where_looks_missed_a_face_it_is_not_shown() -> None:
    """Only for half the way to the looks that found it."""
    missed = replace(TRACK, path=((0.8, box(0)), (1.0, None), (1.2, None), (1.4, box(40))))
    shown = {
        time: [face.box for face in backfilled(waiting(time), at(3, track=missed), (FACE,)).faces]
        for time in (0.7, 0.8, 0.89, 0.91, 1.0, 1.1, 1.2, 1.29, 1.31, 1.39)
    }
    assert {time: boxes[0] for time, boxes in shown.items() if boxes} == {
        0.8: box(0),
        0.89: box(0),
        1.31: box(40),
        1.39: box(40),
    }


def test_a_face_without_a_decision_gets_the_first_one() -> None:
    undecided = replace(FACE, box=box(7), decision=None)
    (face,) = backfilled(waiting(1.1, undecided), at(), (FACE,)).faces
    assert (face.box, face.decision) == (box(7), ANN)
    unknown = replace(FACE, decision=Decision(None, Reason.BELOW_THRESHOLD, None, None, None))
    assert backfilled(waiting(1.1, unknown), at(), (FACE,)).faces == (unknown,), "decided is decided"


def test_a_name_is_not_given_twice_in_a_frame() -> None:
    other = SeenFace(1, box(90), True, LANDMARKS, 0.9, ANN)
    first, second = backfilled(waiting(1.1, other), at(3), (FACE,)).faces
    assert (first, second.track, second.name) == (other, 3, None)


def test_two_people_of_one_name_may_be_in_a_frame() -> None:
    one, other = (replace(ANN, best=Candidate("ann", 0.7, person)) for person in ("p_1", "p_2"))
    there = SeenFace(1, box(90), True, LANDMARKS, 0.9, one)
    faces = backfilled(waiting(1.1, there), at(3), (replace(FACE, decision=other),)).faces
    assert [(face.name, face.person) for face in faces] == [("ann", "p_1"), ("ann", "p_2")]
