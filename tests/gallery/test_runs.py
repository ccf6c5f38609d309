"""Rows of two arrays, taken run by run, as NumPy takes them one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multiface.gallery.runs import taken


@given(st.integers(0, 6), st.integers(0, 4), st.data(), st.sampled_from([0, 1]))
def test_like_rows_of_both_one_after_the_other(old: int, new: int, data: st.DataObject, axis: int) -> None:
    """Positions that rise, fall, stand still, and go from one array to the other."""
    last = old + new - 1
    positions = np.array(data.draw(st.lists(st.integers(0, last), max_size=9)) if last >= 0 else [], np.intp)
    both = np.arange(2 * (old + new)).reshape(old + new, 2)
    rows = both[positions]
    first, second = both[:old], both[old:]
    if axis == 1:
        rows, first, second = rows.T, first.T, second.T
    np.testing.assert_array_equal(taken(first, second, positions, axis), rows)
