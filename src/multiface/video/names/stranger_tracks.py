"""Which tracks have the number of a stranger, and what is learnt from them.

A track that turns out to be a stranger is given a number at once, and keeps it. What it shows is learnt when it ends,
from its best picture and all its views. One that gets a name after all gives its number back, and nothing is learnt.
"""

from collections.abc import Collection, Container, Mapping

from multiface.decision import Decision, Reason
from multiface.gallery.clock import utc_now
from multiface.video.names.appearances import Known
from multiface.video.names.co_presence import CoPresence
from multiface.video.names.stranger_numbers import StrangerNumbers
from multiface.video.results import BestView
from multiface.video.tracks.pooling import pooled
from multiface.video.tracks.quality import LEAST_QUALITY
from multiface.video.tracks.track import HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

STRANGE = (Reason.BELOW_THRESHOLD, Reason.NOBODY_ENROLLED)
"""Reasons for having no name with which somebody is a stranger; with others he may be one of those enrolled."""


class StrangerTracks:
    """Asks for numbers. least_views: a track with fewer gets one only when it ends. learnt: of a run to resume."""

    def __init__(self, strangers: StrangerNumbers, least_views: int, learnt: Collection[int] = ()) -> None:
        self._strangers = strangers
        self._least = least_views
        self._learnt = set(learnt)

    @property
    def learnt(self) -> frozenset[int]:
        """The tracks that ended once and were learnt from; if they return, they are not counted again."""
        return frozenset(self._learnt)

    def step(
        self,
        step: StepResult,
        decisions: Mapping[int, Decision],
        known: Mapping[int, Known],
        best: Mapping[int, BestView],
        co_presence: CoPresence,
        learn: bool,
    ) -> dict[int, int | None]:
        """What a step changes: numbers that are given, and None for those that are given back, by track.

        decisions: of all tracks so far. known: before this step. best: the best views. co_presence: with this step.
        learn: whether the tracks that end are over; False where another run goes on with them.
        """
        alive: tuple[SeenTrack | HiddenTrack, ...] = (*step.seen, *step.hidden)
        now: list[tuple[int, Views, bool]] = [(t.number, t.views, False) for t in alive]
        now += [(t.number, t.views, True) for t in step.ended]
        given = {number: one.stranger for number, one in known.items() if one.stranger is not None}
        before = dict(given)
        for number, _, _ in now:
            if number in given and number in decisions and decisions[number].name is not None:
                self._strangers.forget(given.pop(number), number in self._learnt)
                self._learnt.discard(number)
        for number, views, ended in now:
            enough = len(views) >= self._least or (ended and learn and len(views) > 0)
            strange = number in decisions and decisions[number].reason in STRANGE
            if not (enough and strange and number in best and best[number].quality >= LEAST_QUALITY):
                continue
            if number in given and not (ended and learn):
                continue
            (vector, spread), view = pooled(views), best[number]
            if number not in given:
                others = {other for other, _, _ in now} | co_presence.of(number)
                taken = {given[other] for other in others if other in given}
                given[number] = self._strangers.number_of(
                    vector, spread, view.quality, view.crop, utc_now(), taken
                )
            if ended and learn:
                again = number in self._learnt
                self._strangers.learn(
                    given[number], vector, spread, view.quality, view.crop, utc_now(), again
                )
                self._learnt.add(number)
        return {n: given.get(n) for n in before.keys() | given.keys() if given.get(n) != before.get(n)}

    def keep(self, numbers: Container[int]) -> None:
        """Forget all tracks but these."""
        self._learnt = {number for number in self._learnt if number in numbers}
