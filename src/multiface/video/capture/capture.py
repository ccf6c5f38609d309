"""Taking pictures of one person: which frames of a camera or a file become pictures for enrolling.

Every frame that is looked at gets a hint (`hints`). The best face of a second, among the frames whose hint is "ok",
may become a take: the second after it was asked for, each second as it comes, or the best seconds of a whole file
(`Manner`). A take is the part of the frame around the face, in the frame's own pixels, and is looked at once more as
every picture is that gets enrolled. The first take says who it is; a later one must be the same person at a
false-match rate of 1e-3, compared with the mean of the takes before it as people with several templates are, or it
is refused. Seconds give faces that lie at least half a second apart, so that takes are different moments.

Times are seconds in the source; boxes x0, y0, x1, y1 in pixels of the frame.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from multiface.arrays import Floats
from multiface.errors import FaceError, NotAvailable, UsageError
from multiface.faces.face import Faces, Image
from multiface.images.box import Box
from multiface.recognition import VERIFY_RATE, Recognizer
from multiface.recognition.only_face import only_face
from multiface.video.capture.hints import Advice, Hint, advise

SECOND = 1.0
"""Of the frames of so many seconds the best one is taken."""
APART = 0.5
"""Least seconds between two takes."""
MARGIN = 0.5
"""What a take shows around the face on each side, as a share of the longer side of its box."""

SPARE = 10
"""Seconds of a file that are kept beyond twice the takes that are wanted, for those that get refused."""


class Manner(Enum):
    """When a take is made."""

    ASKED = "asked"
    EACH_SECOND = "each second"
    BEST_OF_ALL = "best of all"


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame that was looked at. image: (h, w, 3) uint8 RGB. number: of the frame."""

    number: int
    time: float
    image: Image
    faces: Faces
    advice: Advice


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One picture that was taken.

    picture: (h, w, 3) uint8 RGB, the part of the frame around the face. box: of the face in the frame. quality: 0..1
    (`Advice`). similarity: cosine to the mean of the takes before it, None for the first.
    """

    picture: Image
    time: float
    box: Box
    quality: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the best face of a second was not taken, in words. time: of that face, or when the second ended."""

    time: float
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One shot and what came of it: a take, a refusal, or neither."""

    shot: Shot
    outcome: Take | Refusal | None


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """The best face of a second. picture, time, box, quality: as of a take."""

    picture: Image
    time: float
    box: Box
    quality: float


class CaptureSession:
    """The takes of one person.

    wanted: how many takes, at least 1. One thread may `look` while another does the rest. Raises UsageError.
    """

    def __init__(self, recognizer: Recognizer, wanted: int, manner: Manner) -> None:
        if wanted < 1:
            raise UsageError(f"at least one picture must be taken, not {wanted}")
        self.wanted = wanted
        self.manner = manner
        self.takes: list[Take] = []
        self.refusals: list[Refusal] = []
        self.hints: Counter[Hint] = Counter()
        self.same_person = _same_person(recognizer)
        self._recognizer = recognizer
        self._vectors: list[Floats] = []
        self._asked = False
        self._start: float | None = None
        self._best: Shot | None = None
        self._why: Hint | None = None
        self._last = -math.inf
        self._kept: list[_Candidate] = []

    @property
    def done(self) -> bool:
        """Whether all takes are there."""
        return len(self.takes) >= self.wanted

    def look(self, number: int, time: float, image: Image) -> Shot:
        """Find the faces of a frame and what is wrong with it."""
        faces = self._recognizer.detector.detect(image)
        return Shot(number, time, image, faces, advise(faces, image))

    def ask(self) -> None:
        """Ask for a take: the best of the second that begins with the next shot."""
        self._asked = True

    def add(self, shot: Shot) -> Step:
        """Count a shot, later than those before; its outcome is that of a second that it ends."""
        self.hints[shot.advice.hint] += 1
        outcome = None
        if self._start is not None and shot.time - self._start >= SECOND:
            outcome = self._end_second(shot.time)
        if self._start is None and not self.done and (self._asked or self.manner is not Manner.ASKED):
            self._asked, self._start, self._why = False, shot.time, None
        if self._start is not None:
            if shot.advice.hint is not Hint.OK:
                self._why = shot.advice.hint
            elif shot.time - self._last >= APART and (
                self._best is None or shot.advice.quality > self._best.advice.quality
            ):
                self._best = shot
        return Step(shot, outcome)

    def finish(self) -> Iterator[Take | Refusal]:
        """The end of the source: what comes of the last second, and of those kept from a whole file, best first."""
        if self._start is not None and (last := self._end_second(self._start + SECOND)) is not None:
            yield last
        for candidate in sorted(self._kept, key=lambda one: -one.quality):
            if self.done:
                return
            yield self._judged(candidate)

    def _end_second(self, now: float) -> Take | Refusal | None:
        best, self._best, self._start = self._best, None, None
        if best is None:
            if self.manner is not Manner.ASKED:
                return None
            # Somebody asked for a take and is told that there was nothing to take.
            return self._refused(now, f"not taken: {'try again' if self._why is None else self._why.value}")
        self._last = best.time
        candidate = _candidate(best)
        if self.manner is not Manner.BEST_OF_ALL:
            return self._judged(candidate)
        self._kept.append(candidate)
        if len(self._kept) > 2 * self.wanted + SPARE:
            self._kept.remove(min(self._kept, key=lambda one: one.quality))
        return None

    def _judged(self, candidate: _Candidate) -> Take | Refusal:
        """The take of a candidate, or why it is none: its face is not found again, or it is another person's."""
        analysis = self._recognizer.analyse(candidate.picture)
        name = f"the face at {candidate.time:.2f} s"
        try:
            face = only_face(analysis.faces, name)
        except FaceError as error:
            return self._refused(candidate.time, str(error))
        if analysis.turn:
            return self._refused(candidate.time, f"{name} is not found upright in its picture")
        vector = analysis.embeddings[face]
        similarity = None
        if self._vectors:
            mean = np.mean(self._vectors, axis=0)
            length = float(np.linalg.norm(mean))
            similarity = float(vector @ mean) / length
            wanted = None if self.same_person is None else self.same_person(1.0 - length)
            if wanted is not None and similarity < wanted:
                return self._refused(
                    candidate.time,
                    f"{name} is not the same person: similarity {similarity:.3f}, "
                    f"wanted {wanted:.3f} (false-match rate {VERIFY_RATE:g})",
                )
        self._vectors.append(vector)
        take = Take(candidate.picture, candidate.time, candidate.box, candidate.quality, similarity)
        self.takes.append(take)
        return take

    def _refused(self, time: float, reason: str) -> Refusal:
        refusal = Refusal(time, reason)
        self.refusals.append(refusal)
        return refusal


def _same_person(recognizer: Recognizer) -> Callable[[float], float] | None:
    """From the spread of the takes to the similarity that one more must have; None where no error rate is known."""
    try:
        calibration = recognizer.calibration
    except NotAvailable:
        return None
    threshold = calibration.threshold_for_verify(VERIFY_RATE).similarity
    return lambda spread: threshold + float(calibration.rise(np.array([spread], np.float32))[0])


def _candidate(shot: Shot) -> _Candidate:
    """The face that a shot is about, with what is around it as far as the picture goes; a copy."""
    assert shot.advice.face is not None
    height, width = shot.image.shape[:2]
    x0, y0, x1, y1 = (float(edge) for edge in shot.faces.boxes[shot.advice.face])
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, round(x0 - margin)), max(0, round(y0 - margin))
    right, bottom = min(width, round(x1 + margin)), min(height, round(y1 + margin))
    picture = np.array(shot.image[top:bottom, left:right])
    return _Candidate(picture, shot.time, (x0, y0, x1, y1), shot.advice.quality)
