"""Mean vectors as small integers, with a proven bound on what that costs; and their scan.

A centre c is kept as s q: a scale s and integers q within -127..127. A probe x is taken as t u: integers within
-63..63. Then, exactly,

    x.c = (t u).(s q) + (t u).(c - s q) + (x - t u).c

and by Cauchy and Schwarz the last two terms are at most

    |t u| |c - s q| + |x - t u| |c|.

|c - s q| is kept for each centre, |t u| and |x - t u| are worked out for each probe, and |c| is at most 1. So from the
first term, a product of integers, every similarity is known within a bound of its own, about 0.02 where vectors look
random. Whoever's upper bound lies below the lower bounds of enough others is not looked at again; the rest is scored
from float32. Nothing is approximate in the end.

Rounding: |c - s q| is computed in float32, where a norm of d numbers is off by a share of less than d 2^-23 and s q by
less than 2^-23 |c|; 1e-4 of the value and 1e-6 are added for d up to 800, and in proportion beyond. The product of
integers is exact (at most 127 * 127 d, within 32 bits below d = 133,000); its scaling rounds four times and more
than 24 bits are cut once, a share of less than 3e-7 of a number below 1.1: 1e-6 is added to the bound.

The probe's integers are shifted by 64 to 1..127 for the unsigned operand, and 64 times the sum of q is taken off. Seven
bits there and eight here keep a pair of products within 16 bits (2 * 127 * 127 < 2^15), where processors without VNNI
would saturate; source: ONNX Runtime's documentation of quantization, "data type selection".
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from multiface.arrays import Floats
from multiface.gallery.runs import taken

_MODEL = (
    b'\x08\x08:l\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x01gZ\x15\n\x01a\x12\x10\n\x0e\x08\x02\x12'
    b"\n\n\x03\x12\x01q\n\x03\x12\x01dZ\x1a\n\x01b\x12\x15\n\x13\x08\x03\x12\x0f\n\x03\x12\x01n\n\x03\x12"
    b"\x01d\n\x03\x12\x01tb\x1a\n\x01y\x12\x15\n\x13\x08\x06\x12\x0f\n\x03\x12\x01n\n\x03\x12\x01q\n\x03\x12"
    b"\x01tB\x04\n\x00\x10\n"
)
"""An ONNX model of one node, uint8 (q, d) times int8 (n, d, t) -> int32 (n, q, t); a test makes it with `onnx`."""
_SHIFT = 64
TILE = 1024
"""People whose sums lie in the nearest cache: at 512 numbers 1.7 times as quick as 16,384, measured with AVX2."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Centres as integers.

    integers: int8 (n, d, `TILE`), q of each centre in a column, the tiles side by side; zeros behind the last.
    scale: float32 (p,), s. shift: float32 (p,), 64 times the sum of q. error: float32 (p,), |c - s q| from above.
    """

    integers: npt.NDArray[np.int8]
    scale: Floats
    shift: Floats
    error: Floats

    @staticmethod
    def of(centres: Floats) -> "Codes":
        """The codes of centres: float32 (p, d), each of length 1 or 0."""
        people, dimension = centres.shape
        integers = _tiles(dimension, people)
        scale, shift, error = (np.empty(people, np.float32) for _ in range(3))
        for number, tile in enumerate(integers):  # what is computed stays in the processor's cache
            part = slice(number * TILE, (number + 1) * TILE)
            rows = centres[part]
            scale[part] = np.abs(rows).max(axis=1, initial=0) / np.float32(127)
            scale[part][scale[part] == 0] = 1
            rounded = np.rint(rows / scale[part, None])
            tile[:, : len(rounded)] = rounded.T
            shift[part] = _SHIFT * rounded.sum(axis=1)
            rounded *= scale[part, None]
            np.subtract(rows, rounded, out=rounded)
            error[part] = np.sqrt(np.einsum("pd,pd->p", rounded, rounded))
        error *= np.float32(1 + 1e-4 * max(1.0, dimension / 800))
        error += np.float32(1e-6)
        return Codes(integers, scale, shift, error)

    def part(self, begin: int, end: int) -> "Codes":
        """Those at the positions begin..end - 1."""
        return Codes(
            _tiled(self._columns()[:, begin:end]),
            *(array[begin:end] for array in (self.scale, self.shift, self.error)),
        )

    def taken(self, order: npt.NDArray[np.intp], more: "Codes") -> "Codes":
        """Those at these positions of the two one after the other."""
        return Codes(
            _tiled(taken(self._columns(), more._columns(), order, axis=1)),
            taken(self.scale, more.scale, order),
            taken(self.shift, more.shift, order),
            taken(self.error, more.error, order),
        )

    def _columns(self) -> npt.NDArray[np.int8]:
        """The integers as int8 (d, p)."""
        tiles, dimension, _ = self.integers.shape
        return np.moveaxis(self.integers, 0, 1).reshape(dimension, tiles * TILE)[:, : len(self.scale)]


def _tiles(dimension: int, people: int) -> npt.NDArray[np.int8]:
    # One at least: older versions of ONNX Runtime refuse none.
    return np.zeros((max(1, -(-people // TILE)), dimension, TILE), np.int8)


def _tiled(columns: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """int8 (d, p) as `Codes` has them."""
    dimension, people = columns.shape
    tiles = _tiles(dimension, people)
    for number, tile in enumerate(tiles):
        part = columns[:, number * TILE : (number + 1) * TILE]
        tile[:, : part.shape[1]] = part
    return tiles


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What the integers say of q probes and n people: each similarity lies within middle - radius..middle + radius.

    middle: float32 (q, n). radius: float32 (q, n).
    """

    middle: Floats
    radius: Floats


def bounds(probes: Floats, groups: Iterable[Codes]) -> Iterator[Bounds]:
    """Scan everybody: float32 (q, d) probes of about unit length -> of one group of people after the other, so that
    what is made of it lies in the processor's cache still.
    """
    exact = probes.astype(np.float64)
    largest = np.abs(exact).max(axis=1, initial=0)
    step = np.where(largest > 0, largest, 1.0) / 63
    units = np.rint(exact / step[:, None])
    length = (step * np.linalg.norm(units, axis=1)).astype(np.float32)
    rest = (np.linalg.norm(exact - step[:, None] * units, axis=1) + 1e-6).astype(np.float32)
    operand = (units + _SHIFT).astype(np.uint8)
    factor = step.astype(np.float32)[:, None]
    session = _session()
    for group in groups:
        (products,) = session.run(None, {"a": operand, "b": group.integers})  # (n, q, TILE)
        middle = np.empty((len(probes), len(products), TILE), np.float32)
        middle[...] = products.transpose(1, 0, 2)
        middle = middle.reshape(len(probes), -1)[:, : len(group.scale)]
        middle -= group.shift
        middle *= group.scale
        middle *= factor
        radius = np.multiply.outer(length, group.error)
        radius += rest[:, None]
        yield Bounds(middle, radius)


_making = threading.Lock()


def _session() -> Any:
    with _making:
        return _made_session()


@lru_cache(maxsize=1)
def _made_session() -> Any:
    """ONNX Runtime on one thread, safe to call from several."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(
        _MODEL, options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
