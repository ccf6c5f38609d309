"""A crash is 70 and never an answer, Ctrl-C is 130 from the first import on: real processes, no space, no memory."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiface.cli.internal_error import KEPT, keep, was_interrupted

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /dev/full, RLIMIT_AS and signals of Linux"
)
FULL = Path("/dev/full")


def ended(
    environment: dict[str, str],
    tmp_path: Path,
    *arguments: str | Path,
    memory: int | None = None,
    **more: Any,
) -> tuple[int, str, str]:
    """Exit code, standard output, standard error. memory: MiB of address space."""

    def limit() -> None:
        import resource

        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))

    done = subprocess.run(
        [sys.executable, "-m", "multiface", *map(str, arguments)],
        env=environment,
        cwd=tmp_path,
        preexec_fn=limit,
        timeout=120,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more,
    )
    return done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode()


def tracebacks(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / ".local" / "state" / "multiface" / "errors").glob("*"))


@pytest.mark.parametrize(
    ("command", "form"),
    [
        ("verify", []),
        ("verify", ["--json"]),
        ("doctor", ["--json"]),
        ("weights list", []),
        ("--version", []),
        ("--help", []),
    ],
)
def test_a_full_disk_at_output_is_70(
    command: str, form: list[str], environment: dict[str, str], portrait: Path, tmp_path: Path
) -> None:
    pictures = [portrait, portrait] if command == "verify" else []
    with FULL.open("w") as full:
        code, _, err = ended(environment, tmp_path, *command.split(), *pictures, *form, stdout=full)
    assert code == 70
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    (file,) = tracebacks(tmp_path)
    assert str(file) in line and "No space left" in line
    assert "Traceback" in file.read_text() and "Traceback" not in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_debug_shows_the_traceback(environment: dict[str, str], tmp_path: Path) -> None:
    for arguments in (["--debug", "weights", "list"], ["weights", "list", "--debug"]):
        with FULL.open("w") as full:
            code, _, err = ended(environment, tmp_path, *arguments, stdout=full)
        assert code == 70 and "Traceback" in err
    assert tracebacks(tmp_path) == []


def test_where_nothing_can_be_said_the_code_stays(
    environment: dict[str, str], portrait: Path, tmp_path: Path
) -> None:
    """Both outputs full, and a home that is a file."""
    (tmp_path / "home").write_text("")
    with FULL.open("w") as full:
        code, *_ = ended(environment, tmp_path, "verify", portrait, portrait, stdout=full, stderr=full)
    assert code == 70


def test_no_handle_left_is_70_though_a_file_is_named(
    environment: dict[str, str], store: Path, tmp_path: Path
) -> None:
    """The system names the folder that it could not open; the folder is not at fault. All is imported by then."""
    code = """
import contextlib, os, resource
import multiface.__main__
with contextlib.suppress(SystemExit):
    multiface.__main__.run()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
with contextlib.suppress(OSError):
    while True:
        os.open(os.devnull, os.O_RDONLY)
multiface.__main__.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "weights", "list"], env=environment, cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 70, done.stderr.decode()
    told = f"error: internal: OSError: [Errno 24] Too many open files: '{store}'"
    assert done.stderr.decode().startswith(told)


def test_an_error_of_no_file_is_70(environment: dict[str, str], tmp_path: Path) -> None:
    """An output that is open for reading only."""
    with Path(os.devnull).open("rb") as unwritable:
        code, _, err = ended(environment, tmp_path, "weights", "list", stdout=unwritable)
    assert code == 70 and "Bad file descriptor" in err and "None" not in err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_nobody_foresaw_but_tells_of_a_file_is_3(
    form: list[str], environment: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    environment = environment | {"MULTIFACE_STORE": str(tmp_path / "file" / "store")}
    weights = shared / "data" / "weights"
    code, out, err = ended(environment, tmp_path, "weights", "pull", "yunet_n", "--from", weights, *form)
    told = f"{tmp_path / 'file' / 'store'}: Not a directory"
    assert code == 3 and f"error: {told}" in err.splitlines() and tracebacks(tmp_path) == []
    assert not form or json.loads(out)["error"] == {"kind": "NotADirectoryError", "message": told}


@pytest.mark.parametrize("memory", [48, 100, 200, 270, 400])
def test_no_memory_is_70_and_not_different(
    memory: int, environment: dict[str, str], portrait: Path, tmp_path: Path
) -> None:
    """The same picture twice; 100 MiB let OpenBLAS end the process by itself, with exit code 1."""
    code, out, err = ended(
        environment, tmp_path, "verify", portrait, portrait, "--threads", "1", "--json", memory=memory
    )
    assert code in (0, 70), err
    assert json.loads(out)["same"] is True if code == 0 else "Traceback" not in err
    if code == 70 and out:
        assert json.loads(out)["error"]["message"]


@pytest.mark.parametrize("deep", ["a = " + "[" * 20_000, "a." * 3_000 + "b = 1", "a = " + "{b=" * 20_000])
def test_deep_settings_are_refused(
    deep: str, environment: dict[str, str], portrait: Path, tmp_path: Path
) -> None:
    (tmp_path / "multiface.toml").write_text(deep)
    code, out, err = ended(environment, tmp_path, "verify", portrait, portrait)
    assert (code, out) == (2, "") and "multiface.toml" in err and "Traceback" not in err


def test_control_c_inside_an_exec_is_130(environment: dict[str, str], tmp_path: Path) -> None:
    """Python remembers it, and would end the process by the signal whatever exit code it is given."""
    program = """
import signal
import multiface.__main__
import multiface.cli.main

multiface.cli.main.run = lambda: exec("signal.raise_signal(signal.SIGINT)")
multiface.__main__.run()
"""
    (tmp_path / "program.py").write_text(program)
    ended = subprocess.run(
        [sys.executable, "-m", "program"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (ended.returncode, ended.stdout) == (130, b""), ended.stderr


MOMENTS = ["tomllib", "typer", "multiface.errors", "numpy", "PIL", "onnxruntime.capi", "multiface.faces"]


@pytest.mark.parametrize("module", MOMENTS)
def test_control_c_while_importing_is_130(
    module: str, environment: dict[str, str], portrait: Path, tmp_path: Path
) -> None:
    """Python tells of each module when it is there; the signal comes right after the first of a package."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "multiface", "verify", str(portrait), str(portrait)],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip().startswith(module):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == "" and "Traceback" not in err and "error:" not in err


SWALLOWED = """
import gc, signal, sys, weakref
from multiface import __main__

class Thing: ...

def command():
    thing = Thing()
    # Python prints what a callback raises, and goes on.
    callback = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    import time
    time.sleep(20)

import multiface.cli.main
multiface.cli.main.run = command
__main__.run()
"""


def test_control_c_that_python_swallows_comes_again(environment: dict[str, str], tmp_path: Path) -> None:
    """Seen once: it came in a callback of the import system, and `verify` went on to its answer."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 130 and time.monotonic() - begun < 15, done.stderr
    assert "Traceback" not in done.stderr


def test_control_c_that_is_ignored_stays_ignored(environment: dict[str, str], tmp_path: Path) -> None:
    """As under `nohup`, and of the jobs that a shell script starts in the background."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "multiface", "--version"],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"typer" in line:
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("same", [True, False])
def test_a_reader_that_goes_away_hears_no_other_answer(
    same: bool, call: Callable[..., Any], environment: dict[str, str], people: Path, tmp_path: Path
) -> None:
    """`verify A B | true` under `pipefail`."""
    pictures = people / "ada" / "ada1.jpg", people / ("ada/ada2.jpg" if same else "bob/bob1.jpg")
    assert call("verify", *pictures).code == (0 if same else 1)
    for form in ([], ["--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        code, *_ = ended(environment, tmp_path, "verify", *pictures, *form, stdout=writing)
        os.close(writing)
        assert code == (0 if same else 1)


def test_an_interruption_is_known_under_what_libraries_make_of_it() -> None:
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("numpy") from error
    except ImportError as error:
        assert was_interrupted(error)
    assert not was_interrupted(ImportError("numpy"))


def test_old_tracebacks_go(tmp_path: Path) -> None:
    files = [keep(str(k), tmp_path) for k in range(KEPT + 5)]
    kept = set(tmp_path.iterdir())
    assert len(kept) == KEPT and kept <= set(files)
