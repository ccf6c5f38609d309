"""The restricted reader against joblib, and against files that want more than arrays."""

import contextlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import lz4.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from building import sources
from building.failure import BuildFailure
from building.mtcnn_arrays import read_arrays


def packed_by_joblib(value: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return lz4.frame.compress(file.getvalue())


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_the_wheels_files_as_joblib_reads_them(name: str) -> None:
    packed = sources.from_wheel(getattr(sources, name.upper()))
    wanted = joblib.load(io.BytesIO(packed))
    found = read_arrays(packed, name)
    assert len(found) == len(wanted) > 10
    for array, other in zip(found, wanted, strict=True):
        assert array.dtype == other.dtype and array.flags.c_contiguous
        np.testing.assert_array_equal(array, other)


numbers = st.one_of(
    nps.floating_dtypes(sizes=(16, 32, 64)),
    nps.integer_dtypes(),
    nps.unsigned_integer_dtypes(),
    nps.boolean_dtypes(),
)
arrays = nps.arrays(numbers, nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


@settings(max_examples=60)
@given(st.lists(st.tuples(arrays, st.booleans()), max_size=4))
def test_whatever_arrays_joblib_writes(drawn: list[tuple[np.ndarray[Any, Any], bool]]) -> None:
    values = [np.asfortranarray(array) if fortran else array for array, fortran in drawn]
    found = read_arrays(packed_by_joblib(values), "drawn")
    assert len(found) == len(values)
    for array, value in zip(found, values, strict=True):
        assert array.shape == value.shape and array.dtype == value.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, value)


class MakesAFolder:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


class AsksTheEnvironment:
    def __reduce__(self) -> Any:
        return os.getenv, ("HOME",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("nested", [False, True])
def test_calls_are_refused_and_not_made(tmp_path: Path, protocol: int, nested: bool) -> None:
    folder = tmp_path / "made"
    for evil in (MakesAFolder(folder), AsksTheEnvironment()):
        plain = pickle.dumps([[{"shape": evil}]] if nested else evil, protocol)
        if protocol >= 4:
            assert b"\x93" in plain  # STACK_GLOBAL
        with pytest.raises(BuildFailure, match=r"refused: it asks for \w+\.(mkdir|getenv)"):
            read_arrays(lz4.frame.compress(plain), "evil")
    assert not folder.exists()
    pickle.loads(pickle.dumps(MakesAFolder(folder), protocol))  # noqa: S301 (the trap works)
    assert folder.exists()


def test_a_call_between_arrays_is_refused(tmp_path: Path) -> None:
    value = [np.zeros(3, np.float32), MakesAFolder(tmp_path / "made"), np.zeros(3, np.float32)]
    with pytest.raises(BuildFailure, match="mkdir"):
        read_arrays(packed_by_joblib(value), "evil")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "plain",
    [
        b"cnumpy\nload\n.",
        b"cnumpy._core.multiarray\n_reconstruct\n.",
        b"cnumpy\nndarray.tofile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper.read\n.",
        b"cjoblib.numpy_pickle\nload\n.",
        b"cbuiltins\neval\n.",
        b"Vsomewhere\nPsomething\n.",
    ],
)
def test_other_names_are_refused(plain: bytes) -> None:
    with pytest.raises(BuildFailure, match="refused"):
        read_arrays(lz4.frame.compress(plain), "evil")


@pytest.mark.parametrize(
    "value",
    [
        [np.array([{}, 1], object)],
        [np.zeros(2, [("a", "f4"), ("b", "i4")])],
        [np.array(["text"])],
        [np.zeros(2, "M8[s]")],
        [np.zeros(2, "c8")],
    ],
)
def test_arrays_of_other_things_than_numbers_are_refused(value: Any) -> None:
    with pytest.raises(BuildFailure):
        read_arrays(packed_by_joblib(value), "odd")


@pytest.mark.parametrize(
    "value", [None, 3, "text", {"a": np.zeros(2)}, np.zeros(2), [np.zeros(2), 3], [[np.zeros(2)]]]
)
def test_other_structures_are_refused(value: Any) -> None:
    with pytest.raises(BuildFailure, match="list of arrays"):
        read_arrays(packed_by_joblib(value), "odd")


def test_classes_instead_of_arrays_are_refused() -> None:
    wrapper = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
    for plain in (b"](" + wrapper + b"e.", b"](" + wrapper + b")Re.", b"](cnumpy\ndtype\n(Vf4\ntRe."):
        with pytest.raises(BuildFailure):
            read_arrays(lz4.frame.compress(plain), "odd")


def test_an_array_larger_than_its_file_is_refused_before_memory_is_taken() -> None:
    plain = joblib_bytes([np.zeros((3, 5), np.float32)])
    shape = b"K\x03K\x05\x86"
    assert plain.count(shape) == 1
    huge = plain.replace(shape, b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    # protocol 4 frames state their length: the stream without frames is read the same way
    huge = huge[:2] + huge[11:] if huge[2:3] == b"\x95" else huge
    with pytest.raises(BuildFailure, match="cut off"):
        read_arrays(lz4.frame.compress(huge), "huge")


def test_a_huge_memo_index_takes_no_memory() -> None:
    with pytest.raises(BuildFailure, match="list of arrays"):
        read_arrays(lz4.frame.compress(b"Nr\xff\xff\xff\xff."), "huge")


def joblib_bytes(value: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def test_cut_files_are_refused() -> None:
    plain = joblib_bytes([np.arange(12, dtype=np.float32), np.ones((2, 2))])
    packed = lz4.frame.compress(plain)
    assert len(read_arrays(packed, "whole")) == 2
    for length in range(len(plain)):
        with pytest.raises(BuildFailure):
            read_arrays(lz4.frame.compress(plain[:length]), "cut inside")
    for length in range(len(packed)):
        with pytest.raises(BuildFailure):
            read_arrays(packed[:length], "cut outside")
    for more in (lz4.frame.compress(plain + b"."), packed + b"."):
        with pytest.raises(BuildFailure, match="bytes after"):
            read_arrays(more, "longer")


def test_the_size_limit_holds_for_packed_and_unpacked() -> None:
    bomb = lz4.frame.compress(bytes(10_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(BuildFailure, match="limit of 100000 bytes"):
        read_arrays(bomb, "bomb", size_limit=100_000)
    noise = lz4.frame.compress(os.urandom(200_000))
    with pytest.raises(BuildFailure, match="limit of 100000 bytes"):
        read_arrays(noise, "noise", size_limit=100_000)


@settings(max_examples=300)
@given(st.data())
def test_spoilt_files_raise_nothing_else(data: st.DataObject) -> None:
    plain = bytearray(joblib_bytes([np.arange(4, dtype=np.float32), np.ones((2, 2))]))
    for _ in range(data.draw(st.integers(1, 3))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BuildFailure):
        read_arrays(lz4.frame.compress(bytes(plain)), "spoilt")
