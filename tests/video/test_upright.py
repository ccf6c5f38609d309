"""Rotation of the frames of a stream."""

import gc
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

from multiface.video.sources.pyav import av
from multiface.video.sources.upright import UPRIGHT, Rotation, Rotations, rotation_of


def film(path: Path, degrees: int) -> Path:
    flat = path.with_name("flat.mp4")
    with av.open(str(flat), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(30):
            out.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        out.mux(stream.encode(None))
    with av.open(str(flat)) as opened, av.open(str(path), "w") as out:
        turned = out.add_stream_from_template(opened.streams.video[0])
        if degrees:
            turned.set_display_rotation(degrees)
        for packet in opened.demux(video=0):
            if packet.pts is not None:
                packet.stream = turned
                out.mux(packet)
    return path


def test_a_turn_is_noticed_wherever_it_comes(tmp_path: Path) -> None:
    films = [film(tmp_path / f"{degrees}.mp4", degrees) for degrees in (0, 90, 180, 0)]
    rotations, found = Rotations(), []
    for path in films:
        with av.open(str(path)) as opened:
            for frame in opened.decode(video=0):
                found.append(rotations.of(frame))
                assert found[-1] == rotation_of(frame)
    assert found == [UPRIGHT] * 30 + [found[30]] * 30 + [Rotation(2)] * 30 + [UPRIGHT] * 30
    assert found[30] in (Rotation(1), Rotation(3))


def pictures() -> int:
    """Decoded pictures that are alive. Not by `isinstance`, which asks some libraries' objects for more."""
    return sum(type(one) is av.VideoFrame for one in gc.get_objects())


@pytest.mark.parametrize("degrees", [0, 90])
def test_frames_go_at_once_without_the_collector(tmp_path: Path, degrees: int) -> None:
    path, rotations = film(tmp_path / "film.mp4", degrees), Rotations()
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
