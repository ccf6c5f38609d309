"""A folder of pictures as a video: order, times, parts, resume, what is no picture."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multiface.errors import InputError, UsageError
from multiface.images import save_picture
from multiface.video.sources.folder_source import FolderSource, open_folder
from multiface.video.sources.frame import Frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of one grey each: 1.png is 10, 2.png is 20, ...; and a note."""
    folder = tmp_path_factory.mktemp("frames")
    for n in range(1, 13):
        save_picture(np.full((6, 8 + n % 2, 3), 10 * n, np.uint8), folder / f"{n}.png")
    (folder / "note.txt").write_text("not a picture")
    return folder


def read(source: FolderSource) -> list[Frame]:
    frames = list(source.frames())
    source.close()
    return frames


def facts(frames: list[Frame]) -> list[tuple[int, int, float]]:
    return [(frame.number, frame.pts, frame.time) for frame in frames]


def test_a_whole_folder(folder: Path) -> None:
    source = open_folder(folder)
    frames = read(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [10 * n for n in range(1, 13)]  # 2 before 10
    assert facts(frames) == [(n, n, n / 25) for n in range(12)]
    assert {frame.time_base for frame in frames} == {Fraction(1, 25)}
    assert [(frame.height, frame.width) for frame in frames] == [frame.image.shape[:2] for frame in frames]
    info = source.info
    assert (info.width, info.height, info.frames, info.live, info.duration) == (9, 6, 12, False, 12 / 25)
    assert info.rate == 25
    assert source.notes == []


@pytest.mark.parametrize(
    ("rate", "exact"),
    [(29.97, Fraction(2997, 100)), (Fraction(30000, 1001), Fraction(30000, 1001)), (0.5, Fraction(1, 2))],
)
def test_rates(folder: Path, rate: float | Fraction, exact: Fraction) -> None:
    source = open_folder(folder, rate)
    frames = read(source)
    assert source.info.rate == exact
    assert [Fraction(frame.pts) * frame.time_base for frame in frames] == [n / exact for n in range(12)]


@given(begin=st.integers(0, 11), length=st.integers(1, 14), after=st.integers(0, 11))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_and_resume(folder: Path, begin: int, length: int, after: int) -> None:
    source = open_folder(folder, 10, begin=begin / 10, duration=length / 10)
    whole = read(source)
    assert [frame.pts for frame in whole] == list(range(begin, min(12, begin + length)))
    assert source.info.frames == len(whole)
    done = [frame for frame in whole if frame.pts <= after]
    rest = open_folder(
        folder, 10, begin=begin / 10, duration=length / 10, after=after, first_number=len(done)
    )
    assert rest.info == source.info
    assert facts(read(rest)) == facts(whole[len(done) :])


def test_broken_pictures_leave_gaps(folder: Path, tmp_path: Path) -> None:
    for n in (1, 2, 3):
        (tmp_path / f"{n}.png").write_bytes((folder / f"{n}.png").read_bytes())
    (tmp_path / "2.png").write_bytes((folder / "2.png").read_bytes()[:40])
    source = open_folder(tmp_path)
    assert facts(read(source)) == [(0, 0, 0.0), (1, 2, 2 / 25)]
    assert source.skipped == 1
    broken, count = source.notes
    assert "2.png" in broken and "1 of 3 pictures could not be read" in count
    for n in (1, 3):
        (tmp_path / f"{n}.png").write_bytes((folder / "1.png").read_bytes()[:40])
    with pytest.raises(InputError, match="none of its 3 pictures can be read"):
        open_folder(tmp_path)


def test_what_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        open_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_folder(tmp_path / "missing")
    with pytest.raises(InputError, match=r"begin is 5 s, but its 12 pictures at 25 a second end at 0\.480 s"):
        open_folder(folder, begin=5)
    for rate in (0, -1, float("nan"), float("inf"), 1001):
        with pytest.raises(UsageError, match="rate"):
            open_folder(folder, rate)
    for begin in (-1, float("nan")):
        with pytest.raises(UsageError, match="begin"):
            open_folder(folder, begin=begin)
    with pytest.raises(UsageError, match="duration"):
        open_folder(folder, duration=0)


def test_closing_ends_the_frames(folder: Path) -> None:
    source = open_folder(folder)
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
