"""Rotation of the frames of a stream."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

from multiface.video.sources.pyav import av
from multiface.video.sources.upright import UPRIGHT, Rotation, Rotations, rotation_of


@pytest.fixture
def film(tmp_path: Path, turn: Callable[[Path, Path, int], None]) -> Callable[[int], Path]:
    """`film(degrees)`: 30 frames."""
    flat = tmp_path / "flat.mp4"
    with av.open(str(flat), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(30):
            out.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        out.mux(stream.encode(None))

    def turned(degrees: int) -> Path:
        path = tmp_path / f"{degrees}.mp4"
        turn(flat, path, degrees)
        return path

    return turned


def test_a_turn_is_noticed_wherever_it_comes(film: Callable[[int], Path]) -> None:
    rotations, found = Rotations(), []
    for degrees in (0, 90, 180, 0):
        with av.open(str(film(degrees))) as opened:
            for frame in opened.decode(video=0):
                found.append(rotations.of(frame))
                assert found[-1] == rotation_of(frame)
    assert found == [UPRIGHT] * 30 + [found[30]] * 30 + [Rotation(2)] * 30 + [UPRIGHT] * 30
    assert found[30] in (Rotation(1), Rotation(3))


def pictures() -> int:
    """Decoded pictures that are alive. Not by `isinstance`, which asks some libraries' objects for more."""
    return sum(type(one) is av.VideoFrame for one in gc.get_objects())


@pytest.mark.parametrize("degrees", [0, 90])
def test_frames_go_at_once_without_the_collector(film: Callable[[int], Path], degrees: int) -> None:
    path, rotations = film(degrees), Rotations()
    gc.collect()
    gc.disable()
    before = pictures()
    try:
        with av.open(str(path)) as opened:
            for frame in opened.decode(video=0):
                rotations.of(frame)
            kept = pictures() - before
    finally:
        gc.enable()
    assert kept <= 3
