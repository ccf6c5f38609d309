"""A live source: a thread of its own reads and decodes, and the newest frame wins.

One slot behind a lock holds the newest frame; whoever iterates takes it, and frames that came meanwhile are gone, so
that a slow consumer sees no growing lag and memory stays flat.

A connection that fails, ends or falls silent is opened again: at once, then after 0.5, 1, 2, 2, ... seconds, for as
long as it takes. The first frame after it carries `gap`, which says what happened. Only the first connection raises.

A call into FFmpeg that waits for the network can only be left by its own time limit. So `close` waits `CLOSING`
seconds for the thread and then leaves it to itself: it is a daemon, holds no lock, hands out nothing any more, and
ends with its time limit. A thread that outlasts its time limits is left in the same way, and a new one begun.
"""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

from multiface.errors import InputError, UsageError
from multiface.net.address import checked_address, scheme_of, shown_address
from multiface.video.sources.frame import Frame, SourceInfo
from multiface.video.sources.frame_size import pixel_limit
from multiface.video.sources.live_connection import Feed, LiveConnection, Patience
from multiface.video.sources.pyav import av
from multiface.video.sources.stream_clock import StreamClock
from multiface.visible import log_of

CLOSING = 1.0
"""Seconds that `close` waits for the reading thread."""

WATCH = 0.5
"""Seconds between two looks at whether the reading thread still gets on."""

PAUSES = (0.0, 0.5, 1.0, 2.0)
"""Seconds before each new attempt to connect; the last one again and again."""

ANSWER = 2.5
"""Seconds that the other side has to answer after a loss, and every fourth time `Patience.opening`: a server that is
just starting may take a connection and never answer it, and asking again is quicker than waiting."""

SETTLED = 2.0
"""A connection that gave frames for so many seconds was good: the attempts after it begin with no pause."""

_log = log_of(__name__)


def open_live(
    address: str, patience: Patience | None = None, *, duration: float | None = None
) -> "LiveSource":
    """A network stream, open and with its first frame there.

    address: rtsp, rtsps, rtmp, rtmps, http, https, tcp, udp or srt (where PyAV was built with it). RTSP runs over TCP
    where the server offers it, else over UDP. duration: seconds after which the source ends; None for never.

    Raises UsageError for an address that cannot be meant; InputError where nothing answers, the answer is no video,
    or no frame comes in time.
    """
    return LiveSource(
        Feed(shown_address(address), partial(_connect, checked_address(address))), patience, duration
    )


def _connect(address: str, limits: tuple[float, float]) -> av.container.InputContainer:
    microseconds = str(round(limits[1] * 1e6))
    scheme = scheme_of(address)
    # A long look at the stream (FFmpeg's default: 5 s) would delay every return. The video's size comes with the
    # first frame anyway.
    options = {"analyzeduration": "1000000", "fpsprobesize": "0", "merge_pmt_versions": "1"}
    if scheme in ("rtsp", "rtsps"):
        options |= {"rtsp_flags": "prefer_tcp", "allowed_media_types": "video", "timeout": microseconds}
    elif scheme in ("http", "https", "tcp"):
        options |= {"timeout": microseconds}
    elif scheme == "udp":
        options |= {"timeout": microseconds, "overrun_nonfatal": "1", "buffer_size": "1048576"}
    else:
        options |= {"rw_timeout": microseconds}
    return av.open(
        address, options=pixel_limit(), container_options=options, timeout=limits, metadata_errors="replace"
    )


class LiveSource:
    """Frames of a live feed, the newest first come; see the file's docstring.

    Ends with `close`, which any thread may call, after `duration` seconds by the wall clock where that is given, or
    with an unexpected error of the reading thread, which `frames` raises. A context manager.

    info: what was known with the first frame; later ones may have another size, which is logged once for each change.
    """

    def __init__(self, feed: Feed, patience: Patience | None = None, duration: float | None = None) -> None:
        """Waits for the first frame. Raises InputError where none comes, UsageError for a duration not above 0."""
        if duration is not None and not (math.isfinite(duration) and duration > 0):
            raise UsageError(f"duration is a time in seconds above 0, got {duration:g}")
        self._feed = feed
        self._patience = patience or Patience()
        self._clock = StreamClock()
        self._end: float | None = None
        self._changed = threading.Condition()
        # All from here on is guarded by `_changed`.
        self._info: SourceInfo | None = None
        self._newest: Frame | None = None
        self._gap: str | None = None  # of the next frame to be handed out
        self._handed_out = 0
        self._last = 0.0  # wall clock of the newest frame
        self._size: tuple[int, int] | None = None  # width and height of it
        self._trouble: str | None = None
        self._failure: Exception | None = None
        self._attempts = 0  # to connect, since the last good connection
        self._closed = False
        self._begin_reading(self._patience.opening)
        try:
            self.info: SourceInfo = self._opened()
        except BaseException:
            self.close()
            raise
        if duration is not None:
            self._end = time.monotonic() + duration

    def _begin_reading(self, answer: float) -> None:
        """A new thread, and a new event that ends it. answer: see `LiveConnection`."""
        self._stop = threading.Event()
        self._connection = LiveConnection(self._feed, self._patience, self._stop, answer)
        self._thread = threading.Thread(
            target=self._run, args=(self._stop, self._connection), name="multiface live source", daemon=True
        )
        self._thread.start()

    def _opened(self) -> SourceInfo:
        with self._changed:
            while self._info is None and self._failure is None:
                if time.monotonic() > self._connection.due:
                    raise InputError(f"{self._feed.name}: opening it hangs")
                self._changed.wait(WATCH)
            if self._info is None:
                raise self._failure or InputError(f"{self._feed.name}: closed")
            return self._info

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: what befalls a stream is told when it does, in `Frame.gap` and `trouble`."""
        return ()

    @property
    def trouble(self) -> str | None:
        """Why no frames come just now, in words, while the source tries to connect again; else None."""
        with self._changed:
            return self._trouble

    def frames(self) -> Iterator[Frame]:
        """The newest frame each time one is asked for, each at most once; waits for one. Called once."""
        while True:
            with self._changed:
                while self._newest is None and not self._over():
                    if time.monotonic() > self._connection.due:
                        self._leave_thread()
                    rest = WATCH if self._end is None else self._end - time.monotonic()
                    self._changed.wait(min(WATCH, rest))
                if self._over():
                    break
                frame, self._newest = self._newest, None
                assert frame is not None
                frame.number, frame.gap = self._handed_out, self._gap
                self._handed_out += 1
                self._gap = None
            yield frame
        if self._failure is not None:
            raise self._failure

    def _over(self) -> bool:
        ended = self._end is not None and time.monotonic() >= self._end
        return self._closed or ended or (self._failure is not None and self._newest is None)

    def _leave_thread(self) -> None:
        self._stop.set()
        self._lost("reading hung")
        self._begin_reading(self._next_answer())

    def _lost(self, reason: str) -> None:
        """No frames come for now. Told once until they do again."""
        if self._trouble is None:
            self._trouble = reason
            _log.warning("%s: %s; trying again", self._feed.name, reason)

    def _next_answer(self) -> float:
        """Seconds that the other side has to answer in the next attempt."""
        self._attempts += 1
        return self._patience.opening if self._attempts % 4 == 0 else min(ANSWER, self._patience.opening)

    def close(self) -> None:
        """Ends `frames` and lets go of the feed, within `CLOSING` seconds; closing twice is fine."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._stop.set()
            self._newest = self._failure = None
            self._changed.notify_all()
        self._thread.join(CLOSING)

    def _run(self, stop: threading.Event, connection: LiveConnection) -> None:
        try:
            self._keep_connected(stop, connection)
        except Exception as error:
            with self._changed:
                if not stop.is_set():
                    self._failure = error
                    self._changed.notify_all()

    def _keep_connected(self, stop: threading.Event, connection: LiveConnection) -> None:
        while True:
            self._clock.restart()
            reason = connection.read(self._clock, partial(self._take_in, stop))
            with self._changed:
                if stop.is_set():
                    return
                if self._info is None:
                    raise InputError(f"{self._feed.name}: {reason}")
                self._lost(reason)
                if connection.lasted is not None and connection.lasted >= SETTLED:
                    self._attempts = 0
                pause = PAUSES[min(self._attempts, len(PAUSES) - 1)]
                connection = self._connection = LiveConnection(
                    self._feed, self._patience, stop, self._next_answer()
                )
            if stop.wait(pause):
                return

    def _take_in(self, stop: threading.Event, frame: Frame, rate: Fraction | None) -> None:
        assert frame.captured is not None
        with self._changed:
            if stop.is_set():
                return
            if self._info is None:
                info = SourceInfo(self._feed.name, frame.width, frame.height, None, rate, None, True)
                self._info = replace(info, asked=self._feed.asked(info))
            if self._trouble is not None:
                gap = f"{self._trouble}; no frames for {frame.captured - self._last:.1f} s"
                self._gap = gap if self._gap is None else f"{self._gap}; {gap}"
                self._trouble = None
                _log.info("%s: back; %s", self._feed.name, gap)
            size = (frame.width, frame.height)
            if self._size is not None and self._size != size:
                _log.warning(
                    "%s: pictures are %d x %d now, %d x %d before", self._feed.name, *size, *self._size
                )
            self._last, self._size = frame.captured, size
            self._newest = frame
            self._changed.notify_all()
