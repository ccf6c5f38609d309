"""Events as lines: each at once, whole, readable by any JSON reader, also after a writer was killed."""

import io
import json
import os
import stat
from pathlib import Path

import pytest

from multiface.errors import InputError
from multiface.video.event_lines import EventLines, appended_lines
from multiface.video.event_store import EventStore
from multiface.video.results import Event

SEEN = Event(1.25, "recognised", 3, "Zoë \u2028 小明", 0.7, (1, 2, 3, 4), ("Bob", 0.1), 0.5)
HOSTILE = Event(2.0, "appeared", 4, 'a"\n\udcff', None, (0, 0, 1, 1))


def test_a_line_an_event_at_once() -> None:
    class Flushed(io.BytesIO):
        there = b""

        def flush(self) -> None:
            self.there = self.getvalue()

    stream = Flushed()
    lines = EventLines(stream)
    lines.write(SEEN)
    first = stream.there
    lines.write(HOSTILE)
    assert stream.there.startswith(first) and stream.there.count(b"\n") == 2
    documents = [json.loads(line) for line in stream.there.decode("utf-8").split("\n")[:-1]]
    assert documents[0] == {
        "time": 1.25,
        "event": "recognised",
        "track": 3,
        "name": "Zoë \u2028 小明",
        "similarity": 0.7,
        "box": [1, 2, 3, 4],
        "runner_up": {"name": "Bob", "similarity": 0.1},
        "threshold": 0.5,
    }
    assert documents[1]["name"] == HOSTILE.name


def test_a_stored_event_has_its_number_in_front(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with EventStore(tmp_path / "e.db") as store:
        EventLines(stream).write(store.add("door", SEEN))
    document = json.loads(stream.getvalue())
    assert list(document)[:3] == ["number", "session", "stored"]
    assert (document["number"], document["session"]) == (1, "door")
    assert {k: document[k] for k in SEEN.document()} == json.loads(json.dumps(SEEN.document()))


@pytest.mark.parametrize("half", ["", '{"time": 1.2', "x" * 200_000])
def test_a_half_line_of_a_killed_writer_is_cut(tmp_path: Path, half: str) -> None:
    path = tmp_path / "events.jsonl"
    with appended_lines(path) as lines:
        lines.write(SEEN)
        lines.write(SEEN)
    with path.open("a") as file:
        file.write(half)
    with appended_lines(path) as lines:
        lines.write(HOSTILE)
    documents = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [one["event"] for one in documents] == ["recognised", "recognised", "appeared"]
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("{")
    with appended_lines(path):
        pass
    assert path.read_bytes() == b""


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no/events"), appended_lines(tmp_path / "no" / "events"):
        pass
