"""The entry point: quick, and every end of a command has its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface import errors
from multiface.cli.main import exit_code
from multiface.faces.opening import MIN_FACE
from multiface.recognition.recognizer import DETECTOR, WEIGHTS
from multiface.version import __version__

HEAVY = {"numpy", "onnxruntime", "onnx", "PIL", "torch", "httpx"}


def modules_after(arguments: str, environment: dict[str, str]) -> set[str]:
    """Top-level modules that a command has loaded when it ends."""
    script = (
        f"import sys; sys.argv = ['multiface', *{arguments.split()!r}]\n"
        "from multiface.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print('\\n' + ' '.join({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", ["--help", "identify --help", "people --help", "--version", "nonsense"])
def test_help_loads_nothing_heavy(arguments: str, environment: dict[str, str]) -> None:
    loaded = modules_after(arguments, environment)
    assert loaded & HEAVY == set()
    # A third of the time of `--help`, for nothing; typer's own messages on wrong use still load them.
    assert arguments == "nonsense" or loaded & {"markdown_it", "pygments"} == set()


def test_modules_are_seen(environment: dict[str, str]) -> None:
    """The check above can fail: a command that works does load them."""
    assert {"numpy", "PIL"} <= modules_after("detect missing.jpg", environment)


def test_help_takes_under_half_a_second(run: Callable[..., Any]) -> None:
    """The best of several runs, in processor time: what the command needs, not what else the machine does."""
    best = float("inf")
    for _ in range(3):
        before = os.times()
        assert run("--help").code == 0
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        best = min(best, used)
    assert 0 < best < 0.5


def test_help_has_panels_and_takes_nothing_for_markup(run: Callable[..., Any]) -> None:
    text = run("identify", "--help", env={"COLUMNS": "100"}).out
    assert re.findall("─ ([A-Z][a-z]+) ─", text) == ["Arguments", "Options"]
    assert "[required]" in text and max(map(len, text.splitlines())) == 100
    assert "Commands" in re.findall("─ ([A-Z][a-z]+) ─", run("people", "--help").out)
    assert run().out.strip() == run("--help").out.strip()


def test_help_names_every_command(run: Callable[..., Any]) -> None:
    text = run("--help", env={"COLUMNS": "200"}).out
    commands = "demo identify verify detect align embed facebank enroll people evaluate calibrate"
    for command in f"{commands} prepare weights doctor".split():
        assert f" {command} " in text, command


def test_version(run: Callable[..., Any]) -> None:
    assert run("--version").out == f"multiface {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["identify"], ["verify", "a.jpg"], ["detect", "--nonsense", "a.jpg"]]
)
def test_wrong_use_is_2(arguments: list[str], call: Callable[..., Any]) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert done.out == "" and done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "--json"], "Missing argument"),
        (["detect", "--json", "--nonsense", "a.jpg"], "No such option: --nonsense"),
        (["detect", "a.jpg", "--threads", "two", "--json"], "integer"),
        (["nonsense", "--json"], "No such command 'nonsense'"),
        (["people", "show", "--json"], "Missing argument"),
    ],
)
def test_wrong_use_is_one_document_with_json(
    arguments: list[str], words: str, call: Callable[..., Any]
) -> None:
    done = call(*arguments)
    assert done.code == 2
    error = done.document()["error"]
    assert error["kind"] == "UsageError" and words in error["message"]
    assert error["message"] in done.err


def test_a_file_named_json_is_no_option(call: Callable[..., Any]) -> None:
    done = call("detect", "--", "--json")
    assert (done.code, done.out) == (3, "")
    done = call("verify", "--", "--json")
    assert (done.code, done.out) == (2, "") and "Missing argument" in done.err


@pytest.mark.parametrize("command", ["identify", "embed", "prepare photos"])
def test_help_names_the_defaults_of_the_library(command: str, run: Callable[..., Any]) -> None:
    text = " ".join(run(*command.split(), "--help", env={"COLUMNS": "250"}).out.split())
    defaults = {"--detector": f"{DETECTOR} (default)", "--min-face": f"(default: {MIN_FACE:g})"}
    if command != "prepare photos":
        defaults["--weights"] = f"(default: {WEIGHTS})"
    for option, words in defaults.items():
        assert words in text.split(option)[1].split("--")[0], option


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.UndecodablePicture, 3),
        (errors.FingerprintMismatch, 3),
        (errors.RateNotSupported, 3),
        (errors.WeightsMissing, 4),
        (errors.EngineMissing, 4),
        (errors.DownloadFailed, 4),
        (errors.MultifaceError, 2),
    ],
)
def test_exit_codes_of_errors(error: type[errors.MultifaceError], code: int) -> None:
    assert exit_code(error("...")) == code


def test_an_error_is_one_document_with_json(call: Callable[..., Any]) -> None:
    done = call("verify", "missing.jpg", "other.jpg", "--weights", "nonsense", "--json")
    assert done.code == 4
    assert done.document()["error"]["kind"] == "WeightsMissing"
    assert done.document()["error"]["message"] in done.err


def test_errors_go_to_stderr_without_json(call: Callable[..., Any]) -> None:
    done = call("detect", "missing.jpg")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: missing.jpg: ")


def test_what_the_system_refuses_is_no_traceback(
    call: Callable[..., Any], portrait: Path, tmp_path: Path
) -> None:
    """A store in a place that cannot be: not foreseen by any command, and still a sentence."""
    (tmp_path / "file").touch()
    done = call(
        "weights",
        "pull",
        "yunet_n",
        "--from",
        portrait.parent,
        env={"MULTIFACE_STORE": str(tmp_path / "file" / "x")},
    )
    assert done.code in (3, 4)
    assert done.err.count("error:") == 1


def test_file_names_that_are_no_text(run: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9-\xff.jpg"
    path = os.fsdecode(odd)
    Path(path).write_bytes(portrait.read_bytes())
    done = run("detect", path, "--json")
    assert done.code == 0
    assert done.document()["pictures"][0]["path"] == path
    assert run("detect", path).code == 0
    assert run("embed", path, "--out", "v.jsonl").code == 0
    assert json.loads((tmp_path / "v.jsonl").read_text())["path"] == path


def test_json_is_utf_8_whatever_the_locale(run: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    path = tmp_path / "Zoë 王.jpg"
    path.write_bytes(portrait.read_bytes())
    done = run("detect", path, "--json", env={"PYTHONIOENCODING": "ascii"})
    assert done.document()["pictures"][0]["path"] == str(path)


@pytest.mark.skipif(os.name == "nt", reason="needs pipes as POSIX has them")
@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(
    json_option: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "multiface", "weights", "list", *json_option]
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, timeout=60
        )
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert b"BrokenPipe" not in done.stderr
    if not json_option:
        assert done.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="needs signals as POSIX has them")
def test_control_c_is_130(start: Callable[..., Any], groups: Path, tmp_path: Path) -> None:
    process = start("detect", groups, "--out", "out")
    while not list(tmp_path.glob("out/*.png")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in words
    assert [path for path in (tmp_path / "out").iterdir() if path.suffix != ".png"] == []


def test_no_color_codes_in_pipes(run: Callable[..., Any], portrait: Path) -> None:
    done = run("detect", portrait, "missing.jpg")
    assert "\x1b" not in done.out + done.err


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_help_whose_reader_goes_away_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    """`multiface camera --help | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "multiface", "camera", "--help"],
            env=environment,
            cwd=tmp_path,
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, b"")
