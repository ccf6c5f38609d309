"""Reads the lz4-packed array lists of the wheel `mtcnn` without unpickling anything but arrays.

The files were written by joblib: an lz4 frame around a pickle in which each array is a small object (class
name, shape, order, dtype) whose bytes follow the pickle opcodes directly, after one byte that holds the
length of a padding and that padding. Three global names are all such a file needs; each of them is mapped
to something harmless of this file, so that no function of another package can be reached from the stream.
Every other name, dtypes other than plain numbers, and a file that ends early are refused.
Source: joblib's `numpy_pickle` (format as of joblib 0.10 and later), Python's `pickle` ("Restricting
Globals"), the LZ4 frame format.
"""

import io
import math
import pickle
import struct
from typing import Any, Never

import lz4.frame
import numpy as np
import numpy.typing as npt

from building.failure import BuildFailure

Array = npt.NDArray[Any]

SIZE_LIMIT = 64 * 2**20
"""Largest unpacked size in bytes; the largest of the three files has 1.6 MB."""

_NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})


def read_arrays(packed: bytes, name: str, size_limit: int = SIZE_LIMIT) -> list[Array]:
    """The arrays of one file, in file order, C-contiguous and in the machine's byte order.

    packed: the file's bytes: an lz4 frame around a joblib pickle of a list or tuple of arrays of plain
        numbers.
    name: the file's name, for messages.
    size_limit: most bytes that the file may have, packed or unpacked.
    Raises BuildFailure when the bytes are anything else than described.
    """
    return _parse_arrays(_unpack(packed, size_limit, name), name)


def _unpack(packed: bytes, size_limit: int, name: str) -> bytes:
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        plain: bytes = decompressor.decompress(packed, max_length=size_limit + 1)
    except (RuntimeError, EOFError) as error:
        raise BuildFailure(f"weights file {name} is not an intact lz4 frame: {error}") from error
    if max(len(packed), len(plain)) > size_limit:
        raise BuildFailure(f"weights file {name} is larger than the limit of {size_limit} bytes")
    if not decompressor.eof:
        raise BuildFailure(f"weights file {name} is cut off: its lz4 frame does not end")
    if decompressor.unused_data:
        raise BuildFailure(f"weights file {name} has bytes after its lz4 frame")
    return plain


def _parse_arrays(plain: bytes, name: str) -> list[Array]:
    stream = io.BytesIO(plain)
    try:
        value = _ArrayUnpickler(stream).load()
    except BuildFailure as error:
        raise BuildFailure(f"weights file {name}: {error}") from error
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OverflowError,
        MemoryError,
        AssertionError,
        struct.error,
    ) as error:
        raise BuildFailure(
            f"weights file {name} is not an intact list of arrays ({type(error).__name__}: {error})"
        ) from error
    if stream.read(1):
        raise BuildFailure(f"weights file {name} has bytes after its end")
    if not isinstance(value, list | tuple) or not all(isinstance(item, _StoredArray) for item in value):
        raise BuildFailure(f"weights file {name} must hold a list of arrays and nothing else")
    return [item.array() for item in value]


class _ArrayUnpickler(pickle._Unpickler):
    """Admits the three names of a list of arrays, each as something harmless of this file.

    The unpickler in Python, as in joblib: it never reads ahead of the opcode it is at, so that the stream
    stands at an array's bytes when the array's state is set; and it takes no memory for a memo index that
    the file merely names, as the one in C does (64 GB for five bytes).
    """

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._admitted: dict[tuple[str, str], object] = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): type(
                "_ArrayOfThisStream", (_StoredArray,), {"__slots__": (), "stream": stream}
            ),
            ("numpy", "ndarray"): "numpy.ndarray",  # only named, as the arrays' class
            ("numpy", "dtype"): _StoredDtype,
        }

    def find_class(self, module: str, name: str) -> Any:
        admitted = self._admitted.get((module, name))
        if admitted is None:
            raise BuildFailure(f"refused: it asks for {module}.{name}, which no list of arrays needs")
        return admitted

    def persistent_load(self, _: Any) -> Never:
        raise BuildFailure("refused: it refers to an object outside the file")


class _StoredDtype:
    """Stands for numpy.dtype: the two-letter code and the byte order of a plain number."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, _align: object = False, _copy: object = True) -> None:
        if not isinstance(code, str) or code not in _NUMBERS:
            raise BuildFailure(f"refused: dtype {code!r} is not one of {', '.join(sorted(_NUMBERS))}")
        self._code = code
        self._order = "="

    def __setstate__(self, state: Any) -> None:
        order, rest = state[1], state[2:5]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in rest):
            raise BuildFailure("refused: a dtype with fields or an unknown byte order")
        self._order = order

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self._order + self._code)


class _StoredArray:
    """Stands for joblib's NumpyArrayWrapper; takes its array out of the stream when its state is set."""

    __slots__ = ("_array",)
    stream: io.BytesIO

    def __setstate__(self, state: Any) -> None:
        shape, dtype = state["shape"], state["dtype"]
        if not isinstance(dtype, _StoredDtype):
            raise BuildFailure("refused: an array whose dtype is not a plain number")
        if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
            raise BuildFailure(f"refused: an array of shape {shape!r}")
        if state["order"] not in ("C", "F"):
            raise BuildFailure(f"refused: an array in order {state['order']!r}")
        if state.get("numpy_array_alignment_bytes") is not None:
            self._take(self._take(1)[0])
        kind = dtype.numpy()
        data = np.frombuffer(self._take(math.prod(shape) * kind.itemsize), kind)
        array = data.reshape(shape, order=state["order"])
        self._array = np.array(array, dtype=kind.newbyteorder("="), order="C")

    def array(self) -> Array:
        try:
            return self._array
        except AttributeError:
            raise BuildFailure("refused: an array without contents") from None

    def _take(self, count: int) -> bytes:
        """The next `count` bytes; the count is checked first, since it comes from the file."""
        left = len(self.stream.getbuffer()) - self.stream.tell()
        if count > left:
            raise BuildFailure(f"cut off: an array needs {count} bytes and {left} are left")
        return self.stream.read(count)
