"""The stack machine of `bin_pickle`, program by program, at its limits; `test_bin_pack` has whole packs."""

import pytest

from multiface.datasets.bin_pickle import PickledArray, read_pickle
from multiface.errors import DataSetError


def scalar(content: bytes, code: bytes = b"u1") -> bytes:
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00" + code + b"K\x00K\x01tR"
    return b"cnumpy.core.multiarray\nscalar\n" + kind + b"C" + bytes([len(content)]) + content + b"\x86R."


def array(shape: bytes) -> bytes:
    """Of four bytes; shape: instructions that push its sides."""
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1K\x00K\x01tR"
    return b"cnumpy.core.numeric\n_frombuffer\n(C\x04abcd" + kind + b"(" + shape + b"tX\x01\x00\x00\x00CtR."


def encoded(length: int, times: int) -> bytes:
    """A list of a text, and of the bytes that it stands for, several times."""
    program = b"(X" + length.to_bytes(4, "little") + b"a" * length + b"q\x00"
    return program + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * times + b"l."


def test_a_number_is_one_byte() -> None:
    for byte in (0, 1, 7):
        number, truth = (read_pickle(scalar(bytes([byte]), code), "p") for code in (b"u1", b"b1"))
        assert type(number) is int and number == byte
        assert truth is bool(byte)
    for content in (b"", b"\x07\x07"):
        with pytest.raises(DataSetError, match=r"a call before byte .* has no place in a pack"):
            read_pickle(scalar(content), "p")


def test_no_more_bytes_come_out_than_the_file_holds() -> None:
    """A text may be made into bytes again and again; exactly as much as the file is long is allowed."""
    rest = len(encoded(0, 2))
    assert 2 * rest == len(encoded(rest, 2))
    assert read_pickle(encoded(rest, 2), "p") == ["a" * rest, b"a" * rest, b"a" * rest]
    for length in (rest + 1, rest + 2, 3 * rest):
        with pytest.raises(DataSetError, match="makes more bytes than it holds"):
            read_pickle(encoded(length, 2), "p")


@pytest.mark.parametrize("before", [0, 1, 2, 7, 300])
def test_where_it_breaks_is_told(before: int) -> None:
    with pytest.raises(
        DataSetError, match=rf"^p: refused, instruction b'\\xff' at byte {before} has no place"
    ):
        read_pickle(b"N" * before + b"\xff", "p")
    with pytest.raises(DataSetError, match=rf"at byte {before + 1} \(wanted 4 bytes, 2 are left\)"):
        read_pickle(b"N" * before + b"Jab", "p")


@pytest.mark.parametrize("line", [b"", b"'", b"''x", b"x''", b"'x\"", b"x"])
def test_a_string_stands_in_quotes(line: bytes) -> None:
    with pytest.raises(DataSetError, match="a string without quotes"):
        read_pickle(b"S" + line + b"\n.", "p")
    assert read_pickle(b"S'it\\'s'\n.", "p") == b"it's" and read_pickle(b"S''\n.", "p") == b""


def test_whole_numbers_have_at_most_18_digits_and_are_told_by_30() -> None:
    assert read_pickle(b"I-" + b"9" * 18 + b"\n.", "p") == -(10**18) + 1
    for line in (b"9" * 19, b"", b"-", b"1.5", b" 1"):
        with pytest.raises(DataSetError, match="is not a whole number"):
            read_pickle(b"I" + line + b"\n.", "p")
    with pytest.raises(DataSetError, match=rf"\(b'{'8' * 30}' is not a whole number\)"):
        read_pickle(b"I" + b"8" * 40 + b"\n.", "p")


@pytest.mark.parametrize("shape", [b"K\x02K\x02", b"K\x04", b"K\x01K\x04K\x01"])
def test_an_array_has_a_shape_that_its_bytes_fill(shape: bytes) -> None:
    assert isinstance(read_pickle(array(shape), "p"), PickledArray)


MINUS = b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff"


@pytest.mark.parametrize("shape", [MINUS, b"\x88K\x04", b"K\x03", b"", b"K\x01K\x01K\x01K\x04"])
def test_no_other_shape_is_taken(shape: bytes) -> None:
    """Two sides below zero, a boolean, too few, none, too many sides."""
    with pytest.raises(DataSetError, match="an array of 4 bytes has shape"):
        read_pickle(array(shape), "p")
