"""`Tracker`: follows faces over the frames of one source and keeps a few views of each.

Pure computing: no threads, no files; a network is called only through the `embed` that is handed in. The same frames
give the same answers, also when the state was saved and taken up in between.

A step: the frame's faces continue tracks (`association`), the others begin new ones; some are embedded
(`LiveTrack.wants_view`); tracks that have two detections, or that are recognised as lost ones (`returning`), are
confirmed and have a number from then on. A number is never given twice. A new track that may be a lost one waits
with its number for a third view or 0.6 s. Tracks unseen for a while, and all of them at a cut, end and are remembered.

A track that has gone over to another person unnoticed is parted in two (`doubt`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from multiface.arrays import Floats, Indices
from multiface.faces.face import Faces, Image
from multiface.images.box import Box
from multiface.video.tracks.association import associate
from multiface.video.tracks.identity_check import Verdict, judge
from multiface.video.tracks.live_track import LiveTrack
from multiface.video.tracks.quality import alignable, qualities
from multiface.video.tracks.returning import returns
from multiface.video.tracks.similarity_limits import SimilarityLimits
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult, TrackSettings, box_of
from multiface.video.tracks.tracker_state import TrackerState, from_bytes, to_bytes

Embed = Callable[[Floats], Floats]
"""(n, 5, 2) landmarks of faces of the current picture -> unit vectors, float32 (n, d)."""

WAIT_FOR_A_NUMBER = 0.6
VIEWS_FOR_A_NUMBER = 3


class Tracker:
    """Follows faces over the frames of one source, whose times never fall."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._limits = SimilarityLimits(settings.calibration)
        self._time = -math.inf
        self._size: tuple[int, int] | None = None
        self._next_number = 1
        self._alive: list[LiveTrack] = []
        self._lost: list[LiveTrack] = []
        self._held: list[LiveTrack] = []  # those that had a face in the last step

    def step(self, time: float, faces: Faces, image: Image, embed: Embed, cut: bool) -> StepResult:
        """Take in a frame with a detection.

        time: seconds in the source; one before the last step's counts as that one's. faces: all that were found.
        Those that cannot be aligned are passed over. image: (h, w, 3) uint8 RGB. embed: called at most twice, while
        the step lasts. cut: whether a new scene began since the last step; another size of the picture is one too.
        What `embed` raises is passed on; the tracker must not be used after that.
        """
        time = max(time, self._time)
        size = (image.shape[0], image.shape[1])
        cut = cut or (self._size is not None and self._size != size)
        self._time, self._size = time, size
        changes = _Changes()
        self._end([track for track in self._alive if cut or self._overdue(track, time)], cut, changes)
        detection = _Detection(faces, image, embed)
        held = self._continue(time, detection)
        self._embed(time, detection, held)
        new = [track for track, _ in held if not track.confirmed and len(track.views)]
        self._number(new, self._absent(), True, changes)
        self._held = [track for track, _ in held]
        return self._result(detection, held, changes, cut)

    def predict(self, time: float) -> tuple[tuple[int, Box], ...]:
        """Number and box, by number, of the tracks seen in the last step, moved on to a time after it."""
        seen = [track for track in self._held if track.confirmed]
        return tuple(sorted((track.number, box_of(track.predicted(time))) for track in seen))

    def finish(self, time: float) -> StepResult:
        """The source is over: all appearances end, those seen but once too."""
        self._time = max(time, self._time)
        changes = _Changes()
        self._end(list(self._alive), True, changes)
        self._held = []
        return self._result(None, [], changes, False)

    def state(self) -> bytes:
        """All that it knows, for `from_state`. It holds vectors: keep it as private as a gallery."""
        return to_bytes(TrackerState(self._time, self._next_number, self._size, self._alive, self._lost))

    @staticmethod
    def from_state(state: bytes, settings: TrackSettings) -> "Tracker":
        """A tracker that goes on exactly where the other one was. Raises InputError for other bytes."""
        known = from_bytes(state)
        tracker = Tracker(settings)
        tracker._time, tracker._size = known.time, known.size
        tracker._next_number = known.next_number
        tracker._alive, tracker._lost = known.alive, known.lost
        tracker._held = [track for track in known.alive if track.last_seen == known.time]
        return tracker

    def _overdue(self, track: LiveTrack, time: float) -> bool:
        return time - track.last_seen > self._settings.lost_after + 1e-6

    def _continue(self, time: float, detection: "_Detection") -> list[tuple[LiveTrack, int]]:
        """Give faces to tracks, and new tracks to the faces that are left: tracks that have a face, and which."""
        tracks = self._alive
        faces = associate(
            np.stack([track.predicted(time) for track in tracks]) if tracks else np.zeros((0, 4)),
            np.array([time - track.last_seen for track in tracks]),
            [track.missed for track in tracks],
            [track.views for track in tracks],
            detection.boxes,
            detection.qualities,
            detection.vectors_of,
            self._limits,
        )
        held = []
        for track, position in zip(tracks, faces.tolist(), strict=True):
            if position >= 0:
                track.see(time, detection.boxes[position])
                held.append((track, position))
            else:
                track.miss(time)
        for position in np.setdiff1d(np.arange(len(detection.boxes)), faces).tolist():
            track = LiveTrack.begin(time, detection.boxes[position])
            self._alive.append(track)
            held.append((track, position))
        return held

    def _embed(self, time: float, detection: "_Detection", held: list[tuple[LiveTrack, int]]) -> None:
        """Embed the faces that are worth it, and add views."""
        settings = self._settings
        wanted = [
            (track, position)
            for track, position in held
            if track.wants_view(time, detection.quality(position), settings.embed_every, settings.views)
        ]
        vectors = detection.vectors_of(np.array([position for _, position in wanted], np.intp))
        for (track, position), vector in zip(wanted, vectors, strict=True):
            track.embedded = time
            match judge(track, detection.quality(position), vector, self._limits):
                case Verdict.OURS:
                    track.add_view(time, detection.quality(position), vector, settings.views)
                    detection.viewed.add(position)
                case Verdict.DOUBTFUL:
                    track.doubt_it(time, vector)
                case Verdict.ANOTHER:
                    new = track.part(time, detection.quality(position), vector, settings.views)
                    self._alive.append(new)
                    held[held.index((track, position))] = (new, position)
                    detection.viewed.add(position)
                case Verdict.USELESS:
                    pass

    def _number(self, new: list[LiveTrack], lost: list[LiveTrack], wait: bool, changes: "_Changes") -> None:
        """Give these tracks, which have a view or more, the numbers of lost ones that they are, or new ones.

        wait: leave those that need one more detection or more views without a number.
        """
        found = returns(new, lost, self._limits)
        for position, k in found.pairs:
            self._take_up(new[position], lost[k], changes)
        for position, track in enumerate(new):
            young = len(track.views) < VIEWS_FOR_A_NUMBER and (
                self._time - track.first_seen < WAIT_FOR_A_NUMBER
            )
            if track.confirmed or (wait and (track.detections < 2 or (young and position in found.perhaps))):
                continue
            track.number = self._next_number
            self._next_number += 1
            changes.appeared.append(track.number)

    def _take_up(self, track: LiveTrack, old: LiveTrack, changes: "_Changes") -> None:
        """A new track is an old one.

        The appearance goes on where the old one was only out of sight, and where it began and ended in this step.
        """
        track.number = old.number
        views = old.views
        for time, quality, vector in zip(
            track.views.times.tolist(), track.views.qualities.tolist(), track.views.vectors, strict=True
        ):
            views = views.with_view(time, quality, vector, self._settings.views)
        track.views = views
        untold = track.number in changes.appeared
        if old in self._alive or untold:
            track.first_seen, track.first_sides = old.first_seen, old.first_sides
        else:
            changes.appeared.append(track.number)
            changes.returned.append(track.number)
        if untold:
            changes.ended = [end for end in changes.ended if end.number != track.number]
        if old in self._alive:
            self._alive.remove(old)
        else:
            self._lost.remove(old)

    def _end(self, tracks: list[LiveTrack], all_count: bool, changes: "_Changes") -> None:
        """End these appearances. all_count: those with one detection are worth a number too."""
        unnumbered = [
            track
            for track in tracks
            if not track.confirmed and len(track.views) and (all_count or track.detections > 1)
        ]
        self._number(unnumbered, self._absent(), False, changes)
        for track in tracks:
            if track not in self._alive:
                continue
            self._alive.remove(track)
            if track.confirmed:
                changes.ended.append(
                    EndedTrack(
                        track.number,
                        box_of(track.sides),
                        track.first_seen,
                        box_of(track.first_sides),
                        track.last_seen,
                        track.views,
                    )
                )
                track.path.clear()
                self._lost.append(track)
        remembered = self._settings.remembered
        self._lost = [
            track for track in self._lost if remembered is None or self._time - track.last_seen <= remembered
        ][-self._settings.most_remembered :]

    def _absent(self) -> list[LiveTrack]:
        """Confirmed tracks that could come back: lost ones, and those that are alive."""
        return self._lost + [track for track in self._alive if track.confirmed]

    def _result(
        self,
        detection: "_Detection | None",
        held: list[tuple[LiveTrack, int]],
        changes: "_Changes",
        cut: bool,
    ) -> StepResult:
        seen = sorted(((t, p) for t, p in held if t.confirmed), key=lambda one: one[0].number)
        # Not by their times: two frames can have the same.
        numbers = {track.number for track, _ in seen}
        hidden = sorted(
            (t for t in self._alive if t.confirmed and t.number not in numbers), key=lambda one: one.number
        )
        return StepResult(
            time=self._time,
            seen=tuple(detection.seen(track, position) for track, position in seen)
            if detection is not None
            else (),
            hidden=tuple(
                HiddenTrack(t.number, box_of(t.sides), t.first_seen, t.last_seen, t.views) for t in hidden
            ),
            appeared=tuple(sorted(changes.appeared)),
            returned=tuple(sorted(changes.returned)),
            ended=tuple(sorted(changes.ended, key=lambda one: one.number)),
            cut=cut,
        )


@dataclass(slots=True, eq=False)
class _Changes:
    """What a step did to numbers."""

    appeared: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    ended: list[EndedTrack] = field(default_factory=list)


class _Detection:
    """The faces of one picture that can be aligned: positions 0..m - 1 here, `index` in the detector's faces."""

    def __init__(self, faces: Faces, image: Image, embed: Embed) -> None:
        self.index = np.flatnonzero(alignable(faces.landmarks))
        self._faces = faces.take(self.index)
        self.qualities = qualities(self._faces, image)
        self._embed = embed
        self._vectors: dict[int, Floats] = {}
        self.boxes = self._faces.boxes.astype(np.float64)
        self.viewed: set[int] = set()
        """Positions of faces that became views."""

    def quality(self, position: int) -> float:
        return float(self.qualities[position])

    def vectors_of(self, positions: Indices) -> Floats:
        """Vectors (k, d) of the faces at these positions; each face is embedded once."""
        new = [position for position in positions.tolist() if position not in self._vectors]
        if new:
            vectors = self._embed(self._faces.landmarks[new])
            self._vectors.update(zip(new, vectors, strict=True))
        if not len(positions):
            return np.zeros((0, 0), np.float32)
        return np.stack([self._vectors[position] for position in positions.tolist()])

    def seen(self, track: LiveTrack, position: int) -> SeenTrack:
        previous = (track.previous_seen, box_of(track.previous_sides))
        return SeenTrack(
            number=track.number,
            face=int(self.index[position]),
            box=box_of(track.sides),
            landmarks=self._faces.landmarks[position],
            score=float(self._faces.scores[position]),
            quality=self.quality(position),
            first_seen=track.first_seen,
            first_box=box_of(track.first_sides),
            views=track.views,
            new_view=position in self.viewed,
            previous=None if math.isnan(track.previous_seen) else previous,
            velocity=np.tile(track.velocity, 2),
            path=tuple((when, None if np.isnan(sides[0]) else box_of(sides)) for when, sides in track.path),
        )
