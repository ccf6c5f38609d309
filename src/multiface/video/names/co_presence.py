"""Which tracks were there at the same time, and so are two people: the spans from first to last sight overlap.

A track counts with all its appearances, for as long as it is known, also after it has left: somebody who was beside
Ann is not Ann when she has gone. A track that is only out of sight is not there.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from multiface.video.tracks.track import EndedTrack, HiddenTrack, StepResult


@dataclass(frozen=True, slots=True)
class Presence:
    """A track's: when it was seen last, in seconds of the source, and the numbers of those that were there with it."""

    until: float
    beside: frozenset[int]


class CoPresence:
    """Takes in the steps of a tracker. presences: of a run to resume, by number."""

    def __init__(self, presences: Mapping[int, Presence] | None = None) -> None:
        known = presences or {}
        self._until = {number: presence.until for number, presence in known.items()}
        self._beside = {number: set(presence.beside) for number, presence in known.items()}

    @property
    def presences(self) -> dict[int, Presence]:
        """All that is known, by number."""
        return {n: Presence(until, frozenset(self._beside[n])) for n, until in self._until.items()}

    def of(self, number: int) -> frozenset[int]:
        """The tracks that were there at the same time as this one."""
        return frozenset(self._beside.get(number, ()))

    def step(self, step: StepResult) -> None:
        """Take in what a frame brought."""
        spans = [(track.number, track.first_seen, step.time) for track in step.seen]
        gone: tuple[HiddenTrack | EndedTrack, ...] = (*step.hidden, *step.ended)
        spans += [(track.number, track.first_seen, track.last_seen) for track in gone]
        here = {number for number, _, _ in spans}
        # A track is told of a little after its first sight, when one that it met may have left already.
        left = {number: until for number, until in self._until.items() if number not in here}
        for position, (number, first, last) in enumerate(spans):
            for other, since, until in spans[:position]:
                if max(first, since) <= min(last, until):
                    self._meet(number, other)
            if number in step.appeared:
                for other, until in left.items():
                    if first <= until:
                        self._meet(number, other)
        for number, _, last in spans:
            self._until[number] = max(last, self._until.get(number, last))
            self._beside.setdefault(number, set())

    def keep(self, numbers: Container[int]) -> None:
        """Forget all tracks but these."""
        gone = {number for number in self._until if number not in numbers}
        for number in gone:
            del self._until[number]
            for other in self._beside.pop(number) - gone:
                self._beside[other].discard(number)

    def _meet(self, one: int, other: int) -> None:
        if one != other:
            self._beside.setdefault(one, set()).add(other)
            self._beside.setdefault(other, set()).add(one)
