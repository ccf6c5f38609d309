"""Colours of decoded frames, against the formulae of the ITU written out for one pixel, and numbers of its reports."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("av", reason="needs PyAV, the extra `video`")
import av

from multiface.errors import PictureError
from multiface.video.sources.colour import to_rgb
from multiface.video.sources.upright import UPRIGHT, Rotation, set_upright

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)


def plain(
    codes: tuple[int, int, int],
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    matrix: int = 2,
    reach: int = 0,
    transfer: int = 2,
    primaries: int = 2,
) -> av.VideoFrame:
    """A frame of one colour; numbers for its tags as in ITU-T H.273."""
    frame = av.VideoFrame(*size, pixels)
    for plane, code in zip(frame.planes, codes, strict=True):
        values = np.frombuffer(memoryview(plane), np.uint16 if "10" in pixels else np.uint8)
        values[:] = code
    frame.colorspace, frame.color_range = matrix, reach
    frame.color_trc, frame.color_primaries = transfer, primaries
    return frame


def coded(rgb: tuple[float, float, float], weights: tuple[float, float], bits: int) -> tuple[int, int, int]:
    """R'G'B' 0..1 as Y'CbCr codes of limited range: BT.709 section 3, BT.2020 table 4."""
    kr, kb = weights
    r, g, b = rgb
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    scale = 1 << (bits - 8)
    return round((219 * y + 16) * scale), round((224 * cb + 128) * scale), round((224 * cr + 128) * scale)


def shown(frame: av.VideoFrame) -> npt.NDArray[np.int64]:
    image = to_rgb(frame)
    assert image.dtype == np.uint8
    assert image.shape == (frame.height, frame.width, 3)
    assert image.flags.c_contiguous
    assert (image == image[0, 0]).all()
    colour: npt.NDArray[np.int64] = image[0, 0].astype(np.int64)
    return colour


@given(rgb=st.tuples(*[st.floats(0, 1)] * 3))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize(
    ("matrix", "weights"),
    [(1, BT709), (5, BT601), (6, BT601), (9, BT2020)],
    ids=["709", "470bg", "170m", "2020"],
)
@pytest.mark.parametrize(("pixels", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_the_matrix_that_the_frame_states(
    rgb: tuple[float, float, float], matrix: int, weights: tuple[float, float], pixels: str, bits: int
) -> None:
    frame = plain(coded(rgb, weights, bits), pixels, matrix=matrix, primaries=1)
    assert np.abs(shown(frame) - 255 * np.array(rgb)).max() <= 4  # swscale's fast path rounds down


@pytest.mark.parametrize(
    ("size", "weights"),
    [
        ((640, 480), BT601),
        ((720, 576), BT601),
        ((1280, 720), BT709),
        ((480, 854), BT709),
        ((1920, 1080), BT709),
    ],
)
def test_a_frame_that_states_nothing_goes_by_its_size(
    size: tuple[int, int], weights: tuple[float, float]
) -> None:
    for rgb in ((1.0, 0.0, 0.0), (0.0, 0.8, 0.1), (0.3, 0.2, 0.9)):
        assert np.abs(shown(plain(coded(rgb, weights, 8), size=size)) - 255 * np.array(rgb)).max() <= 4


def test_ranges() -> None:
    assert shown(plain((16, 128, 128))).tolist() == [0, 0, 0]
    assert shown(plain((235, 128, 128))).tolist() == [255, 255, 255]
    full = (plain((16, 128, 128), reach=2), plain((16, 128, 128), "yuvj420p"))
    for frame in full:
        assert np.abs(shown(frame) - 16).max() <= 1
    assert shown(plain((255, 128, 128), reach=2)).tolist() == [255, 255, 255]
    for code in (0, 77, 255):  # grey that states nothing is full
        frame = av.VideoFrame.from_ndarray(np.full((48, 64), code, np.uint8), "gray")
        assert np.abs(shown(frame) - code).max() <= 1


def test_rgb_and_palettes_are_kept() -> None:
    picture = np.random.default_rng(5).integers(0, 256, (31, 53, 3), np.uint8)
    assert (to_rgb(av.VideoFrame.from_ndarray(picture, "rgb24")) == picture).all()
    assert (to_rgb(av.VideoFrame.from_ndarray(picture[:, :, ::-1].copy(), "bgr24")) == picture).all()
    assert (to_rgb(av.VideoFrame.from_ndarray(picture, "gbrp")) == picture).all()


def srgb(linear: float) -> float:
    linear = min(max(linear, 0.0), 1.0)
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


def pq(light: float) -> float:
    """BT.2100 table 4, the other way: cd/m2 to signal."""
    y = (light / 10000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def hlg(scene: float) -> float:
    """BT.2100 table 5: light of the scene 0..1 to signal."""
    if scene <= 1 / 12:
        return math.sqrt(3 * scene)
    return 0.17883277 * math.log(12 * scene - 0.28466892) + 0.55991073


def test_the_formulae_here_are_those_of_the_reports() -> None:
    assert pq(203) == pytest.approx(0.58, abs=0.002)  # BT.2408 table 1: reference white
    assert pq(1000) == pytest.approx(0.75, abs=0.003)
    assert hlg((203 / 1000) ** (1 / 1.2)) == pytest.approx(0.75, abs=0.002)


def hdr(signal: tuple[float, float, float], transfer: int, primaries: int = 9) -> npt.NDArray[np.int64]:
    frame = plain(
        coded(signal, BT2020, 10), "yuv420p10le", matrix=9, reach=1, transfer=transfer, primaries=primaries
    )
    return shown(frame)


@pytest.mark.parametrize("light", [0.0, 1.0, 5.0, 20.0, 50.0, 85.0])
def test_light_below_the_knee_is_kept(light: float) -> None:
    by_pq = hdr((pq(light),) * 3, 16)
    by_hlg = hdr((hlg((light / 1000) ** (1 / 1.2)),) * 3, 18)
    assert np.abs(by_pq - srgb(light / 203)).max() <= 1.5
    assert np.abs(by_hlg - srgb(light / 203)).max() <= 1.5


def test_the_knee() -> None:
    """Reference white at 229 by both ways; brighter is brighter; 1000 cd/m2 and all above it is white."""
    whites = hdr((pq(203),) * 3, 16), hdr((0.75,) * 3, 18)
    for white in whites:
        assert np.abs(white - 229).max() <= 1
    rising = [int(hdr((pq(light),) * 3, 16)[1]) for light in (80, 100, 150, 203, 300, 450, 1000)]
    assert rising == sorted(set(rising))
    assert hdr((pq(1000),) * 3, 16).min() >= 254
    assert hdr((pq(4000),) * 3, 16).min() == 255
    assert hdr((1.0,) * 3, 18).min() >= 254


# Linear BT.2020 to linear BT.709: BT.2087 annex 2, to four places.
TO_709 = np.array([(1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)])


@pytest.mark.parametrize("lights", [(60, 40, 30), (20, 30, 45), (50, 50, 20), (80, 52, 41), (3, 2, 1)])
def test_colours_of_wide_gamut(lights: tuple[int, int, int]) -> None:
    """Below the knee, light goes through the matrix of BT.2087 and nothing else: skin, sky, yellow."""
    want = np.array([srgb(value) for value in TO_709 @ (np.array(lights) / 203)])
    assert np.abs(hdr((pq(lights[0]), pq(lights[1]), pq(lights[2])), 16) - want).max() <= 2
    assert np.abs(hdr((pq(lights[0]), pq(lights[1]), pq(lights[2])), 16, primaries=2) - want).max() <= 2
    luminance = np.dot((0.2627, 0.6780, 0.0593), lights) / 1000
    scene = [value / 1000 / luminance ** (0.2 / 1.2) for value in lights]
    assert np.abs(hdr((hlg(scene[0]), hlg(scene[1]), hlg(scene[2])), 18) - want).max() <= 2


def test_hues_stay_above_the_knee() -> None:
    """A light of fourfold strength has the ratios it had, in linear light."""

    def linear(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.array([((v / 255 + 0.055) / 1.055) ** 2.4 for v in values])

    dim = linear(hdr((pq(80), pq(70), pq(65)), 16))
    bright = linear(hdr((pq(320), pq(280), pq(260)), 16))
    assert bright / bright.max() == pytest.approx(dim / dim.max(), abs=0.02)
    assert 1 > bright.max() > 1.8 * dim.max()


def test_wide_gamut_at_ordinary_brightness() -> None:
    for level in (0.1, 0.5, 0.9):
        frame = plain(
            coded((level,) * 3, BT2020, 10), "yuv420p10le", matrix=9, reach=1, transfer=14, primaries=9
        )
        assert np.abs(shown(frame) - 255 * level).max() <= 1.5  # greys stay
    signal = (0.7, 0.5, 0.4)
    want = 255 * (TO_709 @ (np.array(signal) ** 2.4)) ** (1 / 2.4)
    frame = plain(coded(signal, BT2020, 10), "yuv420p10le", matrix=9, reach=1, transfer=14, primaries=9)
    assert np.abs(shown(frame) - want).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2), (7680, 16)])
@pytest.mark.parametrize("transfer", [1, 16, 18])
def test_all_sizes(size: tuple[int, int], transfer: int) -> None:
    frame = plain(
        (502, 512, 512),
        "yuv420p10le",
        size,
        matrix=9,
        reach=1,
        transfer=transfer,
        primaries=9 if transfer > 1 else 1,
    )
    assert shown(frame).max() - shown(frame).min() <= 1


def test_what_cannot_be_converted_is_said() -> None:
    with pytest.raises(PictureError, match=r"matrix 8 .*convert the video"):
        to_rgb(plain((100, 128, 128), matrix=8))


def test_turned() -> None:
    image = np.random.default_rng(3).integers(0, 256, (5, 8, 3), np.uint8)
    assert set_upright(image, UPRIGHT) is image
    for quarters in range(4):
        for mirrored in (False, True):
            rotation = Rotation(quarters, mirrored)
            turned = set_upright(image, rotation)
            assert turned.shape[1::-1] == rotation.size(8, 5)
            assert (turned == np.rot90(np.fliplr(image) if mirrored else image, quarters)).all()
            assert turned.flags.c_contiguous
