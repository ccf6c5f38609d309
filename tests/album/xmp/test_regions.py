"""Boxes of the upright picture and areas of the stored one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.album.xmp.regions import Area, Stored, area_of, as_drawn, box_of, is_other_shape
from multiface.errors import UsageError
from multiface.images.box import overlap

SIZES = st.integers(1, 20_000)
STORED = st.builds(Stored, SIZES, SIZES, st.integers(1, 8))
SHARES = st.floats(0, 1).flatmap(lambda low: st.tuples(st.just(low), st.floats(low, 1)))


@given(STORED, SHARES, SHARES)
def test_a_box_comes_back(stored: Stored, across: tuple[float, float], down: tuple[float, float]) -> None:
    width, height = stored.upright_size
    box = (across[0] * width, down[0] * height, across[1] * width, down[1] * height)
    if across[1] - across[0] < 2e-6 or down[1] - down[0] < 2e-6:
        return
    area = area_of(box, stored)
    assert all(0 <= part <= 1 for part in (area.x, area.y, area.w, area.h))
    back = box_of(area, stored)
    assert back is not None
    assert back == pytest.approx(box, abs=1e-9 * max(width, height))


# A picture of 400 x 200 pixels whose camera was held in eight ways; the face is stored at (40, 20) to (80, 60).
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, (40, 20, 80, 60)),
        (2, (320, 20, 360, 60)),
        (3, (320, 140, 360, 180)),
        (4, (40, 140, 80, 180)),
        (5, (20, 40, 60, 80)),
        (6, (140, 40, 180, 80)),
        (7, (140, 320, 180, 360)),
        (8, (20, 320, 60, 360)),
    ],
)
def test_each_orientation_by_hand(orientation: int, upright: tuple[float, float, float, float]) -> None:
    stored = Stored(400, 200, orientation)
    area = Area(0.15, 0.2, 0.1, 0.2)
    assert box_of(area, stored) == pytest.approx(upright)
    found = area_of(upright, stored)
    assert (found.x, found.y, found.w, found.h) == pytest.approx((area.x, area.y, area.w, area.h))


def test_what_lies_outside_is_cut_off() -> None:
    stored = Stored(100, 50)
    assert box_of(Area(0, 0.5, 0.2, 2), stored) == pytest.approx((0, 0, 10, 50))
    assert area_of((-10, -10, 20, 200), stored) == Area(0.1, 0.5, 0.2, 1.0)


@pytest.mark.parametrize(
    "box", [(200, 0, 300, 10), (5, 5, 5, 9), (9, 5, 5, 9), (math.nan, 0, 5, 5), (0, 0, math.inf, 5)]
)
def test_a_box_without_a_part_in_the_picture(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError, match="no part"):
        area_of(box, Stored(100, 50))


@pytest.mark.parametrize(
    "area", [Area(2, 0, 0.1, 0.1), Area(0.5, 0.5, -1, 1), Area(math.nan, 0, 1, 1), Area(0, 0, 0, 0)]
)
def test_an_area_outside_is_no_box(area: Area) -> None:
    assert box_of(area, Stored(100, 50)) is None


@pytest.mark.parametrize("size", [(0, 5, 1), (5, 0, 1), (5, 5, 0), (5, 5, 9)])
def test_a_stored_picture_has_a_size_and_an_orientation(size: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError):
        Stored(*size)


def test_regions_of_the_upright_picture_are_known_by_their_size() -> None:
    lying = Stored(400, 200, 6)
    assert as_drawn(lying, (400, 200)) is lying
    assert as_drawn(lying, (800, 400)) is lying
    assert as_drawn(lying, None) is lying
    assert as_drawn(lying, (200, 400)) == Stored(200, 400)
    assert as_drawn(lying, (1000, 2000)) == Stored(200, 400)
    # Upside down and standing pictures have one shape only, and another one says nothing.
    assert as_drawn(Stored(400, 200, 3), (200, 400)) == Stored(400, 200, 3)
    assert as_drawn(lying, (300, 300)) is lying


def test_a_picture_that_was_cut_has_another_shape() -> None:
    stored = Stored(4000, 3000)
    assert not is_other_shape(stored, None)
    assert not is_other_shape(stored, (1024, 768))
    assert not is_other_shape(stored, (1023, 768))
    assert is_other_shape(stored, (1024, 1024))
    assert not is_other_shape(Stored(4000, 3000, 6), (3000, 4000))


def test_overlap() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0
