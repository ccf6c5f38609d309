"""Marks on pictures: visible on any background, labels inside and apart, any script, any box."""

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageDraw

from multiface.errors import PictureError, UsageError
from multiface.images import Mark, draw_faces
from multiface.images.draw import _KNOWN, _UNKNOWN
from multiface.images.placing import place_labels

Pixels = npt.NDArray[np.uint8]


def background(kind: str, h: int = 300, w: int = 400) -> Pixels:
    match kind:
        case "black":
            return np.zeros((h, w, 3), np.uint8)
        case "white":
            return np.full((h, w, 3), 255, np.uint8)
        case _:
            return np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)


def luminance(colour: npt.ArrayLike) -> float:
    """Relative luminance, WCAG 2.1."""
    value = np.asarray(colour, float) / 255
    linear = np.where(value <= 0.03928, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_picture_itself_is_not_touched() -> None:
    picture = background("noise")
    before = picture.copy()
    drawn = draw_faces(picture, [Mark((50, 60, 150, 190), "Anna", "0.71")])
    np.testing.assert_array_equal(picture, before)
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8 and drawn.flags.writeable
    unmarked = draw_faces(picture, [])
    np.testing.assert_array_equal(unmarked, picture)
    assert unmarked is not picture and not np.shares_memory(unmarked, picture)


@pytest.mark.parametrize("kind", ["black", "white", "noise"])
@pytest.mark.parametrize("known", [True, False])
def test_box_and_label_stand_out(kind: str, known: bool) -> None:
    drawn = draw_faces(background(kind), [Mark((50, 100, 150, 220), "Anna", known=known)])
    colour = _KNOWN if known else _UNKNOWN
    side = drawn[160, 44:58]  # across the left side of the box
    assert (side == colour).all(axis=1).any()
    assert (side == 0).all(axis=1).any()
    label = (drawn == colour).all(axis=2)[60:97, 50:100]
    assert label.mean() > 0.3, "a solid label above the box"
    ink = (drawn[60:97, 52:98] < 40).all(axis=2)
    assert ink.sum() > 40, "black letters on it"


@pytest.mark.parametrize("colour", [_KNOWN, _UNKNOWN])
def test_text_on_labels_has_the_contrast_of_wcag_aaa(colour: tuple[int, int, int]) -> None:
    assert (luminance(colour) + 0.05) / 0.05 > 7


def test_label_and_landmarks_are_drawn() -> None:
    picture = background("white")
    box = (100, 100, 200, 220)
    bare = draw_faces(picture, [Mark(box, "")])
    named = draw_faces(picture, [Mark(box, "Anna")])
    other = draw_faces(picture, [Mark(box, "Berta")])
    detail = draw_faces(picture, [Mark(box, "Anna", "0.71")])
    assert not np.array_equal(bare, named)
    assert not np.array_equal(named, other)
    assert not np.array_equal(named, detail)
    np.testing.assert_array_equal(bare[:90], picture[:90])
    points = np.array([[130, 140], [170, 140], [150, 165], [135, 190], [165, 190]], np.float32)
    marked = draw_faces(picture, [Mark(box, "", landmarks=points)])
    for x, y in points.astype(int):
        assert tuple(marked[y, x]) == _KNOWN


@pytest.mark.parametrize(
    "box", [(50, 60, 150, 190), (-20, 60, 150, 400), (370, -9, 460, 80), (10, 10, 390, 290)]
)
def test_the_box_is_the_rectangle_that_pillow_draws(box: tuple[int, int, int, int]) -> None:
    picture = background("noise")
    drawn = draw_faces(picture, [Mark(box, "")])
    x0, y0, x1, y1 = box
    wanted = PIL.Image.fromarray(picture)
    text_size = round(min(max((y1 - y0) / 6, 10), 300 / 16))
    width = max(1, round(text_size / 10))
    edge = max(1, width // 2)
    canvas = ImageDraw.Draw(wanted)
    canvas.rectangle((x0 - edge, y0 - edge, x1 + edge, y1 + edge), outline=(0, 0, 0), width=width + 2 * edge)
    canvas.rectangle(box, outline=_KNOWN, width=width)
    np.testing.assert_array_equal(drawn, np.asarray(wanted))


def test_a_label_is_the_same_each_time() -> None:
    """It is kept between pictures: what is drawn over it on one must not show on the next."""
    picture = background("white", 100, 120)
    marks = [Mark((5, 40, 60, 95), "Anna", "0.71"), Mark((40, 40, 110, 95), "Berta")]
    first = draw_faces(picture, marks)
    draw_faces(picture, [*marks, Mark((0, 0, 119, 99), "Anna", "0.71")])
    first[:] = 0
    np.testing.assert_array_equal(draw_faces(picture, marks), draw_faces(picture, marks))
    alone = draw_faces(picture, marks[:1])
    assert (alone != picture).any() and (alone == _KNOWN).all(axis=2).sum() > 200


def test_text_follows_face_and_picture() -> None:
    def labelled(h: int, face: int) -> int:
        picture = np.zeros((h, h, 3), np.uint8)
        x = h // 2
        box = (x, x, x + face, x + face)
        difference = draw_faces(picture, [Mark(box, "Anna")]) != draw_faces(picture, [Mark(box, "")])
        rows = np.flatnonzero(difference.any(axis=(1, 2)))
        return int(rows[-1] - rows[0])

    assert labelled(1000, 100) < labelled(1000, 300)
    assert labelled(500, 50) < labelled(4000, 50)


@pytest.mark.parametrize(
    "name", ["محمد علي", "李小龍", "김연아", "प्रिया", "สมชาย", "🙂", "odd\udcff", "a\nb", "x" * 400]
)
def test_any_name_can_be_drawn(name: str) -> None:
    picture = background("white")
    assert not np.array_equal(
        draw_faces(picture, [Mark((50, 100, 150, 220), name)]),
        draw_faces(picture, [Mark((50, 100, 150, 220), "")]),
    )


coordinate = st.one_of(st.floats(-500, 800), st.floats(-1e30, 1e30))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=4),
    st.integers(1, 200),
    st.integers(1, 200),
)
def test_any_box_on_any_picture(corners: list[tuple[float, float, float, float]], h: int, w: int) -> None:
    marks = [
        Mark(
            (min(a, c), min(b, d), max(a, c), max(b, d)),
            "Zoë",
            "0.5",
            landmarks=np.full((5, 2), a, np.float32),
        )
        for a, b, c, d in corners
    ]
    assert draw_faces(np.zeros((h, w, 3), np.uint8), marks).shape == (h, w, 3)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, float("nan"), 5), "four finite numbers"),
        ((0, 0, float("inf"), 5), "four finite numbers"),
        ((0, 0, 5), "four finite numbers"),
        ((5, 0, 0, 5), "x0 <= x1"),
        ((0, 5, 5, 0), "x0 <= x1"),
    ],
)
def test_boxes_that_cannot_be_meant(box: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Mark(box, "Anna")


def test_landmarks_and_pictures_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match=r"\(5, 2\), got shape \(68, 2\)"):
        Mark((0, 0, 5, 5), "Anna", landmarks=np.zeros((68, 2), np.float32))
    with pytest.raises(UsageError, match="finite"):
        Mark((0, 0, 5, 5), "Anna", landmarks=np.full((5, 2), np.nan, np.float32))
    with pytest.raises(PictureError, match="uint8"):
        draw_faces(np.zeros((5, 5, 3), np.int64), [])  # type: ignore[arg-type]


# ---- placing


def overlap(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def test_labels_of_faces_side_by_side_do_not_overlap() -> None:
    """Labels wider than the faces, as in a group photograph."""
    boxes = np.array([[20 + 70 * i, 100, 80 + 70 * i, 180] for i in range(8)], float)
    placed = place_labels(boxes, [(110, 25)] * 8, 3, 620, 300)
    for i in range(8):
        assert all(overlap(placed[i], placed[j]) == 0 for j in range(i))
        assert all(overlap(placed[i], box) == 0 for box in boxes)


def test_a_single_label_stands_above_or_below_its_face() -> None:
    (above,) = place_labels(np.array([[50.0, 100, 150, 220]]), [(60, 20)], 3, 400, 300)
    assert above.tolist() == [50, 77, 110, 97]
    (below,) = place_labels(np.array([[50.0, 5, 150, 120]]), [(60, 20)], 3, 400, 300)
    assert below.tolist() == [50, 123, 110, 143]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_labels_stay_inside_the_picture(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = rng.integers(100, 1000, 2).tolist()
    corner = rng.uniform(0, [width, height], (count, 2))
    boxes = np.concatenate(
        [corner, np.minimum(corner + rng.uniform(5, 200, (count, 2)), [width, height])], axis=1
    )
    sizes = [(int(w), int(h)) for w, h in rng.integers(10, 100, (count, 2))]
    placed = place_labels(boxes, sizes, 2, width, height)
    assert (placed[:, :2] >= 0).all()
    assert (placed[:, 2] <= width).all() and (placed[:, 3] <= height).all()
    np.testing.assert_allclose(placed[:, 2:] - placed[:, :2], sizes)
