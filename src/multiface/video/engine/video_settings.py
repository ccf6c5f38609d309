"""Settings of a video engine."""

import math
from dataclasses import dataclass

from multiface.errors import UsageError
from multiface.video.tracks.pooling import VIEWS_FOR_A_NAME


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How a video is worked on.

    every: full-frame detection every n-th frame; None picks n (by the rate of a file, by the load of a live source)
    and searches only near known faces when possible. max_faces: at most this many faces of a frame, the largest.
    max_fps: at most this many frames a second, to save power; a live source then loses frames, a file takes longer.
    checkpoint_every: number of frames between two checkpoints, from which a run can be resumed (files only).
    min_views: views of a track before it is named; fewer suffice once it has been seen for a second or has ended.

    Raises UsageError for numbers out of range.
    """

    every: int | None = None
    max_faces: int | None = None
    max_fps: float | None = None
    checkpoint_every: int | None = None
    min_views: int = VIEWS_FOR_A_NAME

    def __post_init__(self) -> None:
        for name in ("every", "max_faces", "checkpoint_every", "min_views"):
            number: int | None = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"{name} must be 1 or more, not {number}")
        if self.max_fps is not None and not (self.max_fps > 0 and math.isfinite(self.max_fps)):
            raise UsageError(f"max_fps must be a number of frames above 0, not {self.max_fps}")
