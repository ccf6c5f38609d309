"""`VideoEngine`: who is in the frames of a source, when they came and when they left.

for event in engine.events(source):
    ...
with closing(engine.run(source)) as results:  # or frame by frame, with the faces of each
    for result in results:
        ...

Reading and computing are threads of their own; results come where the generator is iterated. What waits between them
is bounded: a file is read no faster than its results are taken, and of a live source the newest frame is worked on.
Results of a file come up to a second of it late, so that a face has its name from where it was first seen.
While a live source gives no frames nobody is there: its last frame comes again, without faces (`LiveStage`).
A failure in any stage is raised where the results are taken, after those that were done before it.
"""

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing

from multiface.errors import UsageError
from multiface.recognition.recognizer import Recognizer
from multiface.video.engine.engine_state import unpacked
from multiface.video.engine.event_ledger import EventLedger
from multiface.video.engine.frame_analysis import FrameAnalysis
from multiface.video.engine.queues import Closed, Queues
from multiface.video.engine.stages import FileStage, LiveStage, read, read_live
from multiface.video.engine.video_settings import VideoSettings
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.results import BestView, Event, FrameResult
from multiface.video.sources.frame import Source
from multiface.visible import log_of

CLOSING = 3.0
"""Seconds after which a thread that does not end is left behind; it does not keep the process alive."""

_log = log_of(__name__)


class VideoEngine:
    """Computes one source.

    recognizer: with the people to name, or without any; its `rate` is that of naming. strangers: who gives numbers
    to people whom nobody enrolled; None for nobody. state: a `FrameResult.checkpoint`; the source must then begin with
    the frame after it, numbered on, and the settings be the same.

    Raises InputError for a state that is broken, FingerprintMismatch for one of other weights.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        settings: VideoSettings | None = None,
        *,
        strangers: StrangerNumbers | None = None,
        state: bytes | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._settings = settings or VideoSettings()
        self._strangers = strangers
        self._state = None if state is None else unpacked(state, recognizer.origin)
        self._notes: list[str] = []
        self._analysis: FrameAnalysis | None = None
        self._ledger = EventLedger()
        self._running = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the run so far, such as that the gallery was removed."""
        return tuple(self._notes)

    @property
    def vectors(self) -> int:
        """Faces embedded so far, including those before a resumed state."""
        return 0 if self._analysis is None else self._analysis.embeddings

    def best_views(self) -> Mapping[int, BestView]:
        """The best view of each track so far, by number; of 500 tracks at most."""
        return {} if self._analysis is None else self._analysis.best_views.views()

    def end_events(self) -> tuple[Event, ...]:
        """Events not delivered in a consumed result: those decided before the end, then those of the end.

        With those of the results each event comes once, and for each "appeared" there is a "left". A file that is read
        to its end has all in its results. Nothing the second time. Raises UsageError while the run goes on.
        """
        if self._running:
            raise UsageError("the run is not over yet", hint="close it first")
        if self._analysis is not None and not self._ledger.abandoned:
            self._ledger.decided(self._analysis.finish(early=True))
        return self._ledger.rest()

    def events(self, source: Source) -> Generator[Event, None, None]:
        """All events of the source, as they are decided, those of its end too; `run` without the frames.

        Once for each engine; closes the source. Raises as `run` does, after the events that were decided before.
        """
        with closing(self.run(source)) as results:
            for result in results:
                yield from result.events
        yield from self.end_events()

    def run(self, source: Source) -> Generator[FrameResult, None, None]:
        """The frames of the source with faces and events; once for each engine.

        Closing the generator, or an exception in it (Ctrl-C too), ends the threads and closes the source within
        `CLOSING` seconds. Raises UsageError, what the source raises, NotAvailable and RateNotSupported for names
        without thresholds.
        """
        if self._running or self._analysis is not None:
            raise UsageError("an engine runs one source", hint="make another one for the next")
        queues = Queues()
        threads: list[threading.Thread] = []
        self._running = True
        try:
            work = self._computing(source, queues)
            threads.append(_stage("video compute", work, queues.end_results))
            reading = read_live if source.info.live else read
            threads.append(_stage("video read", lambda: reading(source, queues), queues.end_frames))
            for thread in threads:
                thread.start()
            while (result := queues.next_result()) is not None:
                self._ledger.handed_out(len(result.events))
                yield result
        finally:
            try:
                _close(source, queues, threads)
            finally:
                if threads and threads[0].is_alive():
                    self._ledger.abandon()
                self._running = False

    def _computing(self, source: Source, queues: Queues) -> Callable[[], None]:
        """What the computing thread is to do."""
        info = source.info
        if info.live and (self._state is not None or self._settings.checkpoint_every is not None):
            raise UsageError(f"{info.name}: a live source cannot be resumed, so it has no checkpoints")
        analysis = FrameAnalysis(
            self._recognizer,
            self._settings,
            self._strangers,
            info.live,
            self._state,
            self._notes.append,
        )
        self._analysis, self._state = analysis, None
        if info.live:
            return LiveStage(queues, analysis, self._ledger, self._settings, info.rate).work
        return FileStage(queues, analysis, self._ledger, self._settings, info.rate).work


def _stage(
    name: str, work: Callable[[], None], end: Callable[[BaseException | None], None]
) -> threading.Thread:
    """A thread that works and then tells how it ended."""

    def run() -> None:
        try:
            work()
        except Closed:
            end(None)
        except BaseException as error:
            end(error)
        else:
            end(None)

    return threading.Thread(target=run, name=name, daemon=True)


def _close(source: Source, queues: Queues, threads: list[threading.Thread]) -> None:
    """End what still runs."""
    until = time.monotonic() + CLOSING
    queues.close()
    try:
        source.close()
    except Exception:
        # What ended the run is the better news.
        _log.warning("a source could not be closed", exc_info=True)
    for thread in threads:
        if thread.is_alive():
            thread.join(max(0.1, until - time.monotonic()))
        if thread.is_alive():
            _log.warning("the thread %r did not end within %g seconds", thread.name, CLOSING)
