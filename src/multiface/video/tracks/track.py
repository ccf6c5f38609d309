"""What the tracker tells of a track, and what it is told to do. Boxes in pixels, times in seconds of the source."""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Doubles, Floats
from multiface.decision import Calibration
from multiface.images.box import Box
from multiface.video.tracks.views import Views


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How tracks live.

    calibration: of the vectors; without one no lost track is recognised when it returns, and vectors do not decide
    between faces. lost_after: seconds unseen after which a track has ended. remembered: seconds after which a lost
    track is forgotten; None: never (files). most_remembered: lost tracks that are kept at most, the oldest go. views:
    kept for a track. embed_every: the least time between two embeddings of a young track.
    """

    calibration: Calibration | None = None
    lost_after: float = 1.0
    remembered: float | None = 60.0
    most_remembered: int = 500
    views: int = 5
    embed_every: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class SeenTrack:
    """A confirmed track with a face in the last detection.

    number: from 1. face: its position in the `Faces` of the step. box: of that face. landmarks: float32 (5, 2).
    score: 0..1. quality: of this face, 0..1. first_seen, first_box: when and where this appearance began. views: of
    the whole track, earlier appearances included. new_view: whether the last of them, or one of them, came in this
    step. previous: time and box of its face in the detection before this one, in this appearance; None for the first.
    velocity: float64 (4,), pixels a second of each side of the box. path: in the step in which it is confirmed, time
    and box of each look since its first, this one included; None where it was missed. Looks of an appearance that it
    takes up are not in it.
    """

    number: int
    face: int
    box: Box
    landmarks: Floats
    score: float
    quality: float
    first_seen: float
    first_box: Box
    views: Views
    new_view: bool
    previous: tuple[float, Box] | None
    velocity: Doubles
    path: tuple[tuple[float, Box | None], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class HiddenTrack:
    """A confirmed track that is alive but has no face in this frame; fields as in `SeenTrack`."""

    number: int
    box: Box
    first_seen: float
    last_seen: float
    views: Views


@dataclass(frozen=True, slots=True, eq=False)
class EndedTrack:
    """An appearance that is over; fields as in `SeenTrack`. box: of the last face."""

    number: int
    box: Box
    first_seen: float
    first_box: Box
    last_seen: float
    views: Views


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """What a frame brought.

    seen: confirmed tracks with a face in this frame, by number. hidden: those alive without one. appeared: numbers
    whose appearance begins: new ones and, also in `returned`, lost ones that came back. ended: appearances that are
    over. A number in both: where it is also seen, the earlier appearance ended and another began (one who is shown
    again right after a cut); else it began and ended in this step (a face seen once before a cut or the end). cut: the
    frame began a new scene, and all tracks before it ended.
    """

    time: float
    seen: tuple[SeenTrack, ...]
    hidden: tuple[HiddenTrack, ...]
    appeared: tuple[int, ...]
    returned: tuple[int, ...]
    ended: tuple[EndedTrack, ...]
    cut: bool


def box_of(sides: Doubles | Floats) -> Box:
    """x0, y0, x1, y1 as Python floats."""
    x0, y0, x1, y1 = np.asarray(sides, np.float64).tolist()
    return (x0, y0, x1, y1)
