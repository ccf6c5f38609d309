"""Packs of many kinds of Python and NumPy, hostile packs, and packs that are broken anyhow.

`shared/golden/bins` holds packs with the same 12 pictures, written by Python 2.7, 3.8 and 3.11 and
NumPy 1 and 2.
"""

import hashlib
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiface.datasets import bin_pickle
from multiface.datasets.bin_pack import BinPack, read_bin, write_bin
from multiface.errors import DataSetError
from tests.conftest import ROOT

INNOCENT = (
    "py2_pickle_proto2",
    "py2_cpickle_proto2",
    "py2_pickle_proto0",
    "py2_numpy_proto2",
    "py3_proto2",
    "py3_proto3",
    "py3_proto4",
    "py3_proto5",
    "py3_numpy1_proto4",
    "py3_numpy1_proto5",
    "py3_numpy2_proto4",
    "py3_numpy2_proto5",
    "py3_issame_npbool_proto4",
    "py3_issame_nparray_proto4",
    "py3_list_of_list_proto4",
)
EVIL = ("evil", "evil_nested_proto2", "evil_nested_proto4")


def pack(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_all_golden_packs_are_named_here(shared: Path) -> None:
    assert {path.stem for path in (shared / "golden/bins").glob("*.bin")} == {*INNOCENT, *EVIL}


def test_innocent_packs(shared: Path) -> None:
    for name in INNOCENT:
        folder = shared / "golden/bins"
        notes = json.loads((folder / "expected.json").read_text())
        found = read_bin(folder / f"{name}.bin")
        pairs = 2 if name == "py2_pickle_proto0" else 6
        assert len(found) == pairs
        assert found.issame.dtype == np.bool_
        assert found.issame.tolist() == notes["issame"][:pairs]
        hashes = [
            hashlib.sha256(picture).hexdigest() for picture in found.pictures if isinstance(picture, bytes)
        ]
        assert hashes == [image["sha256"] for image in notes["images"][: 2 * pairs]]


def test_evil_packs_are_refused_and_not_run(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(os, "getenv", lambda *arguments: calls.append(arguments))
    for name in EVIL:
        calls.clear()
        path = shared / "golden/bins" / f"{name}.bin"
        with pytest.raises(DataSetError, match=rf"{name}\.bin: refused, it asks for 'os.getenv'"):
            read_bin(path)
        assert calls == []
        # The file is evil indeed, and the call would have been seen.
        pickle.loads(path.read_bytes())  # noqa: S301 - known to call os.getenv only, replaced above
        assert calls == [("GOLDEN_EVIL_MARK", "executed")]


def test_python_imports_and_runs_nothing_while_a_pack_is_read(shared: Path) -> None:
    """Python's audit events: unpickling, imports and whatever a call might do would be among them."""
    events: list[str] = []
    listening = False

    def hook(event: str, _: Any) -> None:
        if listening:
            events.append(event)

    sys.addaudithook(hook)
    folder = shared / "golden/bins"
    for name in (*INNOCENT, *EVIL):
        content = (folder / f"{name}.bin").read_bytes()
        listening = True
        try:
            bin_pickle.read_pickle(content, name)
        except DataSetError:
            pass
        finally:
            listening = False
    assert events == []
    listening = True
    pickle.loads((folder / "py3_proto2.bin").read_bytes())  # noqa: S301 - calls _codecs.encode only
    listening = False
    assert "pickle.find_class" in events


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def codec(*arguments: object) -> Any:
    import codecs

    return Calls(codecs.encode, *arguments)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "item",
    [
        Calls(print, "x"),
        Calls(eval, "1"),
        Calls(bytearray, 1 << 40),
        Calls(np.zeros, 1 << 40),
        Calls(getattr, b"", "join"),
        codec("x", "rot13"),
        codec("x", "zlib"),
        codec("x", "latin1", "ignore"),
        np.array([1.5]),
        np.array([None]),
        np.array(["a"]),
        np.zeros(2, [("a", "u1")]),
        np.float64(1),
        Path("x"),
        {"a": 1},
        {1},
        1.5,
        1j,
        Calls,
        len,
    ],
    ids=lambda item: getattr(item, "call", [str(item)[:9]])[0],
)
def test_everything_else_is_refused(tmp_path: Path, item: object, protocol: int) -> None:
    for value in ([[b"a", item], [True]], ([b"a", b"b"], [item]), ([b"a", b"b"], item), item):
        with pytest.raises(DataSetError, match=r"p\.bin"):
            read_bin(pack(tmp_path / "p.bin", value, protocol))


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("as_array", [False, True])
def test_what_this_numpy_writes(tmp_path: Path, protocol: int, as_array: bool) -> None:
    """uint8 arrays of a picture's file, and decoded pictures in rows or in columns."""
    file = np.frombuffer(b"\xff\xd8 a file", np.uint8)
    picture = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    issame: Any = np.array([True, False]) if as_array else [np.True_, np.False_]
    found = read_bin(
        pack(tmp_path / "p.bin", ([file, picture, np.asfortranarray(picture), b"x"], issame), protocol)
    )
    assert found.pictures[0] == b"\xff\xd8 a file"
    assert np.array_equal(found.pictures[1], picture)
    assert np.array_equal(found.pictures[2], picture)
    assert found.pictures[3] == b"x"
    assert found.issame.tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (([b"a", b"b", b"c"], [True]), "3 pictures and 1 pairs"),
        (([b"a", b"b"], [True, False]), "2 pictures and 2 pairs"),
        (([], []), "0 pictures and 0 pairs"),
        (([b"a", b""], [True]), "picture 1 is bytes of length 0"),
        (([b"a", "text"], [True]), "picture 1 is str of length 4"),
        (([b"a", None], [True]), "picture 1 is NoneType"),
        (([b"a", np.zeros((2, 2), np.uint8)], [True]), r"picture 1 is an array of shape \(2, 2\)"),
        (([b"a", np.zeros((2, 2, 4), np.uint8)], [True]), r"picture 1 is an array of shape \(2, 2, 4\)"),
        (([b"a", np.zeros(3, np.bool_)], [True]), r"picture 1 is an array of shape \(3,\)"),
        (([b"a", np.zeros(0, np.uint8)], [True]), "picture 1 is"),
        (([b"a", b"b"], [2]), "list of booleans"),
        (([b"a", b"b"], [None]), "list of booleans"),
        (([b"a", b"b"], True), "list of booleans"),
        (([b"a", b"b"], b"\1"), "list of booleans"),
        (([b"a", b"b"], np.array([[True]])), "list of booleans"),
        (([b"a", b"b"], np.array([7], np.uint8)), "list of booleans"),
        ([b"a", b"b", [True]], "wanted a list of pictures"),
        (b"ab", "wanted a list of pictures"),
        ((b"ab", [True]), "wanted a list of pictures"),
        (None, "wanted a list of pictures"),
    ],
)
def test_what_is_no_pack_is_told(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(DataSetError, match=r"p\.bin: .*" + message):
        read_bin(pack(tmp_path / "p.bin", value))


def test_lists_that_hold_themselves_are_told(tmp_path: Path) -> None:
    loop: list[Any] = [b"a"]
    loop.append(loop)
    with pytest.raises(DataSetError, match="picture 1 is list"):
        read_bin(pack(tmp_path / "p.bin", (loop, [True])))
    deep = b"]" * 200_000 + b"a" * 199_999 + b"](\x88e\x86."
    with pytest.raises(DataSetError, match="picture 0 is list"):
        read_bin(raw(tmp_path / "p.bin", deep))


U1 = b"cnumpy\ndtype\n(X\x02\0\0\0u1K\0K\1tR"
CODEC = b"c_codecs\nencode\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR"


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\4\x8e" + struct.pack("<Q", 1 << 50) + b"x.",  # BINBYTES8
        b"\x80\4\x8e" + struct.pack("<Q", (1 << 64) - 1) + b"x.",
        b"\x80\5\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # BYTEARRAY8
        b"\x80\4\x8d" + struct.pack("<Q", 1 << 40) + b"x.",  # BINUNICODE8
        b"\x80\2T" + struct.pack("<I", 0xFFFFFFFF) + b"x.",  # BINSTRING
        b"\x80\3B" + struct.pack("<I", 0x7FFFFFFF) + b"x.",  # BINBYTES
        b"\x80\4\x95" + struct.pack("<Q", 1 << 50) + b"N.",  # FRAME
        b"\x80\2]r" + struct.pack("<I", 0xFFFFFFFF) + b"0.",  # LONG_BINPUT
        b"]p99999999999999\n(.",  # PUT
        b"\x8b" + struct.pack("<i", 1 << 30) + b"x.",  # LONG4
        RECONSTRUCT.replace(b"(K\0t", b"(J\xff\xff\xff\x7ft") + b".",  # an array that large
        RECONSTRUCT + b"(K\1(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft" + U1 + b"\x89U\1xtb.",
        b"cnumpy.core.numeric\n_frombuffer\n(B\2\0\0\0xx" + U1 + b"(J\xff\xff\xff\x7ftX\1\0\0\0CtR.",
        RECONSTRUCT + b"(K\1(K\0\x8a\x0a" + b"\xff" * 9 + b"\0t" + U1 + b"\x89U\0tb.",  # (0, 2**72 - 1)
        RECONSTRUCT + b"(K\1(K\2\x8a\x0a" + b"\xff" * 9 + b"\0t" + U1 + b"\x89U\2xxtb.",
        # A text of a megabyte that is made into bytes again and again.
        CODEC + b"q\0X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"q\1X\6\0\0\0latin1q\2"
        b"]" + b"h\0h\1h\2\x86Ra" * 500 + b".",
    ],
    ids=range(16),
)
def test_claimed_lengths_take_no_memory(tmp_path: Path, content: bytes) -> None:
    path = raw(tmp_path / "p.bin", content)
    tracemalloc.start()
    try:
        with pytest.raises(DataSetError):
            read_bin(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(content) + 200_000
    finally:
        tracemalloc.stop()


def test_endless_programs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bin_pickle, "STEP_LIMIT", 1000)
    with pytest.raises(DataSetError, match="more than 1000 instructions"):
        read_bin(raw(tmp_path / "p.bin", b"]" * 2000 + b"."))


@pytest.mark.parametrize("code", [b"(", b"]", b")", b"N", b"J\x7f\x7f\x7f\x7f"])
def test_short_instructions_take_no_memory_without_end(tmp_path: Path, code: bytes) -> None:
    """24 MB of marks or empty lists once took 1.4 GB."""
    path = raw(tmp_path / "p.bin", b"\x80\x02N" + code * (24_000_000 // len(code)) + b".")
    read = (
        "import sys, resource; from pathlib import Path; from multiface.datasets.bin_pack import read_bin\n"
    )
    read += "from multiface.errors import DataSetError\n"
    read += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    read += "try: read_bin(Path(sys.argv[1]))\nexcept DataSetError as error: print(error)\n"
    read += "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    done = subprocess.run([sys.executable, "-c", read, path], capture_output=True, text=True, check=True)
    message, grown = done.stdout.splitlines()
    assert "instructions" in message and int(grown) < 300


def test_mutated_packs_give_packs_or_clear_errors(tmp_path: Path) -> None:
    """700 packs, each with up to six places changed, doubled or cut; with the reference data, also packs of others."""
    chance = random.Random(11)
    golden = ROOT.parent / "shared" / "golden" / "bins"
    contents = [file.read_bytes() for file in (golden / f"{name}.bin" for name in INNOCENT) if file.exists()]
    jpegs = [b"\xff\xd8\xff" + chance.randbytes(1500) for _ in range(4)]
    contents += [pickle.dumps((jpegs, [True, False]), protocol) for protocol in range(2, 6)]
    small = [
        pickle.dumps(value, protocol)
        for protocol in range(2, 6)
        for value in (
            ([b"a", b"bc"], [True]),
            ([np.frombuffer(b"abc", np.uint8)] * 2, [np.True_]),
            ([np.zeros((2, 2, 3), np.uint8)] * 2, np.array([True])),
        )
    ]
    outcomes = {"pack": 0, "error": 0}
    path = tmp_path / "p.bin"
    for number in range(700):
        content = bytearray(chance.choice(small if number % 3 else contents))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(content))
            match chance.randrange(4):
                case 0:
                    content[at] = chance.randrange(256)
                case 1:
                    content[at] = chance.choice(b"()]aetRbcq\x85\x86\x87\x88\x89\x93\x94.hpgSTUBCXIJKM")
                case 2:
                    content[at:at] = content[at : at + chance.randint(1, 9)]
                case 3:
                    del content[at : at + chance.randint(1, 9)]
            content = content or bytearray(b".")
        path.write_bytes(content)
        try:
            found = read_bin(path)
        except DataSetError as error:
            assert str(path) in str(error)
            outcomes["error"] += 1
        else:
            assert isinstance(found, BinPack)
            assert len(found.pictures) == 2 * len(found) > 0
            outcomes["pack"] += 1
    assert min(outcomes.values()) > 30, outcomes


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_clear_error(content: bytes) -> None:
    try:
        bin_pickle.read_pickle(content, "some bytes")
    except DataSetError as error:
        assert str(error).startswith("some bytes: ")


ITEMS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), st.binary(max_size=300), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple)),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(ITEMS, st.integers(3, 5))
def test_plain_values_are_read_as_python_reads_them(value: object, protocol: int) -> None:
    assert bin_pickle.read_pickle(pickle.dumps(value, protocol), "value") == value


@given(st.binary(max_size=50))
def test_strings_of_python_2(content: bytes) -> None:
    """repr of Python 2's str is that of Python 3's bytes without the b."""
    line = b"S" + repr(content)[1:].encode() + b"\n."
    assert bin_pickle.read_pickle(line, "value") == content


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.bin"):
        with pytest.raises(DataSetError, match="cannot be read"):
            read_bin(path)
    with pytest.raises(DataSetError, match="0 are left"):
        read_bin(raw(tmp_path / "p.bin", b""))
    content = pickle.dumps(([b"a", b"b"], [True]), 4)
    read_bin(raw(tmp_path / "p.bin", content), size_limit=len(content))
    with pytest.raises(DataSetError, match="more than the limit"):
        read_bin(tmp_path / "p.bin", size_limit=len(content) - 1)


def test_every_cut_is_told(tmp_path: Path) -> None:
    content = pickle.dumps(([b"aaa", np.zeros((2, 2, 3), np.uint8)], [True]), 4)
    for end in range(len(content)):
        with pytest.raises(DataSetError):
            read_bin(raw(tmp_path / "p.bin", content[:end]))


# Writing.


def test_the_held_out_pack_is_read_and_written_byte_for_byte(shared: Path, tmp_path: Path) -> None:
    path = shared / "data/train/heldout.bin"
    found = read_bin(path)
    assert len(found) == 2000
    assert found.issame.reshape(20, 100)[::2].all()
    assert not found.issame.reshape(20, 100)[1::2].any()
    pictures = [picture for picture in found.pictures if isinstance(picture, bytes)]
    assert len(pictures) == 4000
    assert all(picture[:3] == b"\xff\xd8\xff" for picture in pictures)
    write_bin(tmp_path / "again.bin", pictures, found.issame)
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.binary(min_size=1), st.binary(min_size=1), st.booleans()), min_size=1, max_size=6)
)
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[bytes, bytes, bool]]
) -> None:
    path = tmp_path_factory.mktemp("pack") / "p.bin"
    pictures = [picture for pair in pairs for picture in pair[:2]]
    write_bin(path, pictures, [same for _, _, same in pairs])
    found = read_bin(path)
    assert list(found.pictures) == pictures
    assert found.issame.tolist() == [same for _, _, same in pairs]
    with path.open("rb") as file:
        assert pickle.load(file) == (pictures, [same for _, _, same in pairs])  # noqa: S301 - just written


def test_what_is_no_pack_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "p.bin"
    path.write_bytes(b"old")
    wrong: Any = [b"a", "b"]
    for pictures, issame in (([b"a"], [True]), ([], []), (wrong, [True]), ([b"a", b""], [True])):
        with pytest.raises(DataSetError):
            write_bin(path, pictures, issame)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_while_writing_leaves_the_old_pack(tmp_path: Path) -> None:
    path = tmp_path / "p.bin"
    path.mkdir()  # A file cannot take a folder's place: the last step fails.
    with pytest.raises(IsADirectoryError):
        write_bin(path, [b"a", b"b"], [True])
    assert list(tmp_path.iterdir()) == [path]
