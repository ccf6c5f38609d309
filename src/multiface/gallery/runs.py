"""Taking most rows of one array and a few of another, run by run rather than row by row."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = TypeVar("Array", bound=npt.NDArray[Any])


def taken(old: Array, new: Array, positions: npt.NDArray[np.intp], axis: int = 0) -> Array:
    """Those at these positions of the two arrays one after the other, along an axis, in a new array."""
    count = old.shape[axis]
    fresh = positions >= count
    shape = list(old.shape)
    shape[axis] = len(positions)
    result = np.empty(shape, old.dtype)
    source, other, target = (np.moveaxis(array, axis, 0) for array in (old, new, result))
    if not len(positions):
        return result  # type: ignore[return-value]
    breaks = np.flatnonzero((np.diff(positions) != 1) | (fresh[1:] != fresh[:-1])) + 1
    for begin, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(positions)], strict=True):
        first = int(positions[begin])
        if fresh[begin]:
            target[begin:end] = other[first - count : first - count + end - begin]
        else:
            target[begin:end] = source[first : first + end - begin]
    return result  # type: ignore[return-value]
