"""The command as a user runs it: `run` in a process of its own, `call` in this one (the same, faster).

Both use a store and a cache of the test session, the networks of the package, and a home folder of the test, so that
nothing of the user's is read or written.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.cli.main import run as entry_point
from multiface.images import save_picture
from multiface.recognition.demo import PORTRAIT
from multiface.weights.store import Store
from tests.conftest import ROOT, THREADS
from tests.drawn_faces import drawn_face, group_of, save_people

DETECTOR, WEIGHTS = "yunet_onet", "sface"  # in the package


@dataclass(frozen=True, slots=True)
class Done:
    """What a command ended with."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """The one JSON document on standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return json.loads(lines[0])


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of weights; where the reference data is there, it has scrfd_2.5g, yunet_n and mobilefacenet_128_ms1m."""
    folder = tmp_path_factory.mktemp("weights") / "store"
    weights = ROOT.parent / "shared" / "data" / "weights"
    if weights.is_dir():
        files = Store(folder, folder.parent / "cache")
        for name in ("scrfd_2.5g", "yunet_n", "mobilefacenet_128_ms1m"):
            files.pull(name, weights)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of networks and of the vectors of people folders."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(store: Path, cache: Path, tmp_path: Path) -> dict[str, str]:
    """Variables of a user with a home of his own."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path / "home"),
        "XDG_DATA_HOME": str(tmp_path / "home" / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / "cache"),
        "MULTIFACE_STORE": str(store),
        "MULTIFACE_CACHE": str(cache),
        "MULTIFACE_DETECTOR": DETECTOR,
        "MULTIFACE_WEIGHTS": WEIGHTS,
        **THREADS,
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Command:
    """The command in a process of its own: `run(*arguments, cwd=..., env=..., before=...)`."""

    def command(
        *arguments: str | Path,
        cwd: Path = tmp_path,
        env: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
    ) -> Done:
        done = subprocess.run(
            [*before, sys.executable, "-m", "multiface", *map(str, arguments)],
            cwd=cwd,
            env=environment | dict(env or {}),
            capture_output=True,
            timeout=120,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return command


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """The command in a process of its own that goes on: `start(*arguments, cwd=..., env=...)`; Ctrl-C reaches it."""
    started: list[subprocess.Popen[str]] = []

    def command(
        *arguments: str | Path, cwd: Path = tmp_path, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        # Where the tests themselves run in the background, Ctrl-C is ignored, and children would inherit that.
        ours = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "multiface", *map(str, arguments)],
                cwd=cwd,
                env=environment | dict(env or {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, ours)
        started.append(process)
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def first_line() -> Callable[["subprocess.Popen[str]"], str]:
    """Reads the first line of what a command prints and nothing more: `communicate`, which gives the rest, does not
    know of what `stdout.readline` has read ahead.
    """

    def read(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        line = b""
        while not line.endswith(b"\n") and (byte := os.read(process.stdout.fileno(), 1)):
            line += byte
        return line.decode()

    return read


@pytest.fixture
def call(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """The command in this process: `call(*arguments, cwd=..., env=...)`. Errors not of ours are raised."""

    def command(*arguments: str | Path, cwd: Path = tmp_path, env: Mapping[str, str] | None = None) -> Done:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("MULTIFACE_")]:
                patch.delenv(name)
            for name, value in (environment | dict(env or {})).items():
                patch.setenv(name, value)
            patch.chdir(cwd)
            patch.setattr(sys, "argv", ["multiface", *map(str, arguments)])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                entry_point()
            out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)

    return command


@pytest.fixture(scope="session")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures of several people, from left to right as their names say; nobody in couple.jpg is known."""
    folder = tmp_path_factory.mktemp("groups")
    for name, people in {
        "two_people.jpg": (("ada", 2), ("bob", 2)),
        "cleo_with_dora.jpg": (("cleo", 3), ("dora", 3)),
    }.items():
        save_picture(group_of(*(drawn_face(*one) for one in people)), folder / name)
    eileen = np.asarray(PIL.Image.open(PORTRAIT).convert("RGB"))[20:220, 123:323]
    save_picture(group_of(eileen, eileen[:, ::-1]), folder / "couple.jpg")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn film with sound, 6 seconds: cleo alone from the second to the fifth, else bob and dora."""
    pytest.importorskip("av", reason="needs PyAV")
    from tests.drawn_clip import write_clip

    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn people, seven pictures; read only, so that its vectors stay in the session's cache."""
    folder = tmp_path_factory.mktemp("faces") / "people"
    return save_people(folder, {"ada": 2, "bob": 1, "cleo": 2, "dora": 2})


@pytest.fixture(scope="session")
def portrait() -> Path:
    """The portrait of the package: one face."""
    return PORTRAIT


@pytest.fixture
def empty_wall(tmp_path: Path) -> Path:
    """A picture without a face."""
    path = tmp_path / "wall.png"
    save_picture(np.full((120, 160, 3), 180, np.uint8), path)
    return path


@pytest.fixture
def broken(tmp_path: Path, portrait: Path) -> Path:
    """A picture whose file was cut in its header."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(portrait.read_bytes()[:300])
    return path


@pytest.fixture
def gallery(call: Command, people: Path, tmp_path: Path) -> Path:
    """A gallery of the test with two people: one picture of ada, one of bob."""
    path = tmp_path / "gallery.sqlite"
    for name, file in (("ada", "ada1.jpg"), ("bob", "bob1.jpg")):
        assert call("enroll", name, people / name / file, "--gallery", path).code == 0
    return path
