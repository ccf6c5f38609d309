"""Flags and first labels of many records at once, without reading their pictures.

The headers are gathered through a memory map, vectorised; only records in several parts (one in millions) are
read one at a time. The map must not outlive the file: who cuts a file that is being read gets a bus error.
"""

import mmap
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from multiface.arrays import Ints
from multiface.datasets.record_format import HEADER, LENGTH_LIMIT, MAGIC, PART
from multiface.datasets.recordio import RecordFile
from multiface.errors import DataSetError

_BLOCK = 1 << 16
_LABEL, _VECTOR = 3, 8
"""Places of the number and of the vector's first entry, in units of four bytes from the start of a part."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordHeaders:
    """Of n records:

    flags: uint32 (n,), length of the label vector, 0 for a number.
    labels: float32 (n,), the number or the vector's first entry.
    empty: bool (n,), whether there is no payload.
    """

    flags: npt.NDArray[np.uint32]
    labels: npt.NDArray[np.float32]
    empty: npt.NDArray[np.bool_]


def read_headers(file: RecordFile, keys: Ints) -> RecordHeaders:
    """Headers of the records with these int64 (n,) keys.

    Raises DataSetError, naming file, key and offset, where a key is missing or a record is broken.
    """
    try:
        offsets = file.index.offsets_of(keys)
    except KeyError as error:
        raise DataSetError(f"{file.path}: no record has key {error.args[0]}", path=file.path) from None
    headers = RecordHeaders(
        np.empty(len(keys), np.uint32), np.empty(len(keys), np.float32), np.empty(len(keys), np.bool_)
    )
    mapped = mmap.mmap(file.source.descriptor, file.source.size // 4 * 4, access=mmap.ACCESS_READ)
    words = np.frombuffer(mapped, "<u4")
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        _gather(file, words, keys[block], offsets[block], headers, start)
    return headers


def _gather(
    file: RecordFile, words: npt.NDArray[np.uint32], keys: Ints, offsets: Ints, out: RecordHeaders, start: int
) -> None:
    last = len(words) - 1
    at = offsets // 4
    lengths = words[at + 1].astype(np.int64)
    flags = words[np.minimum(at + 2, last)]
    vector_at = np.minimum(at + np.where(flags > 0, _VECTOR, _LABEL), last)
    headed = HEADER.size + 4 * flags.astype(np.int64)
    block = slice(start, start + len(keys))
    out.flags[block] = flags
    out.labels[block] = words[vector_at].view(np.float32)
    out.empty[block] = lengths == headed
    whole = (
        (words[at] == MAGIC)
        & (lengths < LENGTH_LIMIT)
        & (lengths >= headed)
        & (offsets + PART.size + (lengths + 3 & ~3) <= file.source.size)
    )
    # In parts, or broken: the slow way tells which.
    for place in np.flatnonzero(~whole).tolist():
        record = file.source.record(int(offsets[place]), int(keys[place]))
        label = record.label
        out.flags[start + place] = record.flag
        out.labels[start + place] = label[0] if isinstance(label, np.ndarray) else label
        out.empty[start + place] = not record.payload
