"""Boxes in frames without a detection, between two frames with one."""

import numpy as np

from multiface.images.box import Box
from multiface.video.tracks.last_detection import LastDetection
from multiface.video.tracks.track import StepResult, box_of


def interpolate(before: LastDetection, after: StepResult, time: float) -> tuple[tuple[int, Box], ...]:
    """Number and box of each track at a time between two detections, by number.

    A track seen in both moves in a straight line. A track seen only in the first moves on at its speed for half of the
    time between, or up to the cut where there is one. A track seen only in the second is shown for the second half,
    never across a cut.
    """
    half = (before.time + after.time) / 2
    boxes: dict[int, Box] = {}
    later = {} if after.cut else {track.number: track for track in after.seen}
    for number, box, velocity in zip(before.numbers, before.boxes, before.velocities, strict=True):
        if number not in later and (after.cut or time <= half):
            boxes[number] = box_of(np.array(box) + velocity * (time - before.time))
    for number, track in later.items():
        if track.previous is not None:
            start, box = track.previous
            if start < before.time and time <= half:
                continue
            share = (time - start) / (after.time - start) if after.time > start else 1.0
            boxes[number] = box_of(np.array(box) + (np.array(track.box) - np.array(box)) * share)
        elif time > half:
            boxes[number] = track.box
    return tuple(sorted(boxes.items()))
