"""Names for the tracks of a moment, from the people who are enrolled now; and numbers for those who are not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from multiface.decision import Calibration, Decision, Reason
from multiface.errors import GalleryError, NotAvailable
from multiface.gallery import Matrix
from multiface.recognition.gallery_threshold import GalleryThreshold
from multiface.recognition.recognizer import Recognizer
from multiface.video.names.co_presence import CoPresence
from multiface.video.tracks.pooling import enough_views, pooled_decisions
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult

AliveTrack = SeenTrack | HiddenTrack


class Names:
    """Decides, and follows the gallery while it changes.

    least_views: a track with fewer is named only when it has been seen for a while or has ended. note: told, once,
    when the gallery cannot be read any more; what was read last stays in use. co_presence: of a run to resume.

    Raises NotAvailable without a calibration where there is a gallery, RateNotSupported.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        least_views: int,
        note: Callable[[str], None],
        co_presence: CoPresence | None = None,
    ) -> None:
        self.co_presence = CoPresence() if co_presence is None else co_presence
        self._gallery = recognizer.gallery
        self._least = least_views
        self._note = note
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
        self._threshold: GalleryThreshold | None = None
        if self.calibration is not None:
            self._threshold = GalleryThreshold(self.calibration, recognizer.rate)
            self._threshold.of(self._matrix)
        self._last: tuple[Matrix, tuple[int, ...]] | None = None

    def step(self, step: StepResult, known: Mapping[int, Decision]) -> dict[int, Decision]:
        """The decisions that a frame changes, by track number.

        known: those of tracks so far. All tracks that are alive are decided together when one of them has a new view
        or the people or tracks are others; a track that ended undecided is decided with those beside which it lived.
        Tracks once visible together never share a name.
        """
        self.co_presence.step(step)
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
            decided = pooled_decisions([track.views for track in alive], matrix, self._threshold)
            decisions.update(zip(situation[1], decided, strict=True))
            names = {**known, **decisions}
            decisions = {number: self._apart(number, one, names) for number, one in decisions.items()}
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
        numbers = {track.number for track in late}
        met = {other for number in numbers for other in self.co_presence.of(number)} - numbers
        beside: list[AliveTrack | EndedTrack] = [*alive, *(track for track in ended if track.number in known)]
        together = [*late, *(track for track in beside if track.number in met)]
        decided = pooled_decisions([track.views for track in together], matrix, self._threshold)
        names = {**known, **decisions}
        return {
            track.number: self._apart(track.number, decision, names)
            for track, decision in zip(late, decided[: len(late)], strict=True)
        }

    def _apart(self, number: int, decision: Decision, names: Mapping[int, Decision]) -> Decision:
        """A track's decision, without the name where that is of another track that was there with it."""
        others = (names[other].person for other in self.co_presence.of(number) if other in names)
        if decision.person is None or decision.person not in others:
            return decision
        return replace(decision, name=None, reason=Reason.PERSON_TAKEN)

    def _newest(self) -> Matrix:
        if self._gallery is None:
            return self._matrix
        try:
            self._matrix = self._gallery.matrix()
            why = "" if self._gallery.is_there() else f"{self._gallery.place}: it was removed"
        except GalleryError as error:
            why = str(error)
        except OSError as error:
            why = f"{self._gallery.place}: {error.strerror or error}"
        if why and not self._lost:
            self._lost = True
            self._note(f"{why}; the {len(self._matrix.names)} people read before stay in use")
        return self._matrix
