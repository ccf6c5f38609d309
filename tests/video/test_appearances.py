"""`Appearances` and `Names`: which events follow from steps and decisions, on steps written out by hand."""

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.decision import Candidate, Decision, Reason, Threshold
from multiface.video.names.appearances import MOST_CLOSED, Appearances
from multiface.video.results import Event
from multiface.video.tracks.track import EndedTrack, HiddenTrack, SeenTrack, StepResult
from multiface.video.tracks.views import Views

BOX = (0.0, 0.0, 10.0, 10.0)
ASKED = Threshold(0.4, 0.01, 3, None, False, "a set")


def seen(number: int, since: float = 0.0) -> SeenTrack:
    landmarks = np.zeros((5, 2), np.float32)
    return SeenTrack(number, 0, BOX, landmarks, 0.9, 0.5, since, BOX, Views.none(), True, None, np.zeros(4))


def ended(number: int, since: float, last: float) -> EndedTrack:
    return EndedTrack(number, BOX, since, BOX, last, Views.none())


def step(
    time: float,
    present: Iterable[SeenTrack] = (),
    *,
    hidden: Sequence[HiddenTrack] = (),
    appeared: Sequence[int] = (),
    returned: Sequence[int] = (),
    gone: Sequence[EndedTrack] = (),
) -> StepResult:
    return StepResult(
        time, tuple(present), tuple(hidden), tuple(appeared), tuple(returned), tuple(gone), False
    )


def named(name: str | None, similarity: float = 0.6) -> Decision:
    best = Candidate(name or "somebody", similarity)
    return Decision(name, Reason.KNOWN if name else Reason.BELOW_THRESHOLD, best, None, ASKED)


def lines(events: Sequence[Event]) -> list[tuple[str, int, str | None]]:
    return [(event.event, event.track, event.name) for event in events]


def test_the_life_of_a_track() -> None:
    tracks = Appearances()
    assert lines(tracks.step(step(0.2, [seen(1)], appeared=[1]), {}, {})) == [("appeared", 1, None)]
    assert tracks.step(step(0.4, [seen(1)]), {1: named(None)}, {}) == (), "unknown is no news"
    (event,) = tracks.step(step(0.6, [seen(1)]), {1: named("ann")}, {})
    assert (event.event, event.name, event.similarity, event.threshold) == ("recognised", "ann", 0.6, 0.4)
    assert event.time == 0.6 and event.previous is None
    assert tracks.step(step(0.8, [seen(1)]), {1: named("ann", 0.7)}, {}) == ()
    (event,) = tracks.step(step(1.0, [seen(1)]), {1: named("bob")}, {})
    assert (event.event, event.name, event.previous) == ("changed", "bob", "ann")
    (event,) = tracks.step(step(1.2, [seen(1)]), {1: named(None)}, {})
    assert (event.event, event.name, event.previous) == ("changed", None, "bob")
    (event,) = tracks.step(step(3.0, gone=[ended(1, 0.0, 1.2)]), {}, {})
    assert (event.event, event.time, event.since, event.name) == ("left", 1.2, 0.0, None)


def test_a_change_to_another_person_of_that_name_is_told() -> None:
    tracks = Appearances()
    first, second = (
        Decision("ann", Reason.KNOWN, Candidate("ann", 0.6, person), None, ASKED) for person in ("p_1", "p_2")
    )
    events = tracks.step(step(0.2, [seen(1)], appeared=[1]), {1: first}, {})
    assert (events[-1].event, events[-1].person) == ("recognised", "p_1")
    (event,) = tracks.step(step(0.4, [seen(1)]), {1: second}, {})
    assert (event.event, event.name, event.previous, event.person) == ("changed", "ann", "ann", "p_2")
    assert event.document()["person"] == "p_2"


def test_a_track_that_returns_has_its_name() -> None:
    tracks = Appearances()
    tracks.step(step(0.2, [seen(1)], appeared=[1]), {1: named("ann")}, {})
    tracks.step(step(2.0, gone=[ended(1, 0.0, 0.8)]), {}, {})
    events = tracks.step(step(5.0, [seen(1, 4.8)], appeared=[1], returned=[1]), {}, {})
    assert lines(events) == [("appeared", 1, "ann"), ("recognised", 1, "ann")]
    assert events[0].time == 4.8
    tracks.step(step(7.0, gone=[ended(1, 4.8, 5.5)]), {}, {})
    events = tracks.step(step(9.0, [seen(1, 8.8)], appeared=[1], returned=[1]), {1: named("bob")}, {})
    assert lines(events) == [("appeared", 1, "ann"), ("changed", 1, "bob")]


def test_ending_and_returning_in_one_step_and_the_other_way_round() -> None:
    tracks = Appearances()
    tracks.step(step(0.2, [seen(1)], appeared=[1]), {1: named("ann")}, {})
    cut = step(0.4, [seen(1, 0.4)], appeared=[1], returned=[1], gone=[ended(1, 0.0, 0.2)])
    assert [event.event for event in tracks.step(cut, {}, {})] == ["left", "appeared", "recognised"]
    brief = step(0.6, [seen(1, 0.4)], appeared=[2], gone=[ended(2, 0.5, 0.5)])
    events = tracks.step(brief, {2: named("bob")}, {})
    assert lines(events) == [("appeared", 2, None), ("recognised", 2, "bob"), ("left", 2, "bob")]


def test_a_name_is_free_before_it_is_given_away() -> None:
    tracks = Appearances()
    tracks.step(step(0.2, [seen(1), seen(2)], appeared=[1, 2]), {2: named("ann")}, {})
    events = tracks.step(step(0.4, [seen(1), seen(2)]), {1: named("ann"), 2: named(None)}, {})
    assert lines(events) == [("changed", 2, None), ("recognised", 1, "ann")]


def test_strangers_numbers() -> None:
    tracks = Appearances()
    tracks.step(step(0.2, [seen(1)], appeared=[1]), {}, {})
    (event,) = tracks.step(step(0.4, [seen(1)]), {1: named(None)}, {1: 7})
    assert (event.event, event.name, event.stranger) == ("recognised", None, 7)
    assert tracks.faces(step(0.4, [seen(1)]))[0].stranger == 7
    (event,) = tracks.step(step(0.6, [seen(1)]), {1: named("ann")}, {})
    assert (event.event, event.name, event.stranger) == ("recognised", "ann", None)
    assert tracks.faces(step(0.6, [seen(1)]))[0].stranger is None


def test_the_order_of_one_step() -> None:
    """Who ends, who begins, whose name is taken away, who is given it: in file order none of them stands so."""
    tracks = Appearances()
    tracks.step(step(0.0, [seen(3), seen(1)], appeared=[3, 1]), {3: named("ann"), 1: named("bob")}, {})
    moment = step(1.0, [seen(4), seen(3), seen(2)], appeared=[4, 2], gone=[ended(1, 0.0, 0.8)])
    events = tracks.step(moment, {4: named("ann"), 3: named("cat"), 2: named("bob")}, {})
    assert lines(events) == [
        ("left", 1, "bob"),
        ("appeared", 4, None),
        ("appeared", 2, None),
        ("changed", 3, "cat"),
        ("recognised", 4, "ann"),
        ("recognised", 2, "bob"),
    ]


def test_those_that_left_are_forgotten_in_the_end() -> None:
    tracks = Appearances()
    tracks.step(step(0.0, [seen(1)], appeared=[1]), {1: named("ann")}, {})
    for number in range(2, MOST_CLOSED + 50):
        brief = step(number, [seen(1)], appeared=[number], gone=[ended(number, number, number)])
        tracks.step(brief, {}, {})
    assert len(tracks.known) == MOST_CLOSED + 1
    assert 1 in tracks.known and 2 not in tracks.known


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(1, 4)), st.dictionaries(st.integers(1, 4), st.sampled_from([None, *"abcd"]))
        ),
        max_size=12,
    )
)
@settings(max_examples=200)
def test_appearances_open_and_close_and_no_name_is_given_twice(
    steps: list[tuple[set[int], dict[int, str | None]]],
) -> None:
    """Any tracks, any decisions that give a name to one track at a time."""
    tracks, there, ever = Appearances(), dict[int, float](), set[int]()
    opened, names = set[int](), dict[int, str | None]()
    for time, (alive, wanted) in enumerate([*steps, (set(), {})], 1):
        begun = alive - there.keys()
        gone = [ended(number, there.pop(number), time - 1.0) for number in sorted(there.keys() - alive)]
        there |= dict.fromkeys(begun, float(time))
        decisions, given_names = {}, set()
        for number in sorted(alive):
            name = wanted.get(number)
            decisions[number] = named(None if name in given_names else name)
            given_names.add(name)
        present = [seen(number, there[number]) for number in sorted(alive)]
        returned = sorted(begun & ever)
        ever |= begun
        moment = step(time, present, appeared=sorted(begun), returned=returned, gone=gone)
        for event in tracks.step(moment, decisions, {}):
            if event.event == "appeared":
                assert event.track not in opened
                opened.add(event.track)
            assert event.track in opened
            if event.event == "left":
                opened.remove(event.track)
                assert names.get(event.track) == event.name
                continue
            if event.event == "changed":
                assert names[event.track] == event.previous != event.name
            names[event.track] = event.name
        now = [names[number] for number in alive if names.get(number) is not None]
        assert len(now) == len(set(now))
        assert opened == alive
        assert {n: k.name for n, k in tracks.known.items()} == names
