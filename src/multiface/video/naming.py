"""Names for the tracks of a moment, from the people who are enrolled now; and numbers for those who are not."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from multiface.decision import Calibration, Decision, Reason
from multiface.errors import GalleryError, NotAvailable
from multiface.faces.face import Floats, Image
from multiface.gallery import Matrix
from multiface.recognition.recognizer import Recognizer
from multiface.video.pooling import enough_views, pooled_decisions
from multiface.video.track import EndedTrack, HiddenTrack, SeenTrack, StepResult

AliveTrack = SeenTrack | HiddenTrack


class Strangers(Protocol):
    """Keeps people whom nobody enrolled, and knows them again."""

    def number_of(
        self,
        vector: Floats,
        spread: float,
        quality: float,
        crop: Image,
        when: str,
        taken: Collection[int] = (),
    ) -> int:
        """The number of this stranger, from 1; a new one where nobody is near enough.

        vector: pooled, float32 (d,) of unit length. spread: of its views, 0..1. quality: of the crop, 0..1. crop:
        (h, w, 3) uint8 RGB. when: UTC, ISO 8601. taken: strangers who are other tracks at this time.
        """


class Names:
    """Decides, and follows the gallery while it changes.

    least_views: a track with fewer is named only when it has been seen for a while or has ended. note: told, once,
    when the gallery cannot be read any more; what was read last stays in use.

    Raises NotAvailable without a calibration where there is a gallery, RateNotSupported.
    """

    def __init__(self, recognizer: Recognizer, least_views: int, note: Callable[[str], None]) -> None:
        self._gallery = recognizer.gallery
        self._least = least_views
        self._note = note
        self._rate = recognizer.rate
        self.calibration: Calibration | None = None
        try:
            self.calibration = recognizer.calibration
        except NotAvailable:
            if self._gallery is not None:
                raise
        self._lost = False
        length = recognizer.embedder.spec.dimension
        self._matrix = Matrix(np.zeros((0, length), np.float32), np.zeros(0, np.intp), ())
        if self._gallery is not None:
            self._matrix = self._gallery.matrix()
        if self._matrix.names and self.calibration is not None:
            self.calibration.threshold_for_identify(self._rate, len(self._matrix.names))
        self._last: tuple[Matrix, tuple[int, ...]] | None = None

    def step(self, step: StepResult, known: Mapping[int, Decision]) -> dict[int, Decision]:
        """The decisions that a frame changes, by track number.

        known: those of tracks so far. All tracks that are alive are decided together when one of them has a new view
        or the people or tracks are others; a track that ended undecided is decided with those beside which it lived.
        """
        matrix = self._newest()
        present: tuple[AliveTrack, ...] = (*step.seen, *step.hidden)
        alive = [
            track
            for track in present
            if track.number in known
            or enough_views(track.views, step.time - track.first_seen, False, self._least)
        ]
        decisions: dict[int, Decision] = {}
        situation = (matrix, tuple(track.number for track in alive))
        fresh = any(isinstance(track, SeenTrack) and track.new_view for track in alive)
        if (
            fresh
            or step.returned
            or self._last is None
            or matrix is not self._last[0]
            or situation[1] != self._last[1]
        ):
            decided = pooled_decisions([track.views for track in alive], matrix, self.calibration, self._rate)
            decisions.update(zip(situation[1], decided, strict=True))
        self._last = situation
        return {**self._ended_undecided(step, alive, known, decisions, matrix), **decisions}

    def _ended_undecided(
        self,
        step: StepResult,
        alive: list[AliveTrack],
        known: Mapping[int, Decision],
        decisions: Mapping[int, Decision],
        matrix: Matrix,
    ) -> dict[int, Decision]:
        ended = [track for track in step.ended if len(track.views)]
        late = [track for track in ended if track.number not in known]
        if not late:
            return {}
        end = max(track.last_seen for track in late)
        beside: list[AliveTrack | EndedTrack] = [track for track in alive if track.first_seen <= end]
        beside += [track for track in ended if track.number in known]
        together = [track.views for track in (*late, *beside)]
        decided = pooled_decisions(together, matrix, self.calibration, self._rate)[: len(late)]
        taken = {of[track.number].name for of in (known, decisions) for track in beside if track.number in of}
        return {
            track.number: replace(decision, name=None, reason=Reason.PERSON_TAKEN)
            if decision.name is not None and decision.name in taken
            else decision
            for track, decision in zip(late, decided, strict=True)
        }

    def _newest(self) -> Matrix:
        if self._gallery is None:
            return self._matrix
        try:
            self._matrix = self._gallery.matrix()
            why = "" if self._gallery.path.exists() else f"gallery {self._gallery.path}: it was removed"
        except GalleryError as error:
            why = str(error)
        except OSError as error:
            why = f"gallery {self._gallery.path}: {error.strerror or error}"
        if why and not self._lost:
            self._lost = True
            self._note(f"{why}; the {len(self._matrix.names)} people read before stay in use")
        return self._matrix
