"""One odd file in a folder is reported, the others are worked on, and the command ends with exit code 3 and a count."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from multiface.cli.prepare_commands import prepare
from multiface.datasets.bin_pack import write_bin
from multiface.datasets.identities import identities_from_records
from multiface.datasets.recordio import Record, RecordWriter
from tests.datasets.literal_records import pictures, write_training_set

Call = Callable[..., Any]


@pytest.fixture
def odd(people: Path, tmp_path: Path) -> Path:
    """A folder of people with a broken picture, an empty one, a text named like one, a note and a pipe."""
    folder = tmp_path / "odd"
    shutil.copytree(people, folder)
    whole = next((folder / "ada").iterdir()).read_bytes()
    (folder / "ada" / "cut.jpg").write_bytes(whole[: len(whole) // 50])
    (folder / "ada" / "empty.jpe").touch()
    (folder / "bob" / "text.jfif").write_text("not a picture")
    (folder / "bob" / "notes.txt").write_text("not a picture")
    os.mkfifo(folder / "bob" / "pipe.jpg")
    return folder


def test_identify(call: Call, odd: Path, people: Path) -> None:
    done = call("identify", odd, odd, "--people", people, "--json", "--no-quiet")
    assert done.code == 3
    pictures = done.document()["pictures"]
    assert len(pictures) == 10 and sum("error" in one for one in pictures) == 3
    assert all(one["faces"] for one in pictures if "error" not in one)
    assert "3 of 10 pictures could not be used" in done.err
    assert f"{odd}: given twice, counted once" in done.err
    assert "passed over 2 files" in done.err


def test_facebank(call: Call, odd: Path, tmp_path: Path) -> None:
    for again in (False, True):
        done = call("facebank", odd, "--gallery", tmp_path / "g.sqlite", "--json")
        assert done.code == 3
        assert done.document()["added"] == (0 if again else 7)
        assert len(done.document()["refused"]) == 3 and "3 pictures refused" in done.err


def test_prepare_photos(call: Call, odd: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = call("prepare", "photos", odd, "--out", tmp_path / "out", "--json")
        assert done.code == 3
        assert done.document()["photos"] == 10 and "3 photos cannot be read" in done.err


def test_video_of_a_folder(call: Call, odd: Path, people: Path) -> None:
    done = call("video", "-f", odd, "--people", people)
    assert done.code == 3
    assert "3 of 10 pictures could not be read" in done.err
    assert "appeared" in done.out or "recognised" in done.out


def test_prepare_rec_leaves_out_records_that_are_no_picture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with RecordWriter(tmp_path / "in" / "train.rec", tmp_path / "in" / "train.idx") as writer:
        for key, content in list(pictures().items())[:12]:
            writer.write(key, Record(float(key % 3), key, 0, b"no picture" if key == 4 else content))
    done = CliRunner().invoke(prepare, ["rec", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3, done.output
    assert "11 pictures (11 written" in done.stdout and "1 record left out" in done.stderr
    assert len([one for one in (tmp_path / "out" / "imgs").rglob("*") if one.is_file()]) == 11


def test_prepare_rec_of_a_folder_leaves_out_what_cannot_be_a_crop(portrait: Path, tmp_path: Path) -> None:
    source = write_training_set(tmp_path / "source")
    first = CliRunner().invoke(prepare, ["rec", str(source), "--out", str(tmp_path)])
    assert first.exit_code == 0
    person = sorted((tmp_path / "imgs").iterdir())[0]
    picture = next(person.iterdir())
    (person / "deep").mkdir()
    picture.rename(person / "deep" / picture.name)
    (person / "z.jpg").write_bytes(b"\xff\xd8\xff broken")
    (person / "z.jpe").touch()
    shutil.copy(portrait, person / "zz.jpg")
    done = CliRunner().invoke(prepare, ["rec", str(tmp_path / "imgs"), "--out", str(tmp_path / "back")])
    assert done.exit_code == 3, done.output
    assert "3 pictures left out" in done.stderr and "zz.jpg: is " in done.stderr
    assert len(identities_from_records(tmp_path / "back")) == 40


def test_prepare_bin_goes_on_after_a_broken_pack(tmp_path: Path) -> None:
    whole = tmp_path / "whole.bin"
    write_bin(whole, list(pictures().values())[:4], [True, False])
    (tmp_path / "broken.bin").write_bytes(b"no pack")
    done = CliRunner().invoke(
        prepare, ["bin", str(tmp_path / "broken.bin"), str(whole), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 3, done.output
    assert "1 of 2 packs could not be used" in done.stderr
    assert (tmp_path / "out" / "whole" / "pairs.json").exists()
