"""Who was there and when: intervals of people, from the events of tracks.

A track is in the picture from "appeared" to "left". The time before it is given a name counts to that name, since a
track is one person; where the name changes later, the interval ends and the next one begins, as it was announced.
Times are seconds in the source.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiface.atomic_write import write_whole
from multiface.errors import UsageError
from multiface.images.path_text import path_text
from multiface.video.results import Event
from multiface.visible import table_cell, visible_json

_COLUMNS = ("person", "stranger", "track", "from", "to", "seconds")


@dataclass(frozen=True, slots=True)
class Interval:
    """A person in the picture from `begin` to `end`, in seconds.

    person: None for unknown. stranger: the number of an unknown, where strangers are kept.
    """

    person: str | None
    stranger: int | None
    track: int
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin

    def document(self) -> dict[str, Any]:
        """The interval as it stands in JSON and CSV."""
        return {
            "person": self.person,
            "stranger": self.stranger,
            "track": self.track,
            "from": round(self.begin, 6),
            "to": round(self.end, 6),
            "seconds": round(self.seconds, 6),
        }


def intervals_of(events: Iterable[Event]) -> tuple[Interval, ...]:
    """The intervals by their begin, and at one time by track.

    events: of one run, in the order in which they were handed out; those of one track follow its time. A track that
    never left (the run was stopped) ends with its last event. A track that left and came back has an interval for
    each of its times.
    """
    done: list[Interval] = []
    open_ones: dict[int, Interval] = {}
    for event in events:
        now = open_ones.get(event.track)
        if now is None:
            begin = event.time if event.since is None else event.since
            now = Interval(event.name, event.stranger, event.track, begin, event.time)
        if now.person is not None and event.name != now.person:
            done.append(Interval(now.person, None, now.track, now.begin, event.time))
            now = Interval(event.name, event.stranger, now.track, event.time, event.time)
        stranger = None if event.name is not None else event.stranger or now.stranger
        now = Interval(event.name, stranger, now.track, now.begin, max(now.end, event.time))
        open_ones[event.track] = now
        if event.event == "left":
            done.append(open_ones.pop(event.track))
    return tuple(sorted((*done, *open_ones.values()), key=lambda one: (one.begin, one.track, one.end)))


def write_intervals(path: Path, intervals: Iterable[Interval]) -> None:
    """Write intervals as JSON or CSV, by the ending of the name; the file is there whole or not at all.

    JSON: `{"intervals": [{"person", "stranger", "track", "from", "to", "seconds"}]}`. CSV (RFC 4180, UTF-8): the same
    as columns, empty for unknown; names are cells that no spreadsheet takes for a formula (`table_cell`).
    Raises UsageError for another ending and where the file cannot be written.
    """
    documents = [one.document() for one in intervals]
    match path.suffix.lower():
        case ".json":
            text = visible_json(json.dumps({"intervals": documents}, ensure_ascii=False, indent=1)) + "\n"
        case ".csv":
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, _COLUMNS)
            writer.writeheader()
            writer.writerows(
                one | {"person": one["person"] and table_cell(one["person"])} for one in documents
            )
            text = table.getvalue()
        case _:
            raise UsageError(f"{path_text(path)}: intervals are written as .json or .csv", path=path)
    try:
        write_whole(path, text.encode(), private=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path_text(path)}: cannot be written ({error})", path=path) from error
