"""From the steps of the tracker and the decisions to events and to the faces of a frame.

An appearance is the time from a track's "appeared" to its "left". A track that was lost and returns begins another
one under its old number and with the name that it had; "recognised" tells that name again. A stranger who is given a
number is "recognised" too, without a name. Events of one step come in this order: tracks that end, tracks that
begin, names that change, names that are given; so a name is free before it is given to another track.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from multiface.arrays import Floats
from multiface.decision import Decision
from multiface.images.box import Box
from multiface.video.results import Event, EventKind, SeenFace
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult

MOST_CLOSED = 500
"""Tracks that are not there now and are still known at most; the ones that left first are forgotten first."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a track.

    decision: None before the first one. stranger: its number, where it is a stranger with one. since: when the present
    appearance began, None while the track is not there.
    """

    decision: Decision | None = None
    stranger: int | None = None
    since: float | None = None

    @property
    def name(self) -> str | None:
        """The name it has; None for unknown or undecided."""
        return None if self.decision is None else self.decision.name

    @property
    def person(self) -> str | None:
        """The id of that person; None for unknown or undecided."""
        return None if self.decision is None else self.decision.person


class Appearances:
    """All tracks by number, and what was announced of them."""

    def __init__(self, known: Mapping[int, Known] | None = None) -> None:
        self._known = dict(known or {})

    @property
    def known(self) -> dict[int, Known]:
        """What is known of each track; those that are not there in the order in which they left."""
        return dict(self._known)

    @property
    def decisions(self) -> dict[int, Decision]:
        """Of the tracks that have one."""
        return {n: known.decision for n, known in self._known.items() if known.decision is not None}

    def step(
        self, step: StepResult, decisions: Mapping[int, Decision], strangers: Mapping[int, int | None]
    ) -> tuple[Event, ...]:
        """Take in a step with the decisions and the strangers' numbers that it brought: what is to be announced.

        strangers: None for a track whose number is taken back, because it has a name.
        """
        present: tuple[SeenTrack | HiddenTrack, ...] = (*step.seen, *step.hidden)
        alive = {track.number: track for track in present}
        begins = {track.number: (track.first_seen, track.first_box) for track in step.ended}
        begins |= {track.number: (track.first_seen, track.first_box) for track in step.seen}
        begins |= {track.number: (track.first_seen, track.box) for track in step.hidden}
        # Of a number that ends and is alive too the earlier appearance ends, and a new one begins.
        earlier = [track for track in step.ended if self._there(track.number) or track.number in alive]
        events: list[Event] = []
        for ended in earlier:
            if ended.number not in alive:
                events += self._decide(ended.number, ended.last_seen, ended.box, decisions, strangers)
            events.append(self._left(ended))
        for number in step.appeared:
            events.append(self._appeared(number, *begins[number]))
        for ended in step.ended:
            if ended not in earlier:
                events += self._decide(ended.number, ended.last_seen, ended.box, decisions, strangers)
                events.append(self._left(ended))
        news = [
            event
            for number, track in alive.items()
            for event in self._decide(number, step.time, track.box, decisions, strangers)
        ]
        # A returned track has its name from before; that it is here again is told even where nothing changed.
        told = {event.track for event in news}
        news += [
            self._event("recognised", alive[number].first_seen, number, begins[number][1])
            for number in step.returned
            if number in alive and number not in told and self._is_somebody(number)
        ]
        self._forget()
        return (*events, *sorted(news, key=lambda event: event.event != "changed"))

    def faces(self, step: StepResult) -> tuple[SeenFace, ...]:
        """The faces of a frame with a detection."""
        return tuple(self._face(track.number, track.box, track.score, track.landmarks) for track in step.seen)

    def faces_between(
        self, boxes: Iterable[tuple[int, Box]], scores: Mapping[int, float]
    ) -> tuple[SeenFace, ...]:
        """The faces of a frame without a detection, with the scores of the nearest one."""
        return tuple(self._face(number, box, scores[number], None) for number, box in boxes)

    def _face(self, number: int, box: Box, score: float, landmarks: Floats | None) -> SeenFace:
        known = self._known.get(number, Known())
        stranger = known.stranger if known.name is None else None
        return SeenFace(number, box, landmarks is not None, landmarks, score, known.decision, stranger)

    def _there(self, number: int) -> bool:
        return number in self._known and self._known[number].since is not None

    def _is_somebody(self, number: int) -> bool:
        known = self._known[number]
        return known.name is not None or known.stranger is not None

    def _appeared(self, number: int, since: float, box: Box) -> Event:
        self._known[number] = replace(self._known.get(number, Known()), since=since)
        return self._event("appeared", since, number, box)

    def _left(self, ended: EndedTrack) -> Event:
        event = self._event("left", ended.last_seen, ended.number, ended.box)
        # Taken out and put in again, so that it stands behind those that left before.
        self._known[ended.number] = replace(self._known.pop(ended.number), since=None)
        return replace(event, since=ended.first_seen)

    def _decide(
        self,
        number: int,
        time: float,
        box: Box,
        decisions: Mapping[int, Decision],
        strangers: Mapping[int, int | None],
    ) -> list[Event]:
        """What a new decision changes for those who listen."""
        before = self._known[number]
        after = replace(
            before,
            decision=decisions.get(number, before.decision),
            stranger=strangers.get(number, before.stranger),
        )
        self._known[number] = after
        if before.name is not None and (before.person, before.name) != (after.person, after.name):
            return [replace(self._event("changed", time, number, box), previous=before.name)]
        if before.name != after.name or (after.name is None and before.stranger != after.stranger):
            return [self._event("recognised", time, number, box)]
        return []

    def _event(self, kind: EventKind, time: float, number: int, box: Box) -> Event:
        known = self._known[number]
        decision = known.decision
        best = None if decision is None else decision.best
        second = None if decision is None else decision.runner_up
        threshold = None if decision is None else decision.threshold
        return Event(
            time=time,
            event=kind,
            track=number,
            name=known.name,
            person=known.person,
            similarity=None if best is None else best.similarity,
            box=box,
            runner_up=None if second is None else (second.name, second.similarity),
            threshold=None if threshold is None else threshold.similarity,
            stranger=known.stranger if known.name is None else None,
        )

    def _forget(self) -> None:
        gone = [number for number, known in self._known.items() if known.since is None]
        for number in gone[:-MOST_CLOSED]:
            del self._known[number]
