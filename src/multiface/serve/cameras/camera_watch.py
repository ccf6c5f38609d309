"""Watches one camera: frames in, events into the gallery.

An event is on the disk before it is said. While the gallery cannot be written events wait in memory, and the camera
goes on.
"""

import secrets
import threading
import time
from collections import deque
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta

from multiface.errors import FingerprintMismatch, GalleryError
from multiface.gallery import Gallery
from multiface.gallery.service.camera_events import NewEvent, Overtaken, add_events, time_text
from multiface.recognition import Recognizer
from multiface.serve.cameras.camera_life import Ending, Voice
from multiface.serve.cameras.camera_order import CameraOrder
from multiface.serve.cameras.unknown_alerts import UnknownAlerts
from multiface.video.engine.engine import VideoEngine
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.results import Event, FrameResult
from multiface.video.sources.frame import Source
from multiface.video.sources.live_source import LiveSource
from multiface.video.sources.opening import open_source

MOST_HELD = 10_000
"""Events that wait while the gallery cannot be written; then the oldest go."""
SAY_SECONDS = 1.0
HUNG_SECONDS = 60.0
"""After so long without a result, though frames come, nothing more is said, and the process is ended."""


def watch(order: CameraOrder, voice: Voice, ending: Ending) -> None:
    """Until it is ended, or another service has taken the cameras over. Raises what ends source, gallery or engine."""
    with ExitStack() as stack:
        # A camera that does not answer costs no loading of networks.
        source = stack.enter_context(closing(open_source(order.source, live=True)))
        if not ending.closes(source.close):
            return
        recognizer = stack.enter_context(Recognizer.from_description(order.recogniser))
        assert recognizer.gallery is not None
        strangers = None
        if order.keep_strangers is not None:
            strangers = StrangerNumbers(
                recognizer.gallery, recognizer.calibration, recognizer.rate, order.keep_strangers
            )
        keeper = Keeper(recognizer.gallery, order, voice)
        engine = VideoEngine(recognizer, strangers=strangers)
        with suppress(Overtaken):
            _watch(source, engine, keeper, UnknownAlerts() if order.unknown_alert else None, voice)


def _watch(
    source: Source, engine: VideoEngine, keeper: "Keeper", alerts: UnknownAlerts | None, voice: Voice
) -> None:
    begin = datetime.now(UTC)
    pulse = Pulse(source, keeper, voice)
    voice.say(running=True)
    try:
        with closing(engine.run(source)) as results:
            for result in results:
                pulse.felt()
                begin = _beginning(result)
                told = _plain(result.events) if alerts is None else alerts.among(result)
                keeper.keep([_new(kind, event, begin) for kind, event in told])
    finally:
        pulse.end()
        rest = engine.end_events()
        told = _plain(rest) if alerts is None else alerts.with_ends(rest)
        keeper.keep([_new(kind, event, begin) for kind, event in told])


class Pulse:
    """A thread that says about once a second that all is well, or what is not; it falls silent where frames come and no
    results.
    """

    def __init__(self, source: Source, keeper: "Keeper", voice: Voice) -> None:
        self._source = source
        self._keeper = keeper
        self._voice = voice
        self._ended = threading.Event()
        self._last = time.monotonic()
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def felt(self) -> None:
        """There was a result."""
        self._last = time.monotonic()

    def end(self) -> None:
        """No more is said."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(SAY_SECONDS):
            trouble = self._source.trouble if isinstance(self._source, LiveSource) else None
            if trouble is not None:
                self.felt()
            with suppress(Overtaken, FingerprintMismatch):  # the thread of the results learns of it, too
                self._keeper.flush()
            if time.monotonic() - self._last < HUNG_SECONDS:
                self._voice.say(trouble=trouble or self._keeper.trouble)


class Keeper:
    """Writes events down in their order, and holds them while that fails."""

    def __init__(self, gallery: Gallery, order: CameraOrder, voice: Voice) -> None:
        self._gallery = gallery
        self._order = order
        self._voice = voice
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._waiting: deque[NewEvent] = deque(maxlen=MOST_HELD)
        self.trouble: str | None = None

    def keep(self, events: list[NewEvent]) -> None:
        """Raises Overtaken, FingerprintMismatch."""
        with self._lock:
            self._waiting += events
        self.flush()

    def flush(self) -> None:
        """Try to write what waits. Raises as `keep` does."""
        with self._lock:
            if not self._waiting:
                return
            try:
                with self._gallery.database.writing() as connection:
                    numbers = add_events(
                        connection, self._order.camera, self._run, self._order.owner, self._waiting
                    )
            except FingerprintMismatch:
                raise
            except GalleryError as error:
                self.trouble = f"{len(self._waiting)} events wait to be written ({error})"
                return
            self._waiting.clear()
            self.trouble = None
        self._voice.say(stored=numbers[-1])


def _plain(events: tuple[Event, ...]) -> list[tuple[str, Event]]:
    return [(event.event, event) for event in events]


def _beginning(result: FrameResult) -> datetime:
    """When the source's time was 0, by the clock as it goes now."""
    captured = result.frame.captured
    age = 0.0 if captured is None else time.monotonic() - captured
    return datetime.now(UTC) - timedelta(seconds=age + result.frame.time)


def _new(kind: str, event: Event, begin: datetime) -> NewEvent:
    return NewEvent(
        time_text(begin + timedelta(seconds=event.time)),
        kind,
        event.track,
        event.person,
        event.stranger,
        event.similarity,
        event.threshold,
        event.box,
    )
