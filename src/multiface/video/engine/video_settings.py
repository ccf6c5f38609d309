"""What a run of the engine is asked for."""

import math
from dataclasses import dataclass

from multiface.errors import UsageError
from multiface.video.tracks.pooling import VIEWS_FOR_A_NAME


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """every: the detector looks at every so many frames, at the whole of them; None: by rate (files) or load (live
    sources), and only around the faces that are known where that does (`nearby`). max_faces: only
    so many faces of a frame, the largest. max_fps: frames a second that are worked on at most, to save power; a live
    source then loses frames, a file takes longer. checkpoint_every: so many frames apart lie those with a state to go
    on from (files only). min_views: views of a track before it is named; fewer do when it has been seen for a second
    or has ended.

    Raises UsageError for numbers that cannot be meant.
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
