"""`video` as a user runs it: on a drawn clip with sound, stopped and taken up again, and on bad input."""

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
from multiface.video.sources.file_source import open_file
from tests.drawn_clip import ALONE, SECONDS
from tests.drawn_faces import save_people


@pytest.fixture(scope="session")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one who is alone, one of the others, and one who is not there."""
    return save_people(tmp_path_factory.mktemp("cast") / "people", {"cleo": 2, "bob": 2, "ada": 1})


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
        "video", "-f", clip, "-s", "out.mp4", "--people", cast, "--events", "out.jsonl",
        "--intervals", "out.csv", "--summary", "out.html", "--score", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {event["name"] for event in events} == {None, "bob", "cleo"}
    assert {event["event"] for event in events} >= {"appeared", "recognised", "left"}
    assert all(
        {"time", "event", "track", "name", "similarity", "box"} <= event.keys()
        and 0 <= event["time"] < SECONDS
        for event in events
    )
    assert times(tmp_path / "out.mp4") == times(clip)
    with av.open(str(tmp_path / "out.mp4")) as copy, av.open(str(clip)) as source:
        assert [s.codec_context.name for s in copy.streams] == [s.codec_context.name for s in source.streams]
        sounds = [[bytes(p) for p in opened.demux(audio=0) if p.size] for opened in (copy, source)]
        assert sounds[0] == sounds[1]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    alone = sum(float(row["seconds"]) for row in rows if row["person"] == "cleo")
    assert alone == pytest.approx(ALONE[1] - ALONE[0], abs=0.4)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "cleo" in page
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
    assert "going on after 100 frames" in done.err
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
        (("-f", "CLIP", "--events", "text.mp4"), 2, "holds no events"),
        (("-f", "CLIP", "--summary", "text.mp4"), 2, "not a page"),
        (("-f", "CLIP", "--events", "x/../a.json", "--intervals", "a.json"), 2, "one name"),
        (("-f", "CLIP", "--summary", "/proc/x.html"), 2, "/proc"),
        (
            ("-f", "CLIP", "-s", "text.mp4", "--events", "g.sqlite-wal", "--gallery", "g.sqlite"),
            2,
            "g.sqlite-wal",
        ),
    ],
)
def test_bad_input_is_told(
    arguments: tuple[str, ...], code: int, words: str, call: Any, clip: Path, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    given = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    (tmp_path / "g.sqlite-wal").write_text("")
    (tmp_path / "x").mkdir()
    done = call("video", *given, *(() if "--gallery" in given else ("--people", people)))
    assert done.code == code, done
    assert words in done.err
    assert "secret" not in done.err + done.out


def test_strangers_keep_their_number_over_runs_and_get_a_name(call: Any, clip: Path, gallery: Path) -> None:
    arguments = ("video", "-f", clip, "-b", "1", "-d", "2", "--gallery", gallery, "--strangers", "--json")
    numbers = []
    for _ in range(2):
        done = call(*arguments)
        assert done.code == 0, done.err
        numbers.append(
            {event["stranger"] for event in map(json.loads, done.out.splitlines()) if "stranger" in event}
        )
    assert numbers[0] == numbers[1] != set()
    for number in numbers[0]:
        assert call("people", "name-stranger", str(number), f"Cleo {number}", "--gallery", gallery).code == 0
    done = call(*arguments)
    names = {event["name"] for event in map(json.loads, done.out.splitlines())} - {None}
    assert names == {f"Cleo {number}" for number in numbers[0]}


def test_strangers_are_not_kept_in_the_cache_of_a_folder(
    call: Any, clip: Path, people: Path, tmp_path: Path
) -> None:
    """Also when the folder stands in a variable."""
    done = call("video", "-f", clip, "-d", "0.2", "--strangers", env={"MULTIFACE_PEOPLE": str(people)})
    assert (done.code, "--strangers" in done.err) == (2, True)
    assert not list(tmp_path.glob("*.sqlite"))


@pytest.mark.skipif(os.name == "nt", reason="needs signals as POSIX has them")
def test_ctrl_c_without_a_copy_keeps_what_was_found(
    start: Any, first_line: Any, clip: Path, cast: Path, tmp_path: Path
) -> None:
    process = start(
        "video", "-f", clip, "--people", cast, "--max-fps", "20", "--intervals", "i.json", "--summary", "s.html",
        "--json",
    )  # fmt: skip
    first = first_line(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    events = [json.loads(one) for one in (first + out).splitlines()]
    begun, ended = ([e["track"] for e in events if e["event"] == kind] for kind in ("appeared", "left"))
    assert sorted(begun) == sorted(ended) != []
    assert max(event["time"] for event in events) < SECONDS - 1
    found = json.loads((tmp_path / "i.json").read_text())["intervals"]
    assert len(found) == len(begun)
    assert (tmp_path / "s.html").exists()


def test_nothing_is_written_among_the_photos_of_the_people(
    call: Any, clip: Path, cast: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    shutil.copytree(cast, folder)
    for option, name in (("--summary", "page.html"), ("--out", "x.mp4"), ("--events", "e.jsonl")):
        done = call("video", "-f", clip, "--people", folder, option, folder / "bob" / name)
        assert (done.code, "lies in" in done.err) == (2, True), done


def test_standard_input_gives_a_copy_with_its_sound(
    environment: dict[str, str], clip: Path, cast: Path, tmp_path: Path
) -> None:
    line = [
        sys.executable,
        "-m",
        "multiface",
        "video",
        "-f",
        "-",
        "-d",
        "0.5",
        "-s",
        "in.mp4",
        "--people",
        str(cast),
    ]
    with clip.open("rb") as file:
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, stdin=file, capture_output=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "in.mp4")) as copy:
        assert [stream.type for stream in copy.streams] == ["video", "audio"]


@pytest.mark.skipif(os.name == "nt", reason="files are locked otherwise there")
def test_a_second_start_does_not_touch_the_events_of_the_first(
    environment: dict[str, str], call: Any, clip: Path, cast: Path, tmp_path: Path
) -> None:
    line = [
        "video",
        "-f",
        str(clip),
        "--people",
        str(cast),
        "-s",
        "o.mp4",
        "--events",
        "e.jsonl",
        "--max-fps",
        "30",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "multiface", *line], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    ) as first:
        while not (tmp_path / "e.jsonl").exists() or not (tmp_path / "e.jsonl").stat().st_size:
            assert first.poll() is None
            time.sleep(0.01)
        told = (tmp_path / "e.jsonl").read_bytes()
        done = call(*line)
        assert (done.code, "another process" in done.err) == (2, True)
        assert (tmp_path / "e.jsonl").read_bytes().startswith(told)
        first.kill()
