"""All that is computed for the frames of one source: faces, tracks, vectors, names, events. One thread at a time."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from multiface.arrays import Floats
from multiface.faces.align import align
from multiface.faces.face import Faces
from multiface.recognition.recognizer import Recognizer
from multiface.video.engine.engine_state import EngineState, packed
from multiface.video.engine.video_settings import VideoSettings
from multiface.video.names.appearances import Appearances
from multiface.video.names.co_presence import CoPresence
from multiface.video.names.naming import Names
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.names.stranger_tracks import StrangerTracks
from multiface.video.results import Event, SeenFace
from multiface.video.sources.coded_picture import luma_of
from multiface.video.sources.frame import Frame
from multiface.video.tracks.best_views import BestViews
from multiface.video.tracks.cuts import CutFinder, coded_luma_grid, luma_grid
from multiface.video.tracks.frame_detection import FrameDetection, detect_full, detect_next
from multiface.video.tracks.interpolation import interpolate
from multiface.video.tracks.last_detection import LastDetection
from multiface.video.tracks.track import StepResult, TrackSettings
from multiface.video.tracks.tracker import Tracker

REMEMBERED_LIVE = 60.0
"""Seconds for which the lost tracks of a live source are remembered; those of a file are for all of it."""


class FrameAnalysis:
    """One source. Call `is_cut` for every frame in turn, `detect` for those that get a detection.

    live: the source. state: of a run to resume. note: called with what the user should know.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        settings: VideoSettings,
        strangers: StrangerNumbers | None,
        live: bool,
        state: EngineState | None,
        note: Callable[[str], None],
    ) -> None:
        self._recognizer = recognizer
        self._settings = settings
        presences, learnt = (None, frozenset[int]()) if state is None else (state.presences, state.learnt)
        self._names = Names(recognizer, settings.min_views, note, CoPresence(presences))
        self._strangers = None if strangers is None else StrangerTracks(strangers, settings.min_views, learnt)
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
        size = (frame.height, frame.width)
        resized = self._size is not None and self._size != size
        self._size = size
        grid = luma_grid(frame.image) if frame.coded is None else coded_luma_grid(luma_of(frame.coded))
        return self._cuts.step(grid) or resized

    def detect(self, frame: Frame, cut: bool) -> tuple[StepResult, tuple[Event, ...]]:
        """Detect, follow, embed and decide. After an exception nothing more can be computed."""
        with self._for_good():
            return self._take_in(frame, self._detected(frame, cut), cut)

    def empty(self, frame: Frame) -> tuple[StepResult, tuple[Event, ...]]:
        """The result of a frame after a cut in which nobody is seen: all tracks end."""
        with self._for_good():
            return self._take_in(frame, FrameDetection(Faces.none(), frame.time), True)

    def faces(self, step: StepResult) -> tuple[SeenFace, ...]:
        """The faces of the last frame with a detection."""
        return self._appearances.faces(step)

    def faces_before(self, last: LastDetection, step: StepResult, time: float) -> tuple[SeenFace, ...]:
        """The faces at a time between the last two detections."""
        scores = dict(zip(last.numbers, last.scores, strict=True))
        scores |= {track.number: track.score for track in step.seen}
        return self._appearances.faces_between(interpolate(last, step, time), scores)

    def faces_ahead(self, time: float) -> tuple[SeenFace, ...]:
        """The predicted faces at a time after the last detection."""
        if self.last is None:
            return ()
        scores = dict(zip(self.last.numbers, self.last.scores, strict=True))
        return self._appearances.faces_between(self._tracker.predict(time), scores)

    def finish(self, early: bool = False) -> tuple[Event, ...]:
        """No more frames come: what ends with them. Nothing the second time.

        early: the source has more frames. From tracks that end so nothing is learnt where there are checkpoints: the
        run that goes on from one has the same tracks, and learns from them when they have ended.
        """
        if self._finished or self.last is None:
            return ()
        self._finished = True
        learn = not early or self._settings.checkpoint_every is None
        return self._announced(self._tracker.finish(self.last.time), learn)

    def state(self) -> bytes:
        """Everything needed to resume after the last frame with a detection."""
        assert self.last is not None
        state = EngineState(
            embeddings=self.embeddings,
            last=self.last,
            known=self._appearances.known,
            presences=self._names.co_presence.presences,
            learnt=frozenset() if self._strangers is None else self._strangers.learnt,
            best=self.best_views.stored(),
            tracker=self._tracker.state(),
            cuts=self._cuts.state(),
        )
        return packed(state, self._recognizer.origin)

    @contextmanager
    def _for_good(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._finished = True
            raise

    def _detected(self, frame: Frame, cut: bool) -> FrameDetection:
        last, detector = self.last, self._recognizer.detector
        if last is None or cut or self._settings.every is not None:
            return detect_full(detector, frame.image, frame.time)
        boxes = [box for _, box in self._tracker.predict(frame.time)]
        return detect_next(detector, frame.image, frame.time, last, boxes)

    def _take_in(
        self, frame: Frame, detection: FrameDetection, cut: bool
    ) -> tuple[StepResult, tuple[Event, ...]]:
        image = frame.image

        def embed(landmarks: Floats) -> Floats:
            spec = self._recognizer.embedder.spec
            self.embeddings += len(landmarks)
            crops = align(image, landmarks, spec.template, (spec.width, spec.height))
            return self._recognizer.embedder.embed(crops, self._recognizer.flip)

        found = detection.faces
        if self._settings.max_faces is not None:
            found = largest(found, self._settings.max_faces)
        step = self._tracker.step(frame.time, found, image, embed, cut)
        self.best_views.step(step, image)
        events = self._announced(step)
        size = (frame.height, frame.width)
        self.last = LastDetection.of(step, size, len(found), detection.full, detection.local_failed)
        return step, events

    def _announced(self, step: StepResult, learn: bool = True) -> tuple[Event, ...]:
        before, known = self._appearances.decisions, self._appearances.known
        decisions = self._names.step(step, before)
        numbers: dict[int, int | None] = {}
        if self._strangers is not None:
            numbers = self._strangers.step(
                step,
                {**before, **decisions},
                known,
                self.best_views.views(),
                self._names.co_presence,
                learn,
            )
        events = self._appearances.step(step, decisions, numbers)
        remembered = self._appearances.known.keys()
        self._names.co_presence.keep(remembered)
        if self._strangers is not None:
            self._strangers.keep(remembered)
        return events


def largest(faces: Faces, most: int) -> Faces:
    """The `most` faces with the largest boxes, best score first as before."""
    if len(faces) <= most:
        return faces
    area: Iterable[float] = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    return faces.take(np.sort(np.argsort(-np.asarray(area), kind="stable")[:most]))
