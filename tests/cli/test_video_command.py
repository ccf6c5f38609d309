"""`video` as a user runs it: on the real clip with sound, stopped and taken up again, and on bad input."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from multiface.images import save_picture
from multiface.video.file_source import open_file

MIRANDA = "lin_manuel_miranda"


@pytest.fixture(scope="session")
def clip(shared: Path) -> Path:
    """275 frames of 640x360 with sound; its picture begins at 0.852 s of the container's clock."""
    return shared / "data" / "video" / "short_hamilton_clip.mp4"


@pytest.fixture(scope="session")
def cast(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one who sings and two who sit in the audience."""
    folder = tmp_path_factory.mktemp("cast") / "people"
    for name in (MIRANDA, "obama", "alex_lacamoire"):
        shutil.copytree(shared / "data" / "photos" / "people" / name, folder / name)
    return folder


def times(path: Path) -> list[Any]:
    """Presentation times of all pictures, in seconds."""
    with av.open(str(path)) as opened:
        return sorted(
            packet.pts * packet.time_base for packet in opened.demux(video=0) if packet.pts is not None
        )


def test_a_clip_gets_events_a_copy_intervals_and_a_page(
    call: Any, clip: Path, cast: Path, tmp_path: Path
) -> None:
    done = call(
        "video", "-f", clip, "-s", "out.mp4", "--people", cast, "--detector", "scrfd_2.5g", "--events", "out.jsonl",
        "--intervals", "out.csv", "--summary", "out.html", "--score", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {event["name"] for event in events} == {None, MIRANDA}
    assert {event["event"] for event in events} >= {"appeared", "recognised", "left"}
    assert all(
        {"time", "event", "track", "name", "similarity", "box"} <= event.keys() and 0 <= event["time"] < 9.2
        for event in events
    )
    assert times(tmp_path / "out.mp4") == times(clip)
    with av.open(str(tmp_path / "out.mp4")) as copy, av.open(str(clip)) as source:
        assert [s.codec_context.name for s in copy.streams] == [s.codec_context.name for s in source.streams]
        sounds = [[bytes(p) for p in opened.demux(audio=0) if p.size] for opened in (copy, source)]
        assert sounds[0] == sounds[1]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sung = sum(float(row["seconds"]) for row in rows if row["person"] == MIRANDA)
    assert 4.4 < sung < 5.2
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert MIRANDA in page
    assert "data:image/jpeg" in page
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="needs signals as POSIX has them")
def test_a_run_that_was_killed_goes_on_and_ends_like_one_that_was_not(
    environment: dict[str, str], call: Any, clip: Path, cast: Path, tmp_path: Path
) -> None:
    def arguments(name: str) -> tuple[Any, ...]:
        return (
            "video",
            "-f",
            clip,
            "-s",
            f"{name}.mkv",
            "--events",
            f"{name}.jsonl",
            "--people",
            cast,
            "--every",
            "25",
        )

    assert call(*arguments("whole")).code == 0
    slow = [sys.executable, "-m", "multiface", *map(str, arguments("halves")), "--max-fps", "100"]
    with subprocess.Popen(
        slow, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while not (tmp_path / "halves.mkv.part" / "000001.json").exists():
            assert process.poll() is None, process.stderr
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "halves.mkv").exists()
    done = call(*arguments("halves"))
    assert done.code == 0
    assert "going on after 250 frames" in done.err
    assert (tmp_path / "halves.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    assert times(tmp_path / "halves.mkv") == times(tmp_path / "whole.mkv")


def test_a_part_of_a_clip_and_a_folder_of_frames(call: Any, clip: Path, people: Path, tmp_path: Path) -> None:
    done = call("video", "-f", clip, "-b", "3", "-d", "0.5", "--people", people, "-s", "part.mp4", "--json")
    assert done.code == 0, done.err
    assert len(times(tmp_path / "part.mp4")) == 15
    assert all(3 <= json.loads(line)["time"] <= 3.5 for line in done.out.splitlines())
    (tmp_path / "frames").mkdir()
    for frame in open_file(clip, begin=3, duration=0.2).frames():
        save_picture(frame.image, tmp_path / "frames" / f"{frame.number}.png")
    count = len(list((tmp_path / "frames").iterdir()))
    assert call("video", "-f", "frames", "--people", people, "-s", "frames.mp4").code == 0
    assert len(times(tmp_path / "frames.mp4")) == count


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-f", "missing.mp4"), 3, "missing.mp4"),
        (("-f", "text.mp4"), 3, "text.mp4"),
        (("-f", "cut.mp4"), 3, "cut.mp4"),
        (("-f", "rtsp://user:secret@127.0.0.1:9/x"), 3, "127.0.0.1"),
        (("-f", "CLIP", "--begin", "3600"), 3, "part asked for"),
        (("-f", "CLIP", "-s", "out.avi"), 2, ".mp4"),
        (("-f", "CLIP", "-s", "no-folder/out.mp4"), 2, "no-folder"),
        (("-f", "CLIP", "--intervals", "out.txt"), 2, ".csv"),
        (("-f", "CLIP", "--max-faces", "0"), 2, "max_faces"),
        (("-f", "CLIP", "--strangers"), 2, "gallery"),
        (("-f", "CLIP", "--events", "a", "--intervals", "a"), 2, "one name"),
    ],
)
def test_bad_input_is_told(
    arguments: tuple[str, ...], code: int, words: str, call: Any, clip: Path, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    given = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    done = call("video", *given, "--people", people)
    assert done.code == code, done
    assert words in done.err
    assert "secret" not in done.err + done.out


def test_strangers_keep_their_number_over_runs_and_get_a_name(call: Any, clip: Path, gallery: Path) -> None:
    arguments = ("video", "-f", clip, "-b", "3", "-d", "3", "--gallery", gallery, "--strangers", "--json")
    numbers = []
    for _ in range(2):
        done = call(*arguments)
        assert done.code == 0, done.err
        numbers.append(
            {event["stranger"] for event in map(json.loads, done.out.splitlines()) if "stranger" in event}
        )
    assert numbers[0] == numbers[1] != set()
    for number in numbers[0]:
        assert (
            call("people", "name-stranger", str(number), f"Singer {number}", "--gallery", gallery).code == 0
        )
    done = call(*arguments)
    names = {event["name"] for event in map(json.loads, done.out.splitlines())} - {None}
    assert names == {f"Singer {number}" for number in numbers[0]}
