"""What boxes between the last detection and the next one start from."""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles
from multiface.images.box import Box
from multiface.video.tracks.track import SeenTrack, StepResult

SETTLED_AFTER = 1.0
"""Seconds that a track has been seen before it counts as settled."""
SETTLED_VIEWS = 3
SLOW = 1.0
"""Box sides a second that a settled face moves at most; two fifths of one between two of its looks."""


@dataclass(frozen=True, slots=True, eq=False)
class LastLook:
    """The tracks that were seen at a look of the detector.

    size: height and width of the frame. numbers, boxes, velocities (float64 (n, 4), pixels a second of each side),
    scores (0..1): of those tracks. whole: time of the last look at the whole picture, this one or an earlier one.
    followed: there are tracks, all that was found belongs to them, and nobody had been looked for around them in vain:
    the next look may be one around them (`looking`).
    settled: there are tracks, all that was found belongs to them, each has been there for a while, is well known and
    moves slowly: the next look may wait.
    """

    time: float
    size: tuple[int, int]
    numbers: tuple[int, ...]
    boxes: tuple[Box, ...]
    velocities: Doubles
    scores: tuple[float, ...]
    whole: float
    followed: bool
    settled: bool

    @staticmethod
    def of(
        step: StepResult, size: tuple[int, int], found: int, whole: float, in_vain: bool = False
    ) -> "LastLook":
        """What is kept of a step. found: faces in its frame. whole, in_vain: as in `looking.Looked`."""
        all_known = bool(step.seen) and len(step.seen) == found and not step.hidden
        return LastLook(
            step.time,
            size,
            tuple(track.number for track in step.seen),
            tuple(track.box for track in step.seen),
            np.array([track.velocity for track in step.seen], np.float64).reshape(-1, 4),
            tuple(float(track.score) for track in step.seen),
            whole,
            all_known and not in_vain,
            all_known and all(_is_settled(track, step.time) for track in step.seen),
        )


def _is_settled(track: SeenTrack, time: float) -> bool:
    x0, y0, x1, y1 = track.box
    slow = SLOW * min(x1 - x0, y1 - y0)
    return (
        time - track.first_seen >= SETTLED_AFTER
        and len(track.views) >= SETTLED_VIEWS
        and float(np.abs(track.velocity).max()) <= slow
    )
