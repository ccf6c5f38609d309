"""What a later detection tells of frames of a file that wait to be handed out.

A track has its number only from the second detection on, and its name after a few views. Results of a file wait for
`RESULT_DELAY` seconds of it, so that both are in the frames from where the face was first seen.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from multiface.images.box import Box
from multiface.video.results import FrameResult, SeenFace
from multiface.video.tracks.track import SeenTrack, StepResult, box_of

RESULT_DELAY = 1.0
"""Seconds; after so long a track is named by the views that there are."""


def backfilled(result: FrameResult, step: StepResult, faces: Sequence[SeenFace]) -> FrameResult:
    """A result of a frame before a step, with what the step tells of it.

    faces: those of the step. A track that appeared in the step is added where it was there already; a face without a
    decision is given that of the step, unless another one in the frame has the name.
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
        replace(new[track.number], box=_box_at(track, result.frame.time), detected=False, landmarks=None)
        for track in step.seen
        if track.number in step.appeared
        and track.number not in there
        and track.first_seen <= result.frame.time
    ]
    taken = {face.person: face.track for face in result.faces if face.person is not None}
    known = [
        replace(face, decision=None)
        if face.person is not None and taken.get(face.person, face.track) != face.track
        else face
        for face in known
    ]
    return replace(result, faces=tuple(sorted(known, key=lambda face: face.track)))


def _box_at(track: SeenTrack, time: float) -> Box:
    """Where a track was since it was first seen: on straight lines between the detections that are known."""
    points = {track.first_seen: track.first_box}
    points |= {} if track.previous is None else {track.previous[0]: track.previous[1]}
    times = sorted(points)
    sides = np.array([points[when] for when in times])
    return box_of(np.array([np.interp(time, times, side) for side in sides.T]))
