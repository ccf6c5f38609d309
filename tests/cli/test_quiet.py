"""`--quiet` on every command; `--json` alone prints the document, and of words only warnings and errors."""

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from multiface.cli.console import BAR_AFTER_SECONDS, Speaker
from multiface.cli.main import app
from multiface.images import load_picture, save_picture

Call = Callable[..., Any]


def every_command(command: Any, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command that runs, and its options."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        return
    for own, below in inner.items():
        yield from every_command(below, f"{name} {own}".strip())


@pytest.mark.parametrize(("name", "options"), list(every_command(typer.main.get_command(app))))
def test_every_command_can_be_quiet_and_speak_json(name: str, options: set[str]) -> None:
    assert {"--json", "--quiet", "-q", "--no-quiet"} <= options, name


UNCALIBRATED = ("--detector", "yunet", "--flip")
"""No calibration of the package is of this detector with flips, which answers say."""


@pytest.fixture
def twice(people: Path, tmp_path: Path) -> tuple[Path, ...]:
    """A picture given twice: a note."""
    path = tmp_path / "ada1.jpg"
    shutil.copy(people / "ada" / "ada1.jpg", path)
    return path, path


def test_quiet_keeps_the_answer_alone(call: Call, twice: tuple[Path, ...], people: Path) -> None:
    spoken = call("identify", *twice, "--people", people, "--out", "out", *UNCALIBRATED)
    quiet = call("identify", *twice, "--people", people, "--out", "out", "-q", *UNCALIBRATED)
    assert "given twice" in spoken.err and "annotated: out" in spoken.err
    # why the stated rate may be wrong
    caveat = next(line for line in spoken.err.splitlines(keepends=True) if line.startswith("thresholds for"))
    assert (quiet.code, quiet.out, quiet.err) == (spoken.code, spoken.out, caveat)
    assert "ada" in quiet.out


def test_json_prints_words_only_when_asked(call: Call, twice: tuple[Path, ...], people: Path) -> None:
    plain = call("identify", *twice, "--people", people, "--json", *UNCALIBRATED)
    asked = call("identify", *twice, "--people", people, "--json", "--no-quiet", *UNCALIBRATED)
    assert plain.err == f"{plain.document()['caveat']}\n" and plain.document() == asked.document()
    assert "given twice" in asked.err and "similarity" in asked.err


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_errors_and_warnings_stay(
    option: str, call: Call, broken: Path, portrait: Path, tmp_path: Path
) -> None:
    done = call("detect", portrait, broken, option)
    assert done.code == 3
    assert f"error: {broken}: " in done.err and "1 of 2 pictures could not be used" in done.err
    cut = tmp_path / "cut.jpg"
    save_picture(load_picture(portrait), cut)
    cut.write_bytes(cut.read_bytes()[:-2000])
    assert "is damaged" in call("detect", cut, option).err
    missing = call("detect", "missing.jpg", option)
    assert missing.code == 3 and missing.err.startswith("error: missing.jpg")


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
@pytest.mark.parametrize(
    ("settings", "shown"), [("False", True), ("False, True", False), ("True", False), ("True, False", True)]
)
def test_a_bar_with_the_time_left_only_when_not_quiet(settings: str, shown: bool) -> None:
    """On a real terminal, after two seconds."""
    script = (
        "from multiface.cli import console\n"
        f"speaker = console.Speaker({settings})\n"
        "import time\n"
        "with speaker.progress('pictures') as progress:\n"
        f"    progress(1, 4); time.sleep({BAR_AFTER_SECONDS + 0.1}); progress(2, 4)\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # the terminal is closed
        pass
    os.close(ours)
    assert process.wait(30) == 0
    words = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", said)
    assert (re.search(rb"pictures .* 2/4 +0:00:0\d left: 0:00:0\d", words) is not None) is shown, words


def test_each_passes_everything_on() -> None:
    assert list(Speaker(False).each("things", [3, 1, 2])) == [3, 1, 2]
