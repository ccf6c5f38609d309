"""What boxes between the last detection and the next one start from."""

from dataclasses import dataclass

import numpy as np

from multiface.video.results import Box
from multiface.video.track import StepResult
from multiface.video.views import Doubles


@dataclass(frozen=True, slots=True, eq=False)
class LastLook:
    """The tracks that were seen at a look of the detector.

    size: height and width of the frame. numbers, boxes, velocities (float64 (n, 4), pixels a second of each side),
    scores (0..1): of those tracks.
    """

    time: float
    size: tuple[int, int]
    numbers: tuple[int, ...]
    boxes: tuple[Box, ...]
    velocities: Doubles
    scores: tuple[float, ...]

    @staticmethod
    def of(step: StepResult, size: tuple[int, int]) -> "LastLook":
        """What is kept of a step."""
        return LastLook(
            step.time,
            size,
            tuple(track.number for track in step.seen),
            tuple(track.box for track in step.seen),
            np.array([track.velocity for track in step.seen], np.float64).reshape(-1, 4),
            tuple(float(track.score) for track in step.seen),
        )
