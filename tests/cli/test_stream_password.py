"""The password of a stream comes from a file, a variable or a question, and reaches the server as it was meant."""

import base64
import http.server
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from multiface.cli.settings import Settings
from multiface.cli.stream_password import with_password
from multiface.errors import UsageError

PASSWORD = "p@ss:/w?ö#rd %41"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files, with the password only."""

    def do_GET(self) -> None:
        if (
            self.headers.get("Authorization")
            == "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        ):
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def address(clip: Path) -> Iterator[str]:
    """Of the clip on a web server that knows Ann."""
    handler = partial(Handler, directory=str(clip.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://ann@127.0.0.1:{server.server_port}/{clip.name}"
        server.shutdown()


def test_file_and_variable(call: Callable[..., Any], address: str, people: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "door.txt").write_text(f"{PASSWORD}\nsecond line\n", encoding="utf-8")
    video = ("video", "-f", address, "--people", people, "--duration", "0.1", "--json")
    assert call(*video).code == 3
    for more, env in (
        (("--password-file", "door.txt"), {}),
        ((), {"MULTIFACE_STREAM_PASSWORD": PASSWORD}),
        (("--password-file", "door.txt"), {"MULTIFACE_STREAM_PASSWORD": "wrong"}),
    ):
        done = call(*video, *more, env=env)
        assert done.code == 0, done
        assert "p@ss" not in done.out + done.err and "p%40ss" not in done.out + done.err


def test_what_needs_none_stays_as_it_is(tmp_path: Path) -> None:
    settings = Settings({"MULTIFACE_STREAM_PASSWORD": "x"}, tmp_path)
    for name in ("0", "-", "film.mp4", "rtsp://door/live", "rtsp://ann:@door/live", "rtsp://ann:y@door/live"):
        assert with_password(name, settings, None) == name
        with pytest.raises(UsageError, match="--password-file is for an address"):
            with_password(name, settings, tmp_path / "door.txt")
    assert with_password("rtsp://ann@door/live", settings, None) == "rtsp://ann:x@door/live"


def test_a_file_without_a_password_is_refused(tmp_path: Path) -> None:
    settings = Settings({}, tmp_path)
    (tmp_path / "empty").write_bytes(b"\nx")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n")
    for name in ("empty", "bytes", "absent"):
        with pytest.raises(UsageError, match=f"--password-file .*{name}"):
            with_password("rtsp://ann@door/live", settings, tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_is_asked_and_does_not_show_it() -> None:
    import pty

    program = (
        "from multiface.cli.settings import Settings; from multiface.cli.stream_password import with_password\n"
        "import sys; sys.stdout.write(str(with_password('rtsp://ann@door', Settings.here(), None).count('s3cret')))"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    shown = b""
    while b"Password of the stream: " not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, b"s3cret\n")
    try:
        while more := os.read(terminal, 1024):
            shown += more
    except OSError:  # how Linux says that the other end was closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"s3cret" not in shown and shown.rstrip().endswith(b"1")
