"""A track as the tracker works on it: where it is, how fast, what it looks like. Pixels and seconds of the source."""

import math
from dataclasses import dataclass, field

import numpy as np

from multiface.arrays import Doubles, Floats
from multiface.faces.boxes import iou
from multiface.video.tracks.views import Views

SMOOTHING = 0.2
"""Seconds over which a speed is averaged."""
JUMPED = 0.5
FARTHEST = 0.5
"""Seconds for which a box is moved on."""
YOUNG = 1.0
"""Seconds of an appearance in which embeddings stay frequent."""
SLOWER_AFTER = 2.0
"""Seconds after these in which embeddings have become half as frequent."""
SLOWEST = 5.0
"""Seconds between two embeddings of an old track."""
CLEARLY_BETTER = 1.1
"""Times the quality of the worst view, that a face must have to take a place soon among all the views a track keeps."""
WAITS_FULL, WAITS_FULL_ANY = 2.0, 6.0
"""Times as long a track with all its views waits for the next one: a clearly better one, and any."""


def _unknown_box() -> Doubles:
    return np.full(4, np.nan)


@dataclass(slots=True, eq=False)
class LiveTrack:
    """One appearance of a track, alive or over.

    number: 0 until it is confirmed. first_seen, first_sides, last_seen, sides: first and last detection. detections:
    in this appearance. velocity: (2,), of the centre, pixels a second. previous_seen, previous_sides: the detection
    before the last, NaN for none. overlap: the least IoU of a face with the box that was predicted for it, since the
    last view; 1 for none. embedded: time of the last embedding, -inf for none. doubt: (d,) the vector of a face
    that was too unlike the views, (0,) for none; doubt_seen: when; sure_seen, sure_sides: the detection before it.
    path: until it is confirmed, time and sides of each look since the first one, NaN where it was missed.
    """

    number: int
    first_seen: float
    first_sides: Doubles
    last_seen: float
    sides: Doubles
    detections: int = 1
    velocity: Doubles = field(default_factory=lambda: np.zeros(2))
    previous_seen: float = math.nan
    previous_sides: Doubles = field(default_factory=_unknown_box)
    overlap: float = 1.0
    embedded: float = -math.inf
    doubt_seen: float = math.nan
    sure_seen: float = math.nan
    sure_sides: Doubles = field(default_factory=_unknown_box)
    doubt: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    views: Views = field(default_factory=Views.none)
    path: list[tuple[float, Doubles]] = field(default_factory=list)

    @staticmethod
    def begin(time: float, sides: Doubles) -> "LiveTrack":
        """A track that is seen for the first time."""
        return LiveTrack(0, time, sides.copy(), time, sides.copy(), path=[(time, sides.copy())])

    @property
    def confirmed(self) -> bool:
        """Whether it has a number."""
        return self.number > 0

    @property
    def jumped(self) -> bool:
        """Whether it was given a face since its last view that was hardly where it was expected."""
        return self.overlap < JUMPED

    @property
    def missed(self) -> bool:
        """Whether it has no number yet and the last look did not find it."""
        return bool(self.path) and bool(np.isnan(self.path[-1][1][0]))

    def predicted(self, time: float) -> Doubles:
        """The sides of its box at a time: moved on at its speed, for half a second at most."""
        return self.sides + np.tile(self.velocity, 2) * min(max(0.0, time - self.last_seen), FARTHEST)

    def see(self, time: float, sides: Doubles) -> None:
        """It continues with a face at these sides."""
        passed = time - self.last_seen
        self.overlap = min(self.overlap, float(iou(self.predicted(time)[None], sides[None])[0, 0]))
        if passed > 0:
            moved = ((sides - self.sides)[:2] + (sides - self.sides)[2:]) / 2
            share = 1.0 - math.exp(-passed / SMOOTHING)
            self.velocity = self.velocity + share * (moved / passed - self.velocity)
        self.previous_seen, self.previous_sides = self.last_seen, self.sides
        self.last_seen, self.sides = time, sides.copy()
        self.detections += 1
        self._note(time, self.sides)

    def miss(self, time: float) -> None:
        """None of the faces at this time is its own."""
        self._note(time, _unknown_box())

    def _note(self, time: float, sides: Doubles) -> None:
        if self.confirmed:
            self.path.clear()
        else:
            self.path.append((time, sides))

    def wants_view(self, time: float, quality: float, every: float, most: int) -> bool:
        """Whether the face it has now should be embedded.

        The time between two embeddings is `every` in the first second and grows from then on in proportion to it. A
        track with few views takes any face; one with all of them a clearly better one than its worst after twice as
        long, or any face after six times as long; one in doubt, or whose box jumped, takes the next.
        """
        if len(self.doubt) or self.jumped:
            return True
        wait = min(SLOWEST, every * (1.0 + max(0.0, time - self.first_seen - YOUNG) / SLOWER_AFTER))
        since = time - self.embedded
        if since < 0.75 * wait:  # rather a little early than one detection late
            return False
        if len(self.views) < most:
            return (
                len(self.views) < 3 or quality >= 0.3 * float(self.views.qualities.max()) or since >= 4 * wait
            )
        better = quality > CLEARLY_BETTER * float(self.views.qualities.min())
        return since >= (WAITS_FULL if better else WAITS_FULL_ANY) * wait

    def add_view(self, time: float, quality: float, vector: Floats, most: int) -> None:
        """The face it has now is surely its own, and becomes a view."""
        self.doubt, self.overlap = np.zeros(0, np.float32), 1.0
        self.views = self.views.with_view(time, quality, vector, most)

    def doubt_it(self, time: float, vector: Floats) -> None:
        """The face it has now may be another person's."""
        if not len(self.doubt):
            self.doubt_seen = time
            self.sure_seen, self.sure_sides = self.previous_seen, self.previous_sides
        self.doubt = vector

    def part(self, time: float, quality: float, vector: Floats, most: int) -> "LiveTrack":
        """The track that began unnoticed, with the face this one has now; this one ends before it.

        It began at the doubt, where there was one, else with this face.
        """
        if len(self.doubt):
            new = LiveTrack.begin(self.doubt_seen, self.previous_sides)
            new.previous_seen, new.previous_sides = self.previous_seen, self.previous_sides
            new.last_seen, new.sides, new.detections = self.last_seen, self.sides, 2
            new.path.append((new.last_seen, new.sides))
            self.last_seen, self.sides = self.sure_seen, self.sure_sides
        else:
            new = LiveTrack.begin(self.last_seen, self.sides)
            self.last_seen, self.sides = self.previous_seen, self.previous_sides
            self.detections -= 1
        new.embedded = time
        new.add_view(time, quality, vector, most)
        self.velocity, self.overlap = np.zeros(2), 1.0
        self.doubt = np.zeros(0, np.float32)
        return new
