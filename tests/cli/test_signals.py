"""SIGTERM and SIGHUP leave no private video in the temporary folder; under `nohup` SIGHUP does nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multiface.cli.stopping import signals_are_ctrl_c, stop_on_signals

pytest.importorskip("av", reason="needs PyAV (extra `video`)")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs signals as POSIX has them")
ENDING = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """SIGHUP is not ignored, also where the tests themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def started(
    environment: dict[str, str], people: Path, tmp_path: Path
) -> Callable[..., "subprocess.Popen[bytes]"]:
    """`video` over what is written into its standard input, with a temporary folder of the test."""
    (tmp_path / "t").mkdir()

    def command(*before: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                *before,
                sys.executable,
                "-m",
                "multiface",
                "video",
                "-f",
                "-",
                "--people",
                str(people),
                "--json",
            ],
            env=environment | {"TMPDIR": str(tmp_path / "t")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return command


def wait_for_copy(folder: Path, least: int) -> None:
    """Until a copy of standard input has so many bytes there."""
    end = time.monotonic() + 60
    while not any(path.stat().st_size >= least for path in folder.rglob("*") if path.is_file()):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", ENDING)
def test_while_the_copy_is_made(
    number: signal.Signals, started: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = started()
    assert process.stdin is not None
    process.stdin.write(bytes(3 << 20))
    process.stdin.flush()
    wait_for_copy(tmp_path / "t", 1 << 20)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize("number", ENDING)
def test_while_the_copy_is_read(
    number: signal.Signals, started: Callable[..., "subprocess.Popen[bytes]"], clip: Path, tmp_path: Path
) -> None:
    process = started()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(clip.read_bytes())
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert list((tmp_path / "t").iterdir()) == []


def test_under_nohup_the_terminal_may_go(
    started: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    process = started("nohup")
    assert process.stdin is not None
    process.stdin.write(bytes(3 << 20))
    process.stdin.flush()
    wait_for_copy(tmp_path / "t", 1 << 20)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize("number", ENDING)
def test_a_second_signal_does_not_cut_off_the_tidying_up(number: signal.Signals) -> None:
    tidied = False
    with pytest.raises(KeyboardInterrupt), signals_are_ctrl_c():
        try:
            os.kill(os.getpid(), number)
            time.sleep(1)
        finally:
            for again in ENDING:
                os.kill(os.getpid(), again)
            time.sleep(0.05)
            tidied = True
    assert tidied
    assert signal.getsignal(number) is signal.SIG_DFL


def test_the_closed_terminal_asks_a_loop_to_stop() -> None:
    with stop_on_signals() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.05)
        assert asked()
