"""`EventLedger`: no event is lost or told twice, and those of a run that ends early come in their order."""

import numpy as np
import pytest

from multiface.video.engine.event_ledger import EventLedger
from multiface.video.engine.queues import Closed
from multiface.video.results import Event, EventKind
from multiface.video.tracks.track import HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

BOX = (0.0, 0.0, 10.0, 10.0)


def event(time: float, kind: EventKind, track: int, name: str | None = None) -> Event:
    return Event(time, kind, track, name, None, (1.0, 1.0, 2.0, 2.0))


def step(time: float, *present: int) -> StepResult:
    marks = np.zeros((5, 2), np.float32)
    tracks = [
        SeenTrack(n, 0, BOX, marks, 0.9, 0.5, float(n), BOX, Views.none(), True, None, np.zeros(4))
        for n in present
    ]
    return StepResult(time, tuple(tracks), (), (), (), (), False)


def test_what_was_not_handed_out_comes_first_and_then_all_leave_by_number() -> None:
    ledger = EventLedger()
    first = (event(7.0, "appeared", 7), event(8.0, "appeared", 3), event(8.0, "appeared", 5))
    second = (event(9.0, "recognised", 3, "Ada"), event(9.0, "left", 5))
    ledger.decided(first, step(8.0, 7, 3, 5))
    ledger.decided(second, step(9.5, 7, 3))
    ledger.handed_out(2)
    *told, a, b = ledger.rest()
    assert told == [first[2], *second]
    assert [(one.event, one.track, one.name, one.time, one.since, one.box) for one in (a, b)] == [
        ("left", 3, "Ada", 9.5, 3.0, BOX),
        ("left", 7, None, 9.5, 7.0, BOX),
    ]
    assert ledger.rest() == ()


def test_a_hidden_track_leaves_where_it_was_last_seen() -> None:
    ledger = EventLedger()
    ledger.decided((event(1.0, "appeared", 1),), step(1.0, 1))
    hidden = HiddenTrack(1, (5.0, 5.0, 6.0, 6.0), 1.0, 1.2, Views.none())
    ledger.decided((), StepResult(2.0, (), (hidden,), (), (), (), False))
    ledger.handed_out(1)
    (left,) = ledger.rest()
    assert (left.event, left.time, left.since, left.box) == ("left", 1.2, 1.0, (5.0, 5.0, 6.0, 6.0))


def test_a_thread_that_was_left_to_itself_decides_nothing_more() -> None:
    ledger = EventLedger()
    ledger.abandon()
    assert ledger.abandoned
    with pytest.raises(Closed):
        ledger.decided((event(1.0, "appeared", 1),))
    assert ledger.rest() == ()
