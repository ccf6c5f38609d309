"""The time of a live stream's frames, and whether reading has fallen behind the stream.

A stream's own clock (presentation times) is smooth, where arrival times carry the network's jitter; but it starts
anew with each connection, may jump, and is missing or made up in some formats. So time follows the stream's clock
as long as that agrees with the wall clock to within `JUMP` seconds, and is set anew by the wall clock where not.
Wall clock: `time.monotonic()`, seconds.
"""

JUMP = 2.0
"""Seconds by which the two clocks may drift apart before the stream's clock is taken to have jumped."""

BEHIND = 1.0
"""Seconds by which frames come later than the earliest did, before reading counts as behind."""

WAITED = 0.02
"""A read that took so many seconds had to wait for the network: nothing lies unread."""


class StreamClock:
    """Seconds since the first frame, always rising."""

    def __init__(self) -> None:
        self._origin: float | None = None  # of the stream's clock: time = clock - origin
        self._first = 0.0  # wall clock at time 0
        self._time: float | None = None

    def restart(self) -> None:
        """A new connection: the stream's clock starts anew."""
        self._origin = None

    def time_of(self, clock: float | None, captured: float) -> float:
        """Time of a frame: 0 for the first. clock: its presentation time in seconds, None for none."""
        if self._time is None:
            self._first = captured
        by_wall = captured - self._first
        if clock is None:
            time = by_wall
        else:
            if self._origin is None or abs(clock - self._origin - by_wall) > JUMP:
                self._origin = clock - by_wall
            time = clock - self._origin
        if self._time is not None and time <= self._time:
            time = self._time + 1e-3
        self._time = time
        return time


class Backlog:
    """Tells from packets when more lies unread than decoding can catch up with.

    While it does, only key frames are worth decoding. The lateness of a packet is its arrival less its presentation
    time; that of the earliest packet so far counts as in time.
    """

    def __init__(self) -> None:
        self._earliest: float | None = None
        self._skipping = False
        self._drained = False

    def skips(self, clock: float | None, captured: float, waited: float, key: bool) -> bool:
        """Whether to leave this packet undecoded. waited: seconds that reading it took; key: it is a key frame."""
        if clock is None:
            return False
        late = captured - clock
        if self._earliest is None or late < self._earliest:
            self._earliest = late
        if self._skipping:
            if waited >= WAITED:
                self._drained = True
                self._earliest = late  # also where the stream's clock is merely slow
            if key and self._drained:
                self._skipping = False
        elif late - self._earliest > BEHIND:
            self._skipping, self._drained = waited < WAITED, False
            if not self._skipping:
                self._earliest = late
        return self._skipping and not key
