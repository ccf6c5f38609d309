"""JPEG pictures that are damaged: what is whole is decoded, and how much that is.

The oracle is the undamaged picture: rows that are the same in both are whole.
"""

import random
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pytest

from multiface.errors import UndecodablePicture
from multiface.images import load_picture, open_picture
from multiface.recognition.demo import PORTRAIT

WAYS: dict[str, dict[str, Any]] = {
    "usual": {"quality": 90},
    "own tables": {"quality": 75, "optimize": True, "subsampling": 0},
    "small colours": {"quality": 60, "subsampling": 2},
    "grey": {"quality": 80, "grey": True},
    "restarts": {"quality": 85, "restart_marker_rows": 4},
    "progressive": {"quality": 90, "progressive": True},
}
SIDE = 507  # no multiple of 8 or 16


def jpeg(way: str) -> bytes:
    options = dict(WAYS[way])
    with PIL.Image.open(PORTRAIT) as portrait:
        picture = portrait.convert("L" if options.pop("grey", False) else "RGB").crop((0, 0, SIDE, SIDE))
    content = BytesIO()
    picture.save(content, "JPEG", **options)
    return content.getvalue()


def same_rows(damaged: bytes, whole: bytes) -> tuple[float, float | None]:
    """The share of rows above the first that differs (by more than rounding), and what is said of it."""
    picture = open_picture(damaged)
    wrong = (np.abs(picture.pixels.astype(int) - load_picture(whole)) > 3).any(axis=(1, 2))
    return float(np.argmax(wrong)) / len(wrong) if wrong.any() else 1.0, picture.whole_share


@pytest.mark.parametrize("way", WAYS)
def test_whole_pictures_are_not_damaged(way: str) -> None:
    data = jpeg(way)
    with PIL.Image.open(BytesIO(data)) as picture:
        expected = np.asarray(picture.convert("RGB"))
    for content in (data, data + b"what a camera adds" * 9, data[:-2] + bytes(100) + data[-2:]):
        picture = open_picture(content)
        assert picture.whole_share is None and not picture.damaged
        np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("way", WAYS)
def test_the_last_two_bytes(way: str) -> None:
    data = jpeg(way)
    picture = open_picture(data[:-2])
    assert picture.whole_share == 1 and not picture.damaged
    np.testing.assert_array_equal(picture.pixels, load_picture(data))
    np.testing.assert_array_equal(load_picture(data[:-2]), load_picture(data))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["", "with an end"])
def test_cut_short(way: str, end: bytes) -> None:
    data = jpeg(way)
    for part in (0.97, 0.85, 0.72):
        true, said = same_rows(data[: int(part * len(data))] + end, data)
        assert said is not None and said == pytest.approx(true, abs=17 / SIDE)
    with pytest.raises(UndecodablePicture, match=r"is damaged, at most [0-9.]+ % of its rows are whole"):
        load_picture(data[: int(0.72 * len(data))] + end)


def _zeros(part: bytes) -> bytes:
    return bytes(len(part))


def _noise(part: bytes) -> bytes:
    return random.Random(1).randbytes(len(part)).replace(b"\xff", b"\xfe")


@pytest.mark.parametrize("way", ["usual", "own tables", "small colours", "grey"])
@pytest.mark.parametrize("change", [_zeros, _noise])
def test_a_wrong_middle(way: str, change: Callable[[bytes], bytes]) -> None:
    data = jpeg(way)
    for place in (0.5, 0.8):
        start = int(place * len(data))
        true, said = same_rows(data[:start] + change(data[start : start + 2000]) + data[start + 2000 :], data)
        assert said is not None and said == pytest.approx(true, abs=17 / SIDE)


@pytest.mark.parametrize("way", ["usual", "own tables", "small colours", "grey"])
def test_a_missing_middle_is_noticed(way: str) -> None:
    data = jpeg(way)
    middle = len(data) // 2
    for gap in (100, 500, 2000):
        assert open_picture(data[:middle] + data[middle + gap :]).damaged


def test_a_missing_restart_marker_costs_the_rows_between_its_neighbours() -> None:
    content = BytesIO()
    with PIL.Image.open(PORTRAIT) as portrait:
        portrait.crop((0, 0, 512, 512)).save(content, "JPEG", quality=85, restart_marker_rows=1)
    data = content.getvalue()
    before, after = data.index(b"\xff\xd3"), data.index(b"\xff\xd5")
    assert open_picture(data).whole_share is None
    picture = open_picture(data[: before + 50] + data[after - 50 :])
    assert picture.whole_share == 1 - 2 / 32
