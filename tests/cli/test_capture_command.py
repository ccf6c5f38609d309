"""`capture`: from a film and from a stream, without a window and with a real one."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.features
import PIL.ImageGrab
import pytest

from multiface.images import load_picture, save_picture
from tests.drawn_clip import ALONE
from tests.drawn_faces import drawn_face

av = pytest.importorskip("av", reason="needs PyAV")


@pytest.fixture(scope="session")
def film(clip: Path) -> Path:
    """Cleo looks at us from the first to the fifth second; before and after two others are there."""
    return clip


@pytest.fixture(scope="session")
def face_of_the_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another picture of her."""
    path = tmp_path_factory.mktemp("cleo") / "cleo.png"
    save_picture(drawn_face("cleo", 4), path)
    return path


def write_film(path: Path, picture: np.ndarray[Any, np.dtype[np.uint8]], seconds: int) -> Path:
    """A film of one still picture, 5 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        for _ in range(5 * seconds):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_film_into_a_folder_of_people(
    call: Callable[..., Any], film: Path, face_of_the_film: Path, tmp_path: Path
) -> None:
    arguments = ("capture", "-n", "Cleo", "--source", film, "--people", "people", "--headless", "--json")
    done = call(*arguments)
    document = done.document()
    assert done.code == 0
    assert (document["name"], document["asked"], document["added"], document["already_there"]) == (
        "Cleo",
        3,
        3,
        0,
    )
    assert document["folder"] == "people/Cleo" and document["gallery"] is None and document["refused"] == []
    takes = document["takes"]
    assert len(takes) == 3 and all(ALONE[0] <= take["time"] < ALONE[1] for take in takes)
    assert takes[0]["similarity"] is None and all(take["similarity"] > 0.35 for take in takes[1:])
    assert [take["quality"] for take in takes] == sorted((take["quality"] for take in takes), reverse=True)
    assert document["frames"] == sum(document["hints"].values()) == 30
    files = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "people").rglob("*.*"))
    assert files == sorted(take["path"] for take in takes)
    named = call("identify", face_of_the_film, "--people", "people", "--json").document()
    assert [face["name"] for face in named["pictures"][0]["faces"]] == ["Cleo"]

    # Once more: the same pictures, beside what the person has already.
    save_picture(load_picture(face_of_the_film), tmp_path / "people" / "Cleo" / "mine.png")
    again = call(*arguments[:-1], "--takes", "4", "--json").document()
    assert (again["added"], again["already_there"]) == (1, 3)
    assert len(list((tmp_path / "people" / "Cleo").iterdir())) == 5


def test_a_film_into_a_gallery(
    call: Callable[..., Any], film: Path, face_of_the_film: Path, tmp_path: Path
) -> None:
    arguments = ("capture", "-n", "Cleo", "--source", film, "--gallery", "g.sqlite", "--takes", "2", "--json")
    document = call(*arguments).document()
    assert (document["gallery"], document["folder"], document["added"]) == ("g.sqlite", None, 2)
    assert [take["path"] for take in document["takes"]] == [None, None]
    assert call(*arguments).document()["already_there"] == 2
    shown = call("people", "show", "Cleo", "--gallery", "g.sqlite", "--json").document()
    assert len(shown["templates"]) == 2
    named = call("identify", face_of_the_film, "--gallery", "g.sqlite", "--json").document()
    assert [face["name"] for face in named["pictures"][0]["faces"]] == ["Cleo"]
    assert {path.name for path in tmp_path.iterdir()} <= {"g.sqlite", "home"}


def test_words_for_people(call: Callable[..., Any], film: Path) -> None:
    done = call("capture", "-n", "Cleo", "--source", film, "--people", "p", "--takes", "9")
    assert done.code == 0
    assert "1 of 9 taken" in done.err and "had no more good ones of this person" in done.err
    assert "added, 0 already there (p/Cleo)" in done.out


def test_begin_and_duration(call: Callable[..., Any], film: Path) -> None:
    found = call(
        *("capture", "-n", "Cleo", "--source", film, "--people", "p", "--takes", "9"),
        *("--begin", "2", "--duration", "1.5", "--json"),
    ).document()
    assert found["takes"] and all(2 <= take["time"] < 3.5 for take in found["takes"])


def test_a_film_without_a_face(call: Callable[..., Any], tmp_path: Path) -> None:
    write_film(tmp_path / "wall.mp4", np.full((120, 160, 3), 180, np.uint8), 2)
    done = call("capture", "-n", "Ann", "--source", "wall.mp4", "--people", "p", "--json")
    error = done.document()["error"]
    assert (done.code, error["kind"]) == (3, "NoFace")
    assert error["message"] == "wall.mp4: no face was found in 10 frames"
    assert not (tmp_path / "p").exists()


def test_a_film_in_the_dark(call: Callable[..., Any], portrait: Path, tmp_path: Path) -> None:
    write_film(tmp_path / "night.mp4", (load_picture(portrait) * 0.15).astype(np.uint8), 2)
    done = call("capture", "-n", "Ann", "--source", "night.mp4", "--people", "p", "--json")
    error = done.document()["error"]
    assert (done.code, error["kind"]) == (3, "NoFace")
    assert "no picture was taken; hints for 10 frames: too dark: 10" in error["message"]
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-n", "a/b", "--people", "p"), 2, "cannot name a file or folder"),
        (("-n", " ", "--people", "p"), 2, "has no visible character"),
        (("-n", "Ann", "--people", "p", "--gallery", "g"), 2, "not both"),
        (("-n", "Ann", "--people", "p", "--takes", "0"), 2, "takes"),
        (("--people", "p"), 2, "name"),
        (("-n", "Ann", "--people", "file"), 2, "is not a folder"),
        (("-n", "Ann", "--people", "p", "--source", "nothing.mp4"), 3, "no such file"),
        (("-n", "Ann", "--people", "p", "--source", "file"), 3, "file"),
        (("-n", "Ann", "--people", "p", "--source", "ftp://host/film"), 2, "ftp"),
    ],
)
def test_wrong_use_and_bad_input(
    call: Callable[..., Any], film: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "file").write_text("no video")
    given = arguments if "--source" in arguments else (*arguments, "--source", str(film))
    done = call("capture", *given, "--json")
    assert done.code == code, done
    assert words in done.document()["error"]["message"]
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "home"}


@pytest.mark.skipif(Path("/dev/video0").exists() or sys.platform != "linux", reason="a camera is there")
def test_no_camera(call: Callable[..., Any]) -> None:
    done = call("capture", "-n", "Ann", "--people", "p", "--json")
    assert done.code == 3 and "camera" in done.document()["error"]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_leaves_nothing(start: Callable[..., Any], tmp_path: Path) -> None:
    """In the midst of a film of two minutes."""
    film = write_film(tmp_path / "long.mp4", np.full((360, 640, 3), 180, np.uint8), 120)
    started = tmp_path / "started"
    started.mkdir()
    process = start("capture", "-n", "Ann", "--source", film, "--people", "p", cwd=started)
    until(lambda: str(film.resolve()).encode() in open_files(process.pid), 60)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert out == "" and list(started.iterdir()) == []


def open_files(process: int) -> bytes:
    """The names of the files that a process has open, as Linux tells them."""
    names = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            names.append(bytes(link.readlink()))
    return b"\n".join(names)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def looking_at_us(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the seconds in which she looks at us, with a key frame every half second."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs the command ffmpeg")
    part = tmp_path_factory.mktemp("part") / "part.ts"
    cut = (
        "-ss",
        "1.5",
        "-t",
        "3",
        "-i",
        str(film),
        "-an",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "15",
    )
    subprocess.run(["ffmpeg", "-loglevel", "error", *cut, str(part)], check=True, timeout=60)
    return part


@contextmanager
def streamed(film: Path) -> Iterator[str]:
    """The address of a film as a live stream, over and over at its own pace: MPEG-TS over TCP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    endless = (
        "-re",
        "-stream_loop",
        "-1",
        "-i",
        str(film),
        "-c",
        "copy",
        "-f",
        "mpegts",
        f"{address}?listen=1",
    )
    process = subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", *endless],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: listens(address), 60)
        yield address
    finally:
        process.kill()
        process.wait()


def listens(address: str) -> bool:
    """Whether a server waits at a port of this machine, seen without connecting: it serves one client only."""
    port = f":{int(address.rsplit(':', 1)[1]):04X}"
    return any(
        line.split()[1].endswith(port) and line.split()[3] == "0A"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_stream_without_a_window(
    call: Callable[..., Any], looking_at_us: Path, face_of_the_film: Path
) -> None:
    with streamed(looking_at_us) as address:
        arguments = ("capture", "-n", "Cleo", "--source", address, "--people", "p", "--takes", "2")
        done = call(*arguments, "--headless", "--json")
    found = done.document()
    assert done.code == 0 and found["added"] == 2, done
    first, second = (take["time"] for take in found["takes"])
    assert second - first >= 0.5
    named = call("identify", face_of_the_film, "--people", "p", "--json").document()
    assert [face["name"] for face in named["pictures"][0]["faces"]] == ["Cleo"]


def xdotool(display: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["xdotool", *arguments], env=os.environ | {"DISPLAY": display}, capture_output=True)


def screen(display: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(PIL.ImageGrab.grab(xdisplay=display).convert("RGB"))


@contextmanager
def captured_in_window(
    environment: dict[str, str], x_display: str, folder: Path, address: str, takes: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, once its window shows a picture."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "multiface", "capture", "-n", "Cleo", "--source", address),
            *("--people", "p", "--takes", str(takes), "--json"),
        ],
        env=environment | {"DISPLAY": x_display},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            until(lambda: screen(x_display).any() or process.poll() is not None, 60)
            assert process.poll() is None, process.communicate()
            window = xdotool(x_display, "search", "--class", ".").stdout.split()[0].decode()
            assert b"MultiFace: Cleo" in xdotool(x_display, "getwindowname", window).stdout
            xdotool(x_display, "windowfocus", "--sync", window)
            yield process
        finally:
            process.kill()


def test_the_space_bar_takes(
    environment: dict[str, str], x_display: str, looking_at_us: Path, tmp_path: Path
) -> None:
    with (
        streamed(looking_at_us) as address,
        captured_in_window(environment, x_display, tmp_path, address, 2) as process,
    ):
        # The window shows the film with a box in the colour of "ok" (86, 180, 233) around the face.
        until(lambda: bool((screen(x_display) == (86, 180, 233)).all(axis=2).sum() > 100), 30)
        end = time.monotonic() + 150  # a busy machine
        while process.poll() is None:
            assert time.monotonic() < end, "no second take came"
            xdotool(x_display, "key", "space")
            time.sleep(1.5)
        out, err = process.communicate()
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["added"] == 2 and len(list((tmp_path / "p" / "Cleo").iterdir())) == 2
    first, second = (take["time"] for take in document["takes"])
    assert second - first >= 0.5
    assert b"Traceback" not in err


def test_q_ends_without_a_picture(
    environment: dict[str, str], x_display: str, looking_at_us: Path, tmp_path: Path
) -> None:
    with (
        streamed(looking_at_us) as address,
        captured_in_window(environment, x_display, tmp_path, address, 2) as process,
    ):
        time.sleep(2)
        assert process.poll() is None  # good pictures, but nobody asked
        xdotool(x_display, "key", "q")
        start = time.monotonic()
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - start < 5
    assert process.returncode == 3 and json.loads(out)["error"]["kind"] == "NoFace", err
    assert not (tmp_path / "p").exists()


def test_a_window_without_a_screen(run: Callable[..., Any], looking_at_us: Path) -> None:
    if importlib.util.find_spec("pygame") is None:
        pytest.skip("needs pygame-ce")
    with streamed(looking_at_us) as address:
        done = run("capture", "-n", "Cleo", "--source", address, "--people", "p", "--json")
    assert done.code == 4
    error = done.document()["error"]
    assert error["kind"] == "NotAvailable" and "--headless" in error["message"]
