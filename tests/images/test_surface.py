"""Drawing on coded pictures: as on RGB, but for what 4:2:0 cannot hold; colours by BT.709."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.images import Mark, Surface, draw_faces, draw_marks
from multiface.images.surface import coded

Pixels = npt.NDArray[np.uint8]


def rgb_of(luma: Pixels, blue: Pixels, red: Pixels) -> npt.NDArray[np.float64]:
    """BT.709 items 3.2 to 3.5 and 4.2 solved for R', G', B', differences repeated for 2 x 2 pixels: the slow way."""
    y = (luma.astype(float) - 16) / 219
    cb, cr = ((np.repeat(np.repeat(one.astype(float), 2, 0), 2, 1) - 128) / 224 for one in (blue, red))
    r, b = y + 1.5748 * cr, y + 1.8556 * cb
    g = (y - 0.2126 * r - 0.0722 * b) / 0.7152
    return 255 * np.stack([r, g, b], axis=-1)


def surface(picture: Pixels) -> tuple[Surface, tuple[Pixels, Pixels, Pixels]]:
    planes = coded(picture)
    return Surface.of_coded(*planes), planes


@pytest.mark.parametrize(
    ("colour", "wanted"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_the_colours_of_bt709(colour: tuple[int, int, int], wanted: tuple[int, int, int]) -> None:
    """Colour bars of full amplitude, from the equations of BT.709 by hand."""
    picture = np.broadcast_to(np.array(colour, np.uint8), (2, 4, 3)).copy()
    luma, blue, red = coded(picture)
    assert luma.shape == (2, 4) and blue.shape == red.shape == (1, 2)
    assert (luma[0, 0], blue[0, 0], red[0, 0]) == wanted


def test_odd_sides() -> None:
    """Differences beside the last pixel are those of the last pixel alone."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    luma, blue, red = coded(picture)
    assert luma.shape == (5, 7) and blue.shape == red.shape == (3, 4)
    corner = coded(np.broadcast_to(picture[4:, 6:], (2, 2, 3)).copy())
    assert (luma[4, 6], blue[2, 3], red[2, 3]) == tuple(plane[0, 0] for plane in corner)


def test_marks_look_as_on_rgb() -> None:
    picture = np.full((360, 640, 3), 120, np.uint8)
    marks = [
        Mark((100, 120, 220, 260), "Anna", "0.71"),
        Mark((401, 121, 521, 261), "Berta", known=False, landmarks=np.full((5, 2), 430, np.float32)),
    ]
    wanted = draw_faces(picture, marks).astype(float)
    on_coded, planes = surface(picture)
    draw_marks(on_coded, marks)
    got = rgb_of(*planes)
    # Grey levels have a plane of their own: they agree everywhere. Colours agree where a colour fills 2 x 2 pixels.
    luma = [0.2126, 0.7152, 0.0722]
    assert np.abs(got @ luma - wanted @ luma).max() < 4
    inside = np.ones((360, 640), bool)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            inside &= (np.roll(wanted, (dy, dx), (0, 1)) == wanted).all(axis=2)
    assert np.abs(got - wanted)[inside].max() < 4
    assert inside[60:120, 100:220].mean() > 0.15, "some of the label is compared"


coordinate = st.one_of(st.floats(-300, 500), st.floats(-1e30, 1e30))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=4),
    st.integers(1, 100),
    st.integers(1, 100),
)
def test_any_box_changes_only_what_it_changes_on_rgb(
    corners: list[tuple[float, float, float, float]], h: int, w: int
) -> None:
    """Any mark, also outside and on odd places: planes change where the RGB picture does, or a pixel beside it."""
    picture = np.full((2 * h, 2 * w, 3), 128, np.uint8)
    marks = [Mark((min(a, c), min(b, d), max(a, c), max(b, d)), "Zoë") for a, b, c, d in corners]
    changed = (draw_faces(picture, marks) != picture).any(axis=2)
    on_coded, planes = surface(picture)
    before = [plane.copy() for plane in planes]
    draw_marks(on_coded, marks)
    padded = np.pad(changed, 3)
    near = np.zeros_like(changed)
    for dy in range(7):
        for dx in range(7):
            near |= padded[dy : dy + 2 * h, dx : dx + 2 * w]
    for plane, old in zip(planes, before, strict=True):
        step = 2 * h // plane.shape[0]
        different = np.repeat(np.repeat(plane != old, step, 0), step, 1)
        assert not (different & ~near).any()
