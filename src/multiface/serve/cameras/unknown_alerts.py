"""Events "unknown": a person whom nobody enrolled is before the camera, told once for each appearance.

A track is told when it has been decided and nameless for two seconds, or when it leaves so before that.
"""

from collections.abc import Iterable, Iterator

from multiface.video.results import Event, FrameResult, SeenFace

SURE_AFTER = 2.0
"""Seconds: a name is often given a moment after the first decision."""

Told = tuple[str, Event]
"""An event, and the kind as which it is told."""


class UnknownAlerts:
    """The tracks of one run."""

    def __init__(self) -> None:
        self._nameless: dict[int, float] = {}
        self._told: set[int] = set()

    def among(self, result: FrameResult) -> Iterator[Told]:
        """The events of a frame, with the alerts where they belong."""
        yield from self.with_ends(result.events)
        for face in result.faces:
            if face.decision is None or face.track in self._told:
                continue
            if face.name is not None:
                self._nameless.pop(face.track, None)
            elif result.frame.time - self._nameless.setdefault(face.track, result.frame.time) >= SURE_AFTER:
                self._told.add(face.track)
                yield "unknown", _seen(face, result.frame.time)

    def with_ends(self, events: Iterable[Event]) -> Iterator[Told]:
        """Events; in front of each "left" of a nameless track that was not told stands its alert."""
        for event in events:
            if event.event == "left":
                if event.name is None and event.track in self._nameless and event.track not in self._told:
                    yield "unknown", event
                self._told.discard(event.track)
                self._nameless.pop(event.track, None)
            yield event.event, event


def _seen(face: SeenFace, time: float) -> Event:
    best = None if face.decision is None else face.decision.best
    threshold = None if face.decision is None else face.decision.threshold
    return Event(
        time=time,
        event="recognised",
        track=face.track,
        name=None,
        similarity=None if best is None else best.similarity,
        box=face.box,
        threshold=None if threshold is None else threshold.similarity,
        stranger=face.stranger,
    )
