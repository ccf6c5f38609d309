"""Standard input laid down in a private file: whole, or not at all."""

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from multiface.errors import InputError, UsageError
from multiface.video.sources.stdin_spool import spooled_stdin


def test_all_of_it_in_a_private_file(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    paths = [spooled_stdin(io.BytesIO(data), tmp_path) for _ in range(2)]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert path.read_bytes() == data
        if os.name != "nt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_real_pipe(tmp_path: Path) -> None:
    """A process whose standard input is a pipe that is filled slowly."""
    script = (
        "import sys; from pathlib import Path; from multiface.video.sources.stdin_spool import spooled_stdin\n"
        "sys.stdout.write(str(spooled_stdin(sys.stdin.buffer, Path(sys.argv[1]))))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for n in range(5):
            process.stdin.write(bytes([n]) * 100_000)
            process.stdin.flush()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert Path(out.decode()).read_bytes() == b"".join(bytes([n]) * 100_000 for n in range(5))


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2_000_000:
                raise self.error
            return super().read(size)

        error: BaseException = OSError(5, "Input/output error")

    with pytest.raises(InputError, match="Input/output error"):
        spooled_stdin(Breaks(bytes(5_000_000)), tmp_path)
    stopped = Breaks(bytes(5_000_000))
    stopped.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        spooled_stdin(stopped, tmp_path)
    with pytest.raises(InputError, match="empty"):
        spooled_stdin(io.BytesIO(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="No such file"):
        spooled_stdin(io.BytesIO(b"x"), tmp_path / "missing")


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_full_disk(tmp_path: Path) -> None:
    """The limit on the size of files stands for the end of the disk."""
    script = (
        "import io, resource, signal, sys; from pathlib import Path\n"
        "from multiface.errors import InputError\n"
        "from multiface.video.sources.stdin_spool import spooled_stdin\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try: spooled_stdin(io.BytesIO(bytes(3 << 20)), Path(sys.argv[1]))\n"
        "except InputError as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "File too large" in done.stdout
    assert "make room" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_is_refused(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    try:
        with os.fdopen(follower, "rb", buffering=0) as terminal, pytest.raises(UsageError, match="terminal"):
            spooled_stdin(terminal, tmp_path)
    finally:
        os.close(leader)
