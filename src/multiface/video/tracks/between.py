"""Boxes in frames that the detector did not look at, between two that it did."""

import numpy as np

from multiface.images.box import Box
from multiface.video.tracks.last_look import LastLook
from multiface.video.tracks.track import StepResult, box_of


def interpolate(before: LastLook, after: StepResult, time: float) -> tuple[tuple[int, Box], ...]:
    """Number and box of each track at a time between a look and the step that follows it, by number.

    A track that was seen at both moves in a straight line. One that is not seen any more moves on at its speed: up to
    the half of the time between, or up to the cut where there is one. One that is seen again, or for the first time,
    is shown from the half on (not over a cut): where it was missed nobody knows that it was there.
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
