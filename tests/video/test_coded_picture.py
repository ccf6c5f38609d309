"""Decoded pictures that go into a copy without a way over RGB."""

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV (extra `video`)")

from multiface.images import Mark
from multiface.video.sources.coded_picture import drawn_copy, fits_copy, luma_of
from multiface.video.sources.colour import to_rgb
from multiface.video.sources.frame import Frame
from multiface.video.sources.pyav import av
from multiface.video.sources.upright import UPRIGHT, Rotation
from multiface.video.tracks.cuts import coded_luma_grid, differences, luma_grid


def picture(width: int = 1280, height: int = 720, pixels: str = "yuv420p") -> "av.VideoFrame":
    rng = np.random.default_rng(0)
    small = rng.integers(40, 200, (height // 20, width // 20, 3), dtype=np.uint8)
    image = np.repeat(np.repeat(small, 20, 0), 20, 1)
    made = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format=pixels, dst_colorspace=1, dst_color_range=1
    )
    made.colorspace, made.color_range = 2, 0  # nothing stated, as in most files
    return made


def test_what_fits() -> None:
    assert fits_copy(picture(), UPRIGHT)
    assert not fits_copy(picture(), Rotation(1))
    assert not fits_copy(picture(1300, 720, "yuv422p"), UPRIGHT)
    assert not fits_copy(picture(pixels="yuv420p10le"), UPRIGHT)
    assert not fits_copy(picture(640, 360), UPRIGHT), "nothing stated and small: BT.601"
    for width, height in ((1281, 720), (1280, 721)):
        assert not fits_copy(av.VideoFrame(width, height, "yuv420p"), UPRIGHT), "an odd side"
    assert fits_copy(av.VideoFrame(1282, 722, "yuv420p"), UPRIGHT)
    stated = picture(640, 360)
    stated.colorspace = 1
    assert fits_copy(stated, UPRIGHT)
    for attribute, value in (
        ("colorspace", 5),
        ("color_range", 2),
        ("color_trc", 16),
        ("color_primaries", 9),
    ):
        other = picture()
        setattr(other, attribute, value)
        assert not fits_copy(other, UPRIGHT), attribute


@pytest.mark.parametrize("width", [1280, 1300])
def test_without_marks_it_is_the_same(width: int) -> None:
    source = picture(width)
    copy = drawn_copy(source, [])
    np.testing.assert_array_equal(copy.to_ndarray(), source.to_ndarray())


def test_marks_are_drawn_and_the_source_is_left_alone() -> None:
    source = picture()
    before = source.to_ndarray()
    copy = drawn_copy(
        source, [Mark((300, 200, 420, 340), "Anna"), Mark((901, 301, 999, 423), "", known=False)]
    )
    np.testing.assert_array_equal(source.to_ndarray(), before)
    changed = (to_rgb(copy).astype(int) != to_rgb(source)).any(axis=2)
    assert changed[200:340, 299:303].all() and changed[301:423, 900:904].all()
    assert not changed[:, 430:890].any() and not changed[:120].any()
    blue = to_rgb(copy)[270, 300].astype(int)
    assert np.abs(blue - (86, 180, 233)).max() < 40, "sky blue, as in stills"


def test_pixels_are_shed_and_made_again() -> None:
    source = picture()
    frame = Frame(0, 0.0, 0, Fraction(1, 25), 1280, 720, lambda: to_rgb(source), coded=source)
    assert frame.picture_bytes == 1280 * 720 * 3 // 2
    first = frame.image
    assert frame.image is first
    frame.shed()
    assert frame.image is not first
    np.testing.assert_array_equal(frame.image, first)


def test_pixels_that_cannot_be_made_again_stay() -> None:
    frame = Frame(0, 0.0, 0, Fraction(1, 25), 1280, 720, lambda: to_rgb(picture()))
    first = frame.image
    frame.shed()
    assert frame.image is first and frame.picture_bytes == 1280 * 720 * 3


def test_the_grid_for_cuts_is_that_of_rgb() -> None:
    """But for the weights of the colours: BT.709 as coded, BT.601 of RGB. The picture is 1300 wide, its rows padded."""
    source = picture(1300, 720)
    luma = luma_of(source)
    assert luma.shape == (720, 1300)
    of_rgb, of_coded = luma_grid(to_rgb(source)), coded_luma_grid(luma)
    assert of_coded.shape == (36, 64) and of_coded.dtype == np.float32
    histogram, change = differences(of_rgb, of_coded)
    assert change < 8 and histogram < 0.2
    np.testing.assert_allclose(coded_luma_grid(np.full((90, 160), 235, np.uint8)), 255, atol=0.01)
    grey = picture()
    for plane in grey.planes[1:]:
        np.frombuffer(memoryview(plane), np.uint8)[:] = 128
    assert differences(luma_grid(to_rgb(grey)), coded_luma_grid(luma_of(grey)))[1] < 1, (
        "alike without colours"
    )
