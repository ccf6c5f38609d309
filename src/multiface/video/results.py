"""What the engine answers: faces seen in a frame, and events of tracks.

Boxes are x0, y0, x1, y1 in pixels of the upright frame; times are seconds in the source; similarities are cosines.
"""

from dataclasses import dataclass
from typing import Any, Literal

from multiface.arrays import Floats
from multiface.decision import Decision
from multiface.faces.face import Image
from multiface.images.box import Box
from multiface.video.sources.frame import Frame

EventKind = Literal["appeared", "recognised", "changed", "left"]


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """One track in one frame.

    track: its number, from 1. detected: whether this frame had a detection (otherwise the box is interpolated between
    two detections or predicted from the last). landmarks: float32 (5, 2) where detected, else None. score: of the
    detection, 0..1. decision: of the whole track so far; None before it has a view. stranger: number of the stranger,
    where strangers are kept and this is one.
    """

    track: int
    box: Box
    detected: bool
    landmarks: Floats | None
    score: float
    decision: Decision | None
    stranger: int | None = None

    @property
    def name(self) -> str | None:
        """The person's name; None for unknown or not decided yet."""
        return None if self.decision is None else self.decision.name

    @property
    def person(self) -> str | None:
        """The person's id; None for unknown or not decided yet."""
        return None if self.decision is None else self.decision.person


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a track.

    time: seconds in the source at which it happened ("appeared": when the track was first seen). name: the name it
    has from now on, None for unknown. similarity: of the best person, None with nobody enrolled or no view yet.
    runner_up: name and similarity. threshold: what the similarity had to reach. previous: for "changed", the name
    before. since: for "left", when the track was first seen. person: the id of the person of that name.
    """

    time: float
    event: EventKind
    track: int
    name: str | None
    similarity: float | None
    box: Box
    runner_up: tuple[str, float] | None = None
    threshold: float | None = None
    stranger: int | None = None
    previous: str | None = None
    since: float | None = None
    person: str | None = None

    def document(self) -> dict[str, Any]:
        """The event as its JSON line has it."""
        document: dict[str, Any] = {
            "time": round(self.time, 6),
            "event": self.event,
            "track": self.track,
            "name": self.name,
            "similarity": None if self.similarity is None else round(self.similarity, 6),
            "box": [round(value, 1) for value in self.box],
            "runner_up": None
            if self.runner_up is None
            else {"name": self.runner_up[0], "similarity": round(self.runner_up[1], 6)},
            "threshold": None if self.threshold is None else round(self.threshold, 6),
        }
        if self.person is not None:
            document["person"] = self.person
        if self.stranger is not None:
            document["stranger"] = self.stranger
        if self.event == "changed":
            document["previous"] = self.previous
        if self.event == "left":
            document["since"] = None if self.since is None else round(self.since, 6)
        return document


@dataclass(frozen=True, slots=True, eq=False)
class BestView:
    """The best picture of a track so far: a crop (h, w, 3) uint8 RGB around the face, and its quality, 0..1."""

    crop: Image
    quality: float
    time: float


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """One frame with its faces and the events that were decided when it was handed out.

    Of a live source whose stream is away the last frame comes once more, without faces, when those who were in it
    count as gone; its gap says so.

    checkpoint: on frames after which a run can be taken up again, the engine's state as bytes; else None.
    """

    frame: Frame
    faces: tuple[SeenFace, ...]
    events: tuple[Event, ...]
    checkpoint: bytes | None = None
