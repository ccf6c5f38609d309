"""Which frames get a detection, and how fast frames are taken.

Files: every k-th frame, k from the frame rate and from whether all tracks are settled, so that a run can be repeated
to the bit. Live sources: k from the load, so that the engine keeps up with what arrives.
"""

import statistics
import threading
import time
from collections import deque
from fractions import Fraction

DETECTION_SECONDS = Fraction(1, 5)
"""Longest time between two detections of a file, in seconds, if it has that many frames."""
SETTLED = 2
"""Factor on that time while all tracks are settled (see `LastDetection`)."""
FORGIVEN = Fraction(501, 500)
"""NTSC rates (30000/1001 and the like) count as the whole rates that they stand for."""
LONGEST_BLIND = 0.5
"""Seconds of a live source that may go by without a detection, however slow the machine."""
BUSY_SHARE = 0.8
"""Share of its time that the analysis of a live source may work; the rest is for reading and showing."""


def file_interval(rate: Fraction | None) -> int | None:
    """k for a file of this many frames a second: 5 at 25; 1 below 5 a second; None where the rate is unknown."""
    return None if rate is None or rate <= 0 else max(1, int(rate * DETECTION_SECONDS * FORGIVEN))


def file_detection_due(
    interval: int | None, frames: int, seconds: float, by_time: bool, settled: bool = False
) -> bool:
    """Whether a frame gets a detection.

    interval: k. frames, seconds: since the last detection, this frame included. by_time: whether time counts too, as it
    does unless the user asked for a k: frames of a variable rate can lie far apart. settled: of the last detection; it
    counts only then.
    """
    times = SETTLED if settled and by_time else 1
    longest = times * DETECTION_SECONDS * (FORGIVEN if interval is not None else 2 - FORGIVEN)
    return (interval is not None and frames >= times * interval) or (by_time and seconds > float(longest))


class LivePace:
    """How many frames of a live source there are to one detection, from measured times.

    rate: frames a second as the source says, None where unknown. most_per_second: frames that are taken at most, None
    for all. All times in seconds.
    """

    def __init__(self, rate: float | None, most_per_second: float | None = None) -> None:
        self._least_apart = 0.0 if most_per_second is None else 1 / most_per_second
        self._said = 1 / rate if rate is not None and rate > 0 else 1 / 30
        self._arrivals: deque[float] = deque(maxlen=15)
        self._detections: deque[float] = deque(maxlen=9)
        self._others: deque[float] = deque(maxlen=9)

    def arrived(self, seconds: float) -> None:
        """So long after the frame before it a frame came in, and it was waited for: none was lost between."""
        self._arrivals.append(seconds)

    def took(self, detected: bool, seconds: float) -> None:
        """The analysis of a frame took so long; detected: with a detection."""
        (self._detections if detected else self._others).append(seconds)

    @property
    def interval(self) -> int:
        """The smallest k with which the analysis works no more than its share of the time; 1 before any detection."""
        apart = statistics.median(self._arrivals) if self._arrivals else self._said
        apart = max(apart, self._least_apart)
        most = max(1, int(LONGEST_BLIND / max(apart, 1e-3)))
        detection = statistics.median(self._detections) if self._detections else 0.0
        other = statistics.median(self._others) if self._others else 0.0
        # detection + (k - 1) other <= share k apart
        spare = BUSY_SHARE * apart - other
        if detection - other <= spare:
            return 1
        return most if spare <= 0 else min(most, -int(-(detection - other) // spare))


class Brake:
    """Holds a loop to so many turns a second, to save power; None for no limit. `stop` ends a wait at once."""

    def __init__(self, most_per_second: float | None, stop: threading.Event) -> None:
        self._apart = None if most_per_second is None else 1 / most_per_second
        self._stop = stop
        self._due = time.monotonic()

    def wait(self) -> None:
        """Until the next turn is due."""
        if self._apart is not None:
            now = time.monotonic()
            if now < self._due:
                self._stop.wait(self._due - now)
            self._due = max(now, self._due) + self._apart
