"""Nothing leaves the machine and nothing is written but where the user said: every system call is looked at (strace).

Without the variable that `multiface/__init__.py` sets, ONNX Runtime writes a device id and a queue into the cache
folder and a session file into the temporary folder, and looks up its maker's servers some time later.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiface.images import save_picture
from multiface.weights.openvino_session import has_openvino

STRACE = ("strace", "-f", "--seccomp-bpf", "-s", "4096", "-e")
CALLS = "trace=socket,connect,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,link,linkat"
NOBODY_CARES = re.compile(r"/dev/(null|tty|shm/.*)$|/proc/(self|\d+)/|/memfd:")


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run([*STRACE, "trace=open", "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not strace_works(), reason="needs strace")


@pytest.fixture
def traced(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Runs Python with arguments and gives the calls that it made; the temporary folder is one of the test's."""
    (tmp_path / "t").mkdir()
    places = {"TMPDIR": str(tmp_path / "t"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str | Path, code: int = 0) -> str:
        log = tmp_path / "calls.txt"
        done = subprocess.run(
            [*STRACE, CALLS, "-o", str(log), sys.executable, *map(str, arguments)],
            env=environment | places,
            cwd=tmp_path,
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == code, done.stderr.decode()
        return log.read_text(errors="replace")

    return run


def sockets(calls: str) -> list[str]:
    """Sockets of the Internet, and connections to local ones (a message bus, a screen), except to the cache of users'
    names, which PyTorch asks; a look-up of a host would go on to a socket of the Internet.
    """
    return [
        line
        for line in calls.splitlines()
        if re.search(r"\bsocket\((AF_INET|AF_INET6|AF_PACKET|AF_NETLINK)\b|\bconnect\(", line)
        and "/nscd/socket" not in line
    ]


def written(calls: str, cwd: Path) -> set[Path]:
    """Files that were opened for writing, made, linked or renamed, and folders that were made."""
    found = set[Path]()
    for line in calls.splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)\) += (-?\d+)", line)
        if call is None or int(call[3]) < 0:
            continue
        opening = call[1] in ("open", "openat")
        if opening and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", call[2]):
            continue
        if call[1] in ("socket", "connect"):
            continue
        paths = re.findall(r'"((?:[^"\\]|\\.)*)"', call[2])
        found.update(cwd / path for path in paths if not NOBODY_CARES.search(path))
    return found


def outside(calls: str, tmp_path: Path, *places: Path) -> set[Path]:
    """What was written elsewhere than into these places, or into a home without the user's wish."""
    allowed = [tmp_path / "out", tmp_path / "t", *places]
    return {path for path in written(calls, tmp_path) if not any(path.is_relative_to(a) for a in allowed)}


@pytest.mark.parametrize(
    "command",
    [
        "demo --out out/demo.png",
        "detect P",
        "embed P --out out/v.npz",
        "verify P P",
        "identify P --people F",
        "doctor",
        "weights list",
    ],
)
def test_no_command_opens_a_socket_or_writes_elsewhere(
    command: str, traced: Callable[..., str], portrait: Path, people: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    words = [{"P": str(portrait), "F": str(people)}.get(word, word) for word in command.split()]
    calls = traced("-m", "multiface", *words)
    assert sockets(calls) == []
    assert outside(calls, tmp_path, cache) == set()
    assert list((tmp_path / "t").iterdir()) == []


def test_no_gallery_command_does(
    traced: Callable[..., str], people: Path, portrait: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    for words in (
        ["facebank", people, "--gallery", "out/g.sqlite"],
        ["enroll", "Eileen", portrait, "--gallery", "out/g.sqlite"],
        ["identify", portrait, "--gallery", "out/g.sqlite", "--out", "out/names.png"],
        ["people", "list", "--gallery", "out/g.sqlite"],
    ):
        calls = traced("-m", "multiface", *words)
        assert sockets(calls) == []
        assert outside(calls, tmp_path, cache) == set()
    assert list((tmp_path / "t").iterdir()) == []


def test_no_video_command_does(
    traced: Callable[..., str], clip: Path, people: Path, cache: Path, tmp_path: Path
) -> None:
    """PyAV, its decoders and encoders."""
    pytest.importorskip("av")
    (tmp_path / "out").mkdir()
    files = ["-s", "out/copy.mp4", "--intervals", "out/who.csv", "--summary", "out/who.html"]
    calls = traced("-m", "multiface", "video", "-f", clip, "--people", people, "--duration", "1", *files)
    assert sockets(calls) == []
    assert outside(calls, tmp_path, cache) == set()
    assert list((tmp_path / "t").iterdir()) == []


def test_training_does_not(traced: Callable[..., str], tmp_path: Path) -> None:
    """PyTorch, its loaders and exporters, and ONNX Runtime on what they made."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    for person in range(4):
        (tmp_path / "faces" / str(person)).mkdir(parents=True)
        for k in range(4):
            crop = rng.integers(0, 255, (112, 112, 3), dtype=np.uint8)
            save_picture(crop, tmp_path / "faces" / str(person) / f"{k}.png")
    (tmp_path / "out").mkdir()
    calls = traced(
        *("-m", "multiface", "train", "small", "--data", "faces", "--out", "out/run"),
        *("-b", "4", "-w", "0", "--max-steps", "2"),
    )
    assert sockets(calls) == []
    assert outside(calls, tmp_path, tmp_path / "faces") == set()
    # PyTorch makes an empty folder of its compiler while it is imported.
    assert [path for path in (tmp_path / "t").rglob("*") if not path.name.startswith("torchinductor_")] == []


PUBLIC = """
import multiprocessing, sys
from multiface import Recognizer, RecognizerSettings, load_picture
portrait, gallery, engine = sys.argv[1:]
settings = RecognizerSettings(engine=engine)

def same(_):
    with Recognizer(settings=settings) as recognizer:
        return recognizer.verify(portrait, portrait).same

if __name__ == "__main__":
    with Recognizer(gallery=gallery, create=True, settings=settings) as recognizer:
        recognizer.enroll("Eileen", [portrait])
        recognizer.verify(portrait, load_picture(portrait))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(same, [0]) == [True]
"""


@pytest.mark.parametrize(
    "engine",
    ["cpu", pytest.param("openvino", marks=pytest.mark.skipif(not has_openvino(), reason="needs openvino"))],
)
def test_no_public_class_does(
    engine: str, traced: Callable[..., str], portrait: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    script = tmp_path / "public.py"
    script.write_text(PUBLIC)
    calls = traced(script, portrait, "out/g.sqlite", engine)
    assert sockets(calls) == []
    assert outside(calls, tmp_path, cache) == set()


@pytest.mark.parametrize(
    "first", ["multiface.weights.session", "multiface.weights.onnx_model", "multiface.train"]
)
def test_whatever_part_is_imported_first_silences_it(first: str, tmp_path: Path) -> None:
    """Also in an environment that was emptied, as some servers start their workers."""
    if first == "multiface.train":
        pytest.importorskip("torch")
    code = f"import {first}, onnxruntime; onnxruntime.get_available_providers()"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
