"""Events as lines: each at once, whole, readable by any JSON reader, also after a writer was killed."""

import io
import json
import os
import stat
from pathlib import Path

import pytest

from multiface.errors import UsageError
from multiface.video.events.event_lines import EventLines, written_lines
from multiface.video.results import Event

SEEN = Event(1.25, "recognised", 3, "Zoë \u2028 小明", 0.7, (1, 2, 3, 4), ("Bob", 0.1), 0.5)
HOSTILE = Event(2.0, "appeared", 4, 'a"\n\udcff', None, (0, 0, 1, 1))


def test_a_line_an_event_at_once() -> None:
    class Flushed(io.BytesIO):
        there = b""

        def flush(self) -> None:
            self.there = self.getvalue()

    stream = Flushed()
    lines = EventLines(stream, "stream")
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


@pytest.mark.skipif(os.name == "nt", reason="needs modes and pipes as POSIX has them")
def test_a_line_that_comes_after_later_ones_says_so() -> None:
    stream = io.BytesIO()
    lines = EventLines(stream, "stream")
    for event in (SEEN, HOSTILE, SEEN):
        lines.write(event)
    told = [json.loads(line).get("late") for line in stream.getvalue().splitlines()]
    assert told == [None, None, 0.75]


def test_a_file_is_written_anew_and_a_pipe_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for event in (SEEN, HOSTILE):
        with written_lines(path) as lines:
            lines.write(event)
    assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["appeared"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with written_lines(pipe) as lines:
        lines.write(SEEN)
        assert json.loads(os.read(reader, 65536))["event"] == "recognised"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_and_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no/events"), written_lines(tmp_path / "no" / "events"):
        pass
    with pytest.raises(UsageError, match="No space left"), written_lines(Path("/dev/full")) as lines:
        lines.write(SEEN)


def test_two_runs_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with written_lines(path) as first:
        first.write(SEEN)
        with pytest.raises(UsageError, match="another process"), written_lines(path):
            pass
        first.write(SEEN)
    assert path.read_text("utf-8").count("\n") == 2, "what the first one wrote is still there"
    with written_lines(path):
        pass
    assert path.read_text() == ""
