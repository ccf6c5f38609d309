"""Which events were decided and which of them were handed out, so that none is lost where a run ends early.

The computing thread decides events and puts them into results in the same order; those of the results that nobody
took are told at the end. Times are seconds in the source, boxes pixels.
"""

import threading
from collections import deque
from dataclasses import replace

from multiface.images.box import Box
from multiface.video.engine.queues import Closed
from multiface.video.results import Event
from multiface.video.tracks.track import StepResult


class EventLedger:
    """The events of one run. Two threads use it: computer and caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self._latest: dict[int, Event] = {}  # of each track that is there, the last event
        self._places: dict[int, tuple[float, Box, float]] = {}  # last seen, where, and first seen
        self._abandoned = False

    def decided(self, events: tuple[Event, ...], step: StepResult | None = None) -> None:
        """Events were decided, in this step or at the end. Raises Closed when they are not waited for any more."""
        with self._lock:
            if self._abandoned:
                raise Closed
            self._waiting += events
            for event in events:
                self._latest[event.track] = event
                if event.event == "left":
                    del self._latest[event.track]
            if step is not None:
                self._places = {t.number: (step.time, t.box, t.first_seen) for t in step.seen}
                self._places |= {t.number: (t.last_seen, t.box, t.first_seen) for t in step.hidden}

    def handed_out(self, count: int) -> None:
        """So many more events are in the caller's hands."""
        with self._lock:
            for _ in range(count):
                self._waiting.popleft()

    def abandon(self) -> None:
        """The computing thread does not end: what it decides from now on is not told."""
        with self._lock:
            self._abandoned = True

    @property
    def abandoned(self) -> bool:
        """Whether the computing thread was left to itself."""
        return self._abandoned

    def rest(self) -> tuple[Event, ...]:
        """The events that were not handed out; then those who are still there leave, where they were last seen."""
        with self._lock:
            told = tuple(self._waiting)
            left = [
                replace(event, time=time, event="left", box=box, previous=None, since=since)
                for number, event in sorted(self._latest.items())
                for time, box, since in [self._places[number]]
            ]
            self._waiting.clear()
            self._latest.clear()
        return (*told, *left)
