"""What is kept of the last detection: where interpolation and the next detection start from."""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles
from multiface.images.box import Box
from multiface.video.tracks.track import SeenTrack, StepResult

SETTLED_AFTER = 1.0
"""Seconds that a track has been seen before it counts as settled."""
SETTLED_VIEWS = 3
SLOW = 1.0
"""Box sides a second that a settled face moves at most; two fifths of a side between two of its detections."""


@dataclass(frozen=True, slots=True, eq=False)
class LastDetection:
    """The tracks seen in the last detection.

    size: height and width of the frame. numbers, boxes, velocities (float64 (n, 4), pixels a second of each side),
    scores (0..1): of those tracks. full: time of the last full-frame detection, this one or an earlier one.
    followed: there are tracks, all faces belong to them, and the local search did not fail: the next detection may be
    local (`frame_detection`). settled: there are tracks, all faces belong to them, and each has been seen for a while,
    has enough views and moves slowly: the next detection may come later.
    """

    time: float
    size: tuple[int, int]
    numbers: tuple[int, ...]
    boxes: tuple[Box, ...]
    velocities: Doubles
    scores: tuple[float, ...]
    full: float
    followed: bool
    settled: bool

    @staticmethod
    def of(
        step: StepResult, size: tuple[int, int], found: int, full: float, local_failed: bool = False
    ) -> "LastDetection":
        """What is kept of a step. found: number of faces in its frame. full, local_failed: as in `FrameDetection`."""
        all_known = bool(step.seen) and len(step.seen) == found and not step.hidden
        return LastDetection(
            step.time,
            size,
            tuple(track.number for track in step.seen),
            tuple(track.box for track in step.seen),
            np.array([track.velocity for track in step.seen], np.float64).reshape(-1, 4),
            tuple(float(track.score) for track in step.seen),
            full,
            all_known and not local_failed,
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
