"""Webcams that are missing, refused or none; what is asked for. No camera is needed."""

import os
import sys
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

from multiface.errors import InputError, UsageError
from multiface.video.sources.frame import SourceInfo
from multiface.video.sources.webcam import _difference, _wishes, open_webcam

linux = pytest.mark.skipif(sys.platform != "linux", reason="devices have these names on Linux only")


@linux
def test_missing() -> None:
    with pytest.raises(
        InputError, match=r"/dev/video987: there is no such camera; (no camera|there are /dev/video)"
    ):
        open_webcam(987)


@linux
def test_a_file_is_no_camera(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="is not a camera device"):
        open_webcam(str(path))


@linux
def test_another_device_is_no_camera() -> None:
    with pytest.raises(InputError, match="/dev/zero: the camera gives no picture"):
        open_webcam("/dev/zero")


@linux
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may open everything")
def test_refused() -> None:
    with pytest.raises(InputError, match=r"permission denied.*group"):
        open_webcam("/dev/mem")


def test_what_cannot_be_meant() -> None:
    for arguments in ((-1,), (0, (0, 5)), (0, None, 0.0), (0, None, float("nan"))):
        with pytest.raises(UsageError):
            open_webcam(*arguments)


def test_less_and_less_is_asked_for() -> None:
    wishes = _wishes((640, 480), 29.97)
    assert wishes[-1] == {} and all({"video_size": "640x480"}.items() <= wish.items() for wish in wishes[:-1])
    assert [len(wish) for wish in wishes] == sorted((len(wish) for wish in wishes), reverse=True)
    assert float(Fraction(wishes[0]["framerate"])) == pytest.approx(29.97)
    assert _wishes(None, None) == [{}]


def test_what_was_given_instead_is_said() -> None:
    info = SourceInfo("webcam 0", 640, 480, None, Fraction(30), None, True)
    assert _difference((640, 480), 30, info) is None
    assert _difference(None, None, info) is None
    said = _difference((1280, 720), 60, info)
    assert said == "asked for 1280x720, given 640x480; asked for 60 frames a second, given 30"
