"""All that is computed for the frames of one source: faces, tracks, vectors, names, events. One thread at a time."""

from collections.abc import Callable, Iterable

import numpy as np

from multiface.decision import Decision, Reason
from multiface.faces.align import align
from multiface.faces.face import Faces, Floats
from multiface.gallery.clock import utc_now
from multiface.recognition.recognizer import Recognizer
from multiface.video.appearances import Appearances
from multiface.video.best_views import BestViews
from multiface.video.cuts import CutFinder
from multiface.video.engine_settings import EngineSettings
from multiface.video.engine_state import EngineState, LastLook, packed
from multiface.video.frame import Frame
from multiface.video.naming import Names, Strangers
from multiface.video.pooling import pooled
from multiface.video.results import Event, SeenFace
from multiface.video.track import StepResult, TrackSettings
from multiface.video.tracker import Tracker
from multiface.video.views import Views

STRANGE = (Reason.BELOW_THRESHOLD, Reason.NOBODY_ENROLLED)
"""Reasons for having no name with which somebody is a stranger; with others he may be one of those enrolled."""
REMEMBERED_LIVE = 60.0
"""Seconds for which the lost tracks of a live source are remembered; those of a file are for all of it."""


class FrameAnalysis:
    """One source. `is_cut` is asked for every frame in turn, `look` for those that the detector looks at.

    live: the source. state: of a run that is gone on with. note: told what the user should know.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        settings: EngineSettings,
        strangers: Strangers | None,
        live: bool,
        state: EngineState | None,
        note: Callable[[str], None],
    ) -> None:
        self._recognizer = recognizer
        self._settings = settings
        self._strangers = strangers
        self._names = Names(recognizer, settings.min_views, note)
        rules = TrackSettings(self._names.calibration, remembered=REMEMBERED_LIVE if live else None)
        self._tracker = Tracker(rules) if state is None else Tracker.from_state(state.tracker, rules)
        self._cuts = CutFinder() if state is None else CutFinder.from_state(state.cuts)
        self._appearances = Appearances() if state is None else Appearances(state.known)
        self.best_views = BestViews() if state is None else BestViews(state.best)
        self.embeddings = 0 if state is None else state.embeddings
        self.last = None if state is None else state.last
        self._size = None if self.last is None else self.last.size
        self._finished = False

    def is_cut(self, frame: Frame) -> bool:
        """Whether a new scene begins with this frame, or pictures of another size do."""
        size = (frame.image.shape[0], frame.image.shape[1])
        resized = self._size is not None and self._size != size
        self._size = size
        return self._cuts.step(frame.image) or resized

    def look(self, frame: Frame, cut: bool) -> tuple[StepResult, tuple[Event, ...]]:
        """Detect, follow, embed and decide. After an exception nothing more can be computed."""
        try:
            return self._look(frame, cut)
        except BaseException:
            self._finished = True
            raise

    def faces(self, step: StepResult) -> tuple[SeenFace, ...]:
        """The faces of the frame that was looked at last."""
        return self._appearances.faces(step)

    def faces_before(self, last: LastLook, step: StepResult, time: float) -> tuple[SeenFace, ...]:
        """The faces at a time between two looks, the second of which has been taken in."""
        scores = dict(zip(last.numbers, last.scores, strict=True))
        scores |= {track.number: track.score for track in step.seen}
        return self._appearances.faces_between(last.boxes_until(step, time), scores)

    def faces_ahead(self, time: float) -> tuple[SeenFace, ...]:
        """The faces at a time after the last look, where they should be by now."""
        if self.last is None:
            return ()
        scores = dict(zip(self.last.numbers, self.last.scores, strict=True))
        return self._appearances.faces_between(self._tracker.predict(time), scores)

    def finish(self) -> tuple[Event, ...]:
        """No more frames come: what ends with them. Nothing the second time."""
        if self._finished or self.last is None:
            return ()
        self._finished = True
        return self._announced(self._tracker.finish(self.last.time))

    def state(self) -> bytes:
        """All of it, to be gone on with after the frame that was looked at last."""
        assert self.last is not None
        state = EngineState(
            embeddings=self.embeddings,
            last=self.last,
            known=self._appearances.known,
            best=self.best_views.stored(),
            tracker=self._tracker.state(),
            cuts=self._cuts.state(),
        )
        return packed(state, self._recognizer.origin)

    def _look(self, frame: Frame, cut: bool) -> tuple[StepResult, tuple[Event, ...]]:
        image = frame.image
        found = self._recognizer.detector.detect(image)
        if self._settings.max_faces is not None:
            found = largest(found, self._settings.max_faces)

        def embed(landmarks: Floats) -> Floats:
            spec = self._recognizer.embedder.spec
            self.embeddings += len(landmarks)
            crops = align(image, landmarks, spec.template, (spec.width, spec.height))
            return self._recognizer.embedder.embed(crops, self._recognizer.flip)

        step = self._tracker.step(frame.time, found, image, embed, cut)
        self.best_views.step(step, image)
        events = self._announced(step)
        self.last = LastLook.of(step, (image.shape[0], image.shape[1]))
        return step, events

    def _announced(self, step: StepResult) -> tuple[Event, ...]:
        before = self._appearances.decisions
        decisions = self._names.step(step, before)
        strangers = self._numbered(step, {**before, **decisions})
        return self._appearances.step(step, decisions, strangers)

    def _numbered(self, step: StepResult, decisions: dict[int, Decision]) -> dict[int, int]:
        """Numbers of those who turn out to be strangers in this step, by track."""
        if self._strangers is None:
            return {}
        known, best = self._appearances.known, self.best_views.views()
        now: list[tuple[int, Views, bool]] = [(t.number, t.views, False) for t in step.seen]
        now += [(t.number, t.views, False) for t in step.hidden]
        now += [(t.number, t.views, True) for t in step.ended]
        given = {n: known[n].stranger for n, _, _ in now if n in known}
        new: dict[int, int] = {}
        for number, views, ended in now:
            enough = len(views) >= self._settings.min_views or (ended and len(views) > 0)
            strange = number in decisions and decisions[number].reason in STRANGE
            if not (enough and strange and number in best) or number in new or given.get(number) is not None:
                continue
            vector, spread = pooled(views)
            view = best[number]
            taken = {stranger for stranger in (*given.values(), *new.values()) if stranger is not None}
            new[number] = self._strangers.number_of(vector, spread, view.quality, view.crop, utc_now(), taken)
        return new


def largest(faces: Faces, most: int) -> Faces:
    """The `most` faces with the largest boxes, best score first as before."""
    if len(faces) <= most:
        return faces
    area: Iterable[float] = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    return faces.take(np.sort(np.argsort(-np.asarray(area), kind="stable")[:most]))
