"""Names of people."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import UsageError
from multiface.gallery.names import clean_name, nearest_name


@given(st.text(max_size=220))
def test_a_name_is_refused_or_in_normal_form(text: str) -> None:
    try:
        name = clean_name(text)
    except UsageError as error:
        assert str(error).isprintable()
        return
    assert clean_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip() and 1 <= len(name) <= 200
    name.encode("utf-8")


@pytest.mark.parametrize(
    "name", ["José", "王小明", "محمد", "Ὀδυσσεύς", "नीरज", "O'Neil-Smith, Jr.", "🙂", "x" * 200]
)
def test_any_script(name: str) -> None:
    assert clean_name(f"  {name}\n") == unicodedata.normalize("NFC", name)


def test_both_forms_of_an_accent_are_one_name() -> None:
    assert clean_name("Jose\u0301") == clean_name("Jos\u00e9")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "\u200b\u200d", "a\x00b", "a\nb", "a\x1b[31mb", "a\u2028b", "a\u202eb", "a\udc80b", "x" * 201],
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match="name"):
        clean_name(text)


def test_nearest() -> None:
    names = ("Anna Schmidt", "Bob", "anna schmidt")
    assert nearest_name("ANNA SCHMIDT", names) == "Anna Schmidt"
    assert nearest_name("Ana Schmid", names) == "Anna Schmidt"
    assert nearest_name("bob", names) == "Bob"
    assert nearest_name("Zacharias", names) is None


def test_a_long_name_is_cut_in_a_message() -> None:
    with pytest.raises(UsageError) as short:
        clean_name("a\nb")
    assert r"'a\nb'" in str(short.value) and "..." not in str(short.value)
    with pytest.raises(UsageError) as long:
        clean_name("y" * 60 + "z" * 200)
    assert "'" + "y" * 60 + "'..." in str(long.value) and "z" not in str(long.value)
