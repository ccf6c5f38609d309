"""The stages of a run, each what a thread of its own works through: read and compute, of a file or live."""

import time
from collections import deque
from dataclasses import replace
from fractions import Fraction

from multiface.video.engine.event_ledger import EventLedger
from multiface.video.engine.frame_analysis import FrameAnalysis
from multiface.video.engine.queues import MOST_BYTES, Closed, Queues
from multiface.video.engine.schedule import LONGEST_BLIND, Brake, LivePace, file_detection_due, file_interval
from multiface.video.engine.video_settings import VideoSettings
from multiface.video.names.backfill import RESULT_DELAY, backfilled
from multiface.video.results import FrameResult
from multiface.video.sources.frame import Frame, Source
from multiface.video.tracks.track import TrackSettings

MOST_BETWEEN = MOST_BYTES // 2
"""Bytes of pictures that wait for the next detection of a file; before there are more, a detection is due."""
AWAY = TrackSettings().lost_after + 0.5
"""Seconds for which a live source may give no frame; then those who were there have left."""


def read(source: Source, queues: Queues) -> None:
    """Decode ahead as many frames as there is room for, with RGB where that is what they keep."""
    for frame in source.frames():
        queues.admit(frame)
        if frame.coded is None:
            # Made here, beside the computing. Of coded frames only those with a detection need it.
            _ = frame.image
        queues.put_frame(frame)


def read_live(source: Source, queues: Queues) -> None:
    """Take a frame only when one is asked for, so that it is the newest."""
    frames = source.frames()
    queues.wait_until_asked()
    for frame in frames:
        queues.put_frame(frame)
        queues.wait_until_asked()


class FileStage:
    """Computes a file: every frame, in order, boxes between two detections interpolated.

    Results wait for a second of the file (`hindsight`), and no longer than there is room. Events belong to the first
    result that was not handed out when they were decided; their times may so be a little later than its frame. The
    last frame before a cut has a detection too, so that nothing is carried over a cut. At a checkpoint nothing waits:
    its result is only kept back until another frame comes, since the events of the end belong to the last frame.
    """

    def __init__(
        self,
        queues: Queues,
        analysis: FrameAnalysis,
        ledger: EventLedger,
        settings: VideoSettings,
        rate: Fraction | None,
    ) -> None:
        self._queues = queues
        self._analysis = analysis
        self._ledger = ledger
        self._checkpoint_every = settings.checkpoint_every
        self._interval = settings.every or file_interval(rate)
        self._by_time = settings.every is None
        self._brake = Brake(settings.max_fps, queues.stop)
        self._waiting: list[Frame] = []
        self._results: deque[FrameResult] = deque()
        self._sealed: FrameResult | None = None

    def work(self) -> None:
        """Until the frames end. Raises what ended them or failed, when all before it is handed out."""
        try:
            self._work()
        except Closed:
            raise
        except BaseException:
            self._hand_out_all()
            raise
        self._hand_out_all()

    def _work(self) -> None:
        while (frame := self._queues.next_frame()) is not None:
            self._brake.wait()
            self._make_room(frame)
            cut = self._analysis.is_cut(frame)
            if cut and self._waiting:
                self._look(False)
            self._waiting.append(frame)
            if cut or self._due(frame):
                self._look(cut)
        if self._waiting:
            self._look(False)
        if self._queues.read_error is not None:
            raise self._queues.read_error
        if self._sealed is not None:
            # From a state after the last frame there is nothing to go on to.
            self._results.append(replace(self._sealed, checkpoint=None))
            self._sealed = None
        if self._results:
            last = self._results.pop()
            events = self._analysis.finish()
            self._ledger.decided(events)
            self._results.append(replace(last, events=(*last.events, *events)))

    def _due(self, frame: Frame) -> bool:
        last = self._analysis.last
        return (
            last is None
            or self._is_checkpoint(frame)
            or file_detection_due(
                self._interval, len(self._waiting), frame.time - last.time, self._by_time, last.settled
            )
            or sum(one.picture_bytes for one in self._waiting) + frame.picture_bytes > MOST_BETWEEN
        )

    def _is_checkpoint(self, frame: Frame) -> bool:
        return self._checkpoint_every is not None and (frame.number + 1) % self._checkpoint_every == 0

    def _look(self, cut: bool) -> None:
        """Look at the last waiting frame; the results of all of them. RGB made for it is in nobody's account."""
        last = self._analysis.last
        *between, frame = self._waiting
        self._waiting = []
        step, events = self._analysis.detect(frame, cut)
        frame.shed()
        self._ledger.decided(events, step)
        faces = self._analysis.faces(step)
        if last is not None:
            for one in between:
                boxes = self._analysis.faces_before(last, step, one.time)
                self._results.append(FrameResult(one, boxes, ()))
        self._results = deque(backfilled(result, step, faces) for result in self._results)
        self._results.append(FrameResult(frame, faces, ()))
        first = self._results.popleft()
        self._results.appendleft(replace(first, events=(*first.events, *events)))
        if self._is_checkpoint(frame):
            self._sealed = replace(self._results.pop(), checkpoint=self._analysis.state())
            self._hand_out_results()

    def _make_room(self, frame: Frame) -> None:
        """Hand out what waited long enough when this frame comes, and what there is no room for beside it."""
        if self._sealed is not None:
            self._queues.put_result(self._sealed)
            self._sealed = None
        size = frame.picture_bytes + sum(one.picture_bytes for one in self._waiting)
        size += sum(result.frame.picture_bytes for result in self._results)
        while self._results and (
            self._results[0].frame.time < frame.time - RESULT_DELAY or size > MOST_BETWEEN
        ):
            size -= self._results[0].frame.picture_bytes
            self._queues.put_result(self._results.popleft())

    def _hand_out_results(self) -> None:
        while self._results:
            self._queues.put_result(self._results.popleft())

    def _hand_out_all(self) -> None:
        if self._sealed is not None:
            self._queues.put_result(self._sealed)
        self._hand_out_results()


class LiveStage:
    """Computes a live source: the newest frame each time, boxes between two detections moved on, nothing waits.

    When no frame comes for `AWAY` seconds, those who were there leave: the last frame is handed out a second time,
    without faces, with their events, and with words for it in `Frame.gap`.
    """

    def __init__(
        self,
        queues: Queues,
        analysis: FrameAnalysis,
        ledger: EventLedger,
        settings: VideoSettings,
        rate: Fraction | None,
    ) -> None:
        self._queues = queues
        self._analysis = analysis
        self._ledger = ledger
        self._every = settings.every
        self._brake = Brake(settings.max_fps, queues.stop)
        self._pace = LivePace(None if rate is None else float(rate), settings.max_fps)

    def work(self) -> None:
        """Until the frames end. Raises what ended them or failed."""
        last: Frame | None = None
        before: float | None = None
        since = 0
        while True:
            self._brake.wait()
            asked = time.monotonic()
            if last is not None and not self._queues.frame_comes(AWAY):
                self._away(last)
            frame = self._queues.next_frame()
            if frame is None:
                if self._queues.read_error is not None:
                    raise self._queues.read_error
                return
            began = time.monotonic()
            came = began if frame.captured is None else frame.captured
            if before is not None and frame.gap is None and came > asked:
                self._pace.arrived(came - before)
            last, before = frame, came
            since += 1
            detected = self._analyse(frame, since)
            if detected:
                since = 0
            self._pace.took(detected, time.monotonic() - began)

    def _analyse(self, frame: Frame, since: int) -> bool:
        """Hand out one frame; whether with a detection."""
        last = self._analysis.last
        cut = self._analysis.is_cut(frame)
        due = (
            last is None
            or cut
            or frame.gap is not None
            or since >= (self._every or self._pace.interval)
            or (self._every is None and frame.time - last.time >= LONGEST_BLIND)
        )
        if due:
            step, events = self._analysis.detect(frame, cut)
            self._ledger.decided(events, step)
            self._queues.put_newest(FrameResult(frame, self._analysis.faces(step), events))
        else:
            faces = self._analysis.faces_ahead(frame.time)
            self._queues.put_newest(FrameResult(frame, faces, ()))
        return due

    def _away(self, last: Frame) -> None:
        """No frame came for long after this one: all tracks end."""
        step, events = self._analysis.empty(last)
        self._ledger.decided(events, step)
        if events:
            image = last.image
            again = replace(last, convert=lambda: image, gap=f"no frames for {AWAY:g} s")
            self._queues.put_newest(FrameResult(again, (), events))
