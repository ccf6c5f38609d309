"""What a later detection tells of frames of a file that wait to be handed out.

A track has its number only from the second detection on, and its name after a few views. Results of a file wait for
`RESULT_DELAY` seconds of it, so that both are in the frames from where the face was first seen.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from multiface.images.box import Box
from multiface.video.results import FrameResult, SeenFace
from multiface.video.tracks.track import StepResult, box_of

RESULT_DELAY = 1.0
"""Seconds; after so long a track is named by the views that there are."""


def backfilled(result: FrameResult, step: StepResult, faces: Sequence[SeenFace]) -> FrameResult:
    """A result of a frame before a step, with what the step tells of it.

    faces: those of the step. A track that appeared in the step is added where it was there already, but not for long
    where a look missed it; a face without a decision is given that of the step, unless another one in the frame has the
    name.
    """
    new = {face.track: face for face in faces}
    known = [
        replace(face, decision=new[face.track].decision, stranger=new[face.track].stranger)
        if face.decision is None and face.track in new
        else face
        for face in result.faces
    ]
    there = {face.track for face in known}
    known += [
        replace(new[track.number], box=box, detected=False, landmarks=None)
        for track in step.seen
        if track.number in step.appeared
        and track.number not in there
        and (box := _box_at(track.path, result.frame.time)) is not None
    ]
    taken = {face.person: face.track for face in result.faces if face.person is not None}
    known = [
        replace(face, decision=None)
        if face.person is not None and taken.get(face.person, face.track) != face.track
        else face
        for face in known
    ]
    return replace(result, faces=tuple(sorted(known, key=lambda face: face.track)))


def _box_at(path: Sequence[tuple[float, Box | None]], time: float) -> Box | None:
    """Where a track was, or None: on a straight line between two looks that found it; beside one that did not, where
    the other found it, for half of the time between (as in `interpolate`).
    """
    after = bisect_left(path, time, key=lambda look: look[0])
    if after == len(path) or (after == 0 and path[0][0] > time):
        return None
    end, second = path[after]
    if end == time:
        return second
    begin, first = path[after - 1]
    if first is None or second is None:
        return first if time <= (begin + end) / 2 else second
    share = (time - begin) / (end - begin)
    return box_of(np.array(first) + (np.array(second) - np.array(first)) * share)
