"""Who was there and when, from events."""

import csv
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import UsageError
from multiface.video.events.intervals import Interval, intervals_of, write_intervals
from multiface.video.results import Event, EventKind

BOX = (0.0, 0.0, 1.0, 1.0)


def event(
    time: float,
    kind: EventKind,
    track: int,
    name: str | None = None,
    stranger: int | None = None,
    since: float | None = None,
) -> Event:
    return Event(time, kind, track, name, None, BOX, stranger=stranger, since=since)


def test_the_time_before_the_name_counts_to_it() -> None:
    events = [
        event(1, "appeared", 1),
        event(2, "recognised", 1, "Anna"),
        event(2.5, "appeared", 2),
        event(6, "left", 1, "Anna", since=1),
        event(7, "left", 2, since=2.5),
    ]
    assert intervals_of(events) == (Interval("Anna", None, 1, 1, 6), Interval(None, None, 2, 2.5, 7))


def test_a_change_ends_an_interval() -> None:
    events = [
        event(0, "appeared", 1),
        event(1, "recognised", 1, "Anna"),
        event(3, "changed", 1, "Berta"),
        event(4, "changed", 1, None),
        event(5, "recognised", 1, "Carla"),
        event(9, "left", 1, "Carla", since=0),
    ]
    assert intervals_of(events) == (
        Interval("Anna", None, 1, 0, 3),
        Interval("Berta", None, 1, 3, 4),
        Interval("Carla", None, 1, 4, 9),
    )


def test_a_track_that_returns_has_an_interval_for_each_time() -> None:
    events = [
        event(0, "appeared", 1),
        event(1, "recognised", 1, "Anna"),
        event(2, "left", 1, "Anna", since=0),
        event(8, "appeared", 1, "Anna"),
        event(8, "recognised", 1, "Anna"),
        event(9, "left", 1, "Anna", since=8),
    ]
    assert intervals_of(events) == (Interval("Anna", None, 1, 0, 2), Interval("Anna", None, 1, 8, 9))


def test_strangers_keep_their_number_until_they_have_a_name() -> None:
    events = [
        event(0, "appeared", 1),
        event(1, "recognised", 1, stranger=7),
        event(2, "left", 1, stranger=7, since=0),
        event(3, "appeared", 2, stranger=7),
        event(4, "recognised", 2, "Anna"),
        event(5, "left", 2, "Anna", since=3),
    ]
    assert intervals_of(events) == (Interval(None, 7, 1, 0, 2), Interval("Anna", None, 2, 3, 5))


def test_a_run_that_was_stopped_and_one_taken_up_again() -> None:
    stopped = [event(0, "appeared", 1), event(4, "recognised", 1, "Anna")]
    assert intervals_of(stopped) == (Interval("Anna", None, 1, 0, 4),)
    assert intervals_of([event(9, "left", 1, "Anna", since=2)]) == (Interval("Anna", None, 1, 2, 9),)
    assert intervals_of([]) == ()


@given(st.data())
def test_intervals_of_a_track_tile_its_time(data: st.DataObject) -> None:
    """Whatever names come and go: without gaps, without overlap, the last name last."""
    times = sorted(data.draw(st.lists(st.integers(0, 1000), min_size=2, max_size=12, unique=True)))
    names = data.draw(
        st.lists(st.sampled_from(["A", "B", None]), min_size=len(times) - 2, max_size=len(times) - 2)
    )
    events, name = [event(times[0], "appeared", 1)], None
    for time, new in zip(times[1:-1], names, strict=True):
        events.append(event(time, "recognised" if name is None else "changed", 1, new))
        name = new
    events.append(event(times[-1], "left", 1, name, since=times[0]))
    found = intervals_of(events)
    assert found[0].begin == times[0] and found[-1].end == times[-1] and found[-1].person == name
    assert all(a.end == b.begin for a, b in itertools.pairwise(found))
    assert {one.person for one in found} >= set(names) - {None}


HOSTILE = (
    Interval('Anna "the, one"\n=1+1', None, 1, 0.1 + 0.2, 5),
    Interval(None, 3, 2, 1, 2.5),
    Interval(None, None, 3, 2, 2),
)


def test_json(tmp_path: Path) -> None:
    write_intervals(tmp_path / "i.json", HOSTILE)
    assert json.loads((tmp_path / "i.json").read_text("utf-8"))["intervals"] == [
        {"person": HOSTILE[0].person, "stranger": None, "track": 1, "from": 0.3, "to": 5, "seconds": 4.7},
        {"person": None, "stranger": 3, "track": 2, "from": 1, "to": 2.5, "seconds": 1.5},
        {"person": None, "stranger": None, "track": 3, "from": 2, "to": 2, "seconds": 0},
    ]


def test_csv(tmp_path: Path) -> None:
    write_intervals(tmp_path / "i.CSV", HOSTILE)
    with (tmp_path / "i.CSV").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["person", "stranger", "track", "from", "to", "seconds"]
    assert rows[1:] == [
        ['Anna "the, one"\\n=1+1', "", "1", "0.3", "5", "4.7"],
        ["", "3", "2", "1", "2.5", "1.5"],
        ["", "", "3", "2", "2", "0"],
    ]
    write_intervals(tmp_path / "none.csv", [])
    assert (tmp_path / "none.csv").read_bytes() == b"person,stranger,track,from,to,seconds\r\n"


def test_other_endings_and_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.json or \.csv"):
        write_intervals(tmp_path / "i.xlsx", HOSTILE)
    with pytest.raises(UsageError, match="cannot be written"):
        write_intervals(tmp_path / "no" / "i.csv", HOSTILE)
    assert list(tmp_path.iterdir()) == []
