"""How frames go from the thread that reads to the one that computes, and results from there to the caller.

Everything that waits is bounded, in number and in bytes of pictures, so a slow stage holds back those before it.
An error goes the same way, behind what was done before it, and so reaches the caller in its place.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from multiface.video.results import FrameResult
from multiface.video.sources.frame import Frame

MOST_BYTES = 256 * 2**20
"""Pictures that wait, in all queues and in the computing thread together."""
MOST_WAITING = 16
"""Frames, and results, that wait in a queue."""
POLL = 0.5
"""Seconds."""


class Closed(Exception):
    """The run is over; ends the thread that it is raised in."""


class Queues:
    """The two queues under one lock. Three threads use it: reader, computer and caller.

    most_bytes, most_waiting: the bounds. A frame that breaks the bound on bytes is still let in when nothing else
    could go on.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_waiting: int = MOST_WAITING) -> None:
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._results: deque[FrameResult] = deque()
        self._held = 0
        self._hungry = False
        self._read = False
        self._read_error: BaseException | None = None
        self._done = False
        self._error: BaseException | None = None
        self.stop = threading.Event()
        """Set when the run is over, for threads that wait elsewhere."""

    def admit(self, frame: Frame) -> None:
        """Wait until there is room for this frame's picture; the reader calls it before RGB is made."""
        size = frame.picture_bytes

        def room() -> bool:
            starving = self._hungry and not self._frames and not self._results
            return (
                len(self._frames) < self._most_waiting and self._held + size <= self._most_bytes
            ) or starving

        with self._changed:
            self._wait_for(room)
            self._held += size

    def put_frame(self, frame: Frame) -> None:
        """Hand over an admitted frame."""
        with self._changed:
            self._check()
            self._frames.append(frame)
            self._changed.notify_all()

    def end_frames(self, error: BaseException | None) -> None:
        """There are no more frames, because of an error or because the source is over."""
        with self._changed:
            self._read, self._read_error = True, error
            self._changed.notify_all()

    def wait_until_asked(self) -> None:
        """Wait until a frame is asked for and none lies ready; the reader of a live source calls it before each."""
        with self._changed:
            self._wait_for(lambda: self._hungry and not self._frames)

    def frame_comes(self, seconds: float) -> bool:
        """Ask for a frame: whether `next_frame` has an answer after so many seconds at most."""
        with self._changed:
            self._hungry = True
            self._changed.notify_all()
            return self._wait_for(lambda: bool(self._frames) or self._read, seconds)

    def next_frame(self) -> Frame | None:
        """The next frame, None when there are no more."""
        with self._changed:
            self._hungry = True
            self._changed.notify_all()
            self._wait_for(lambda: bool(self._frames) or self._read)
            self._hungry = False
            frame = self._frames.popleft() if self._frames else None
            self._changed.notify_all()
            return frame

    @property
    def read_error(self) -> BaseException | None:
        """Why there are no more frames, when `next_frame` gave None; None: the source is over."""
        return self._read_error

    def put_result(self, result: FrameResult) -> None:
        """Hand over a result; waits while the caller has many to take."""
        with self._changed:
            self._wait_for(lambda: len(self._results) < self._most_waiting)
            self._results.append(result)
            self._changed.notify_all()

    def put_newest(self, result: FrameResult) -> None:
        """Hand over a result of a live source: one that was not taken yet gives way.

        Its events and its frame's gap are handed on.
        """
        with self._changed:
            self._check()
            if self._results:
                older = self._results.pop()
                gaps = [gap for gap in (older.frame.gap, result.frame.gap) if gap is not None]
                result.frame.gap = "; ".join(gaps) or None
                result = replace(result, events=older.events + result.events)
            self._results.append(result)
            self._changed.notify_all()

    def end_results(self, error: BaseException | None) -> None:
        """There are no more results, because of an error or because all is done."""
        with self._changed:
            self._done, self._error = True, error
            self._changed.notify_all()

    def next_result(self) -> FrameResult | None:
        """The next result, None when there are no more. Raises what made a stage fail."""
        with self._changed:
            # Not for ever at a time: on Windows Ctrl-C is noticed only between two waits.
            while not self._results and not self._done:
                self._check()
                self._changed.wait(POLL)
            if not self._results:
                if self._error is not None:
                    raise self._error
                return None
            result = self._results.popleft()
            # Results of a live source were never admitted: nothing of theirs waits.
            self._held = max(0, self._held - result.frame.picture_bytes)
            self._changed.notify_all()
            return result

    def close(self) -> None:
        """End everything that waits."""
        with self._changed:
            self.stop.set()
            self._frames.clear()
            self._results.clear()
            self._changed.notify_all()

    def _check(self) -> None:
        if self.stop.is_set():
            raise Closed

    def _wait_for(self, ready: Callable[[], bool], seconds: float | None = None) -> bool:
        came = self._changed.wait_for(lambda: self.stop.is_set() or ready(), seconds)
        self._check()
        return came
