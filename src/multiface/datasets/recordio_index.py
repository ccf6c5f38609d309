"""Where each record of a .rec file begins: the .idx file, or a scan of the records where there is none.

A .idx file is text, a line `key TAB offset` for each record, in any order; offsets are bytes from the start
of the .rec file. Two int64 arrays hold it, so 40 million records take 640 MB and no Python objects.

Source: MXNet 1.9.1, `recordio.py` (MXIndexedRecordIO).
"""

import mmap
import re
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from multiface.arrays import Ints
from multiface.datasets.record_format import HEADER, LENGTH_LIMIT, MAGIC, PART, RecordBytes
from multiface.errors import DataSetError
from multiface.regular_file import open_regular
from multiface.visible import log_of

_BLOCK = 4 << 20
_DIGITS_LIMIT = 18
_TAB, _NEWLINE = 9, 10
_HEAD = struct.Struct("<IIIfQ")

_log = log_of(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RecordIndex:
    """keys: int64 (n,), ascending, each once. offsets: int64 (n,), bytes, of the record with that key.

    keys_from: where the keys are from: the .idx file; the records' ids (a scan); or the records' positions in
    the file, counted from 0 (a scan of records whose ids are not all different).
    """

    keys: Ints
    offsets: Ints
    keys_from: Literal["idx", "ids", "positions"]

    def __len__(self) -> int:
        return len(self.keys)

    def offset(self, key: int) -> int:
        """Raises KeyError where there is no such key."""
        # Keys mostly run without a gap; then the place is known without a search.
        place = key - int(self.keys[0])
        if not (0 <= place < len(self.keys) and self.keys[place] == key):
            place = int(np.searchsorted(self.keys, key))
            if place == len(self.keys) or self.keys[place] != key:
                raise KeyError(key)
        return int(self.offsets[place])

    def offsets_of(self, keys: Ints) -> Ints:
        """int64 (k,) offsets of int64 (k,) keys. Raises KeyError with the first that is missing."""
        if keys is self.keys:
            return self.offsets
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        missing = self.keys[places] != keys
        if missing.any():
            raise KeyError(int(keys[missing.argmax()]))
        return self.offsets[places]


def read_index(path: Path, source: RecordBytes) -> RecordIndex:
    """The index in a .idx file, checked against the size of its .rec file.

    Raises DataSetError where the file is missing or empty, a line is not `key TAB offset`, a key stands there
    twice, or an offset lies outside the .rec file.
    """
    try:
        with open_regular(path) as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
            # The last line may lack its newline.
            keys, offsets = np.empty((2, lines + 1), np.int64)
            file.seek(0)
            filled = 0
            rest = b""
            while block := file.read(_BLOCK):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                # Nothing like an index has lines this long.
                if len(rest) > _BLOCK // 4:
                    whole, newline, rest = rest, b"\n", b""
                numbers = _parse(whole + newline, filled, path)
                keys[filled : filled + len(numbers)] = numbers[:, 0]
                offsets[filled : filled + len(numbers)] = numbers[:, 1]
                filled += len(numbers)
            if rest.strip():
                keys[filled], offsets[filled] = _parse(rest + b"\n", filled, path)[0]
                filled += 1
    except OSError as error:
        raise DataSetError(
            f"{path}: the index cannot be read ({error.strerror})",
            path=path,
            hint="check the path, or open the record file without an index",
        ) from error
    if filled == 0:
        raise DataSetError(
            f"{path}: the index is empty", path=path, hint="delete it, and the records are scanned instead"
        )
    keys, offsets = keys[:filled], offsets[:filled]
    outside = (offsets > source.size - PART.size) | (offsets % 4 != 0)
    if outside.any():
        bad = int(outside.argmax())
        raise DataSetError(
            f"{path}: key {keys[bad]} has offset {offsets[bad]}, but records of {source.path} begin at "
            f"multiples of 4 within its {source.size} bytes: the record file is cut off, or the index is not "
            "its own",
            path=path,
        )
    return _sorted(keys, offsets, path, "idx")


def scan_index(source: RecordBytes) -> RecordIndex:
    """The index, made by going from record to record; pictures are not read.

    Keys are the records' ids where these are all different (as the field's packers write them), else the
    records' positions, as MXNet's rec2idx counts them. Raises DataSetError at a broken or cut-off record.
    """
    offsets, ids = array("q"), array("Q")
    size, offset = source.size, 0
    # A map takes a third of the time of a read for each. Who cuts the file meanwhile gets a bus error.
    mapped = mmap.mmap(source.descriptor, size, access=mmap.ACCESS_READ)
    while offset < size:
        fits = offset <= size - _HEAD.size
        magic, word, _, _, id_ = _HEAD.unpack_from(mapped, offset) if fits else (0, 0, 0, 0.0, 0)
        end = offset + PART.size + (word + 3 & ~3)
        if magic != MAGIC or not HEADER.size <= word < LENGTH_LIMIT or end > size:
            # In parts, or broken: the slow way tells which.
            name = f"number {len(offsets)} (from 0)"
            id_ = source.record(offset, name).id
            end = source.body(offset, name)[1]
        offsets.append(offset)
        ids.append(id_)
        offset = end
    starts = np.frombuffer(offsets, np.int64)
    keys = np.frombuffer(ids, np.uint64)
    if keys.max() < 1 << 63 and len(np.unique(keys)) == len(keys):
        return _sorted(keys.astype(np.int64), starts, source.path, "ids")
    _log.warning(
        "%s: the records' ids are not all different; keys are their positions in the file", source.path
    )
    return RecordIndex(np.arange(len(starts), dtype=np.int64), starts, "positions")


def _parse(block: bytes, before: int, path: Path) -> Ints:
    """int64 (k, 2), key and offset of the k lines in a block; `before` is the number of lines before it."""
    data = np.frombuffer(block, np.uint8)
    if _irregular(data):
        # Blank lines, blanks around the numbers and \r\n are harmless.
        block = re.sub(rb"[ \t\r]*\n\s*", b"\n", re.sub(rb"[ \t]+", b"\t", block)).lstrip()
        data = np.frombuffer(block, np.uint8)
        if _irregular(data):
            for number, line in enumerate(block.splitlines(), before + 1):
                if not re.fullmatch(rb"\d{1,18}\t\d{1,18}", line):
                    raise DataSetError(
                        f"{path}: line {number} (blank ones not counted) is {line[:60]!r}, wanted a key, a "
                        "tab and an offset",
                        path=path,
                        hint="fetch the index again, or delete it, and the records are scanned",
                    )
    if not block:
        return np.empty((0, 2), np.int64)
    return np.fromstring(block, np.int64, sep=" ").reshape(-1, 2)


def _irregular(data: npt.NDArray[np.uint8]) -> bool:
    """Whether this is anything but lines of two numbers, of up to 18 digits each, with one tab between."""
    ends = np.flatnonzero((data < 48) | (data > 57))
    lengths = np.diff(ends, prepend=-1) - 1
    return bool(
        len(ends) % 2
        or (data[ends[0::2]] != _TAB).any()
        or (data[ends[1::2]] != _NEWLINE).any()
        or (lengths < 1).any()
        or (lengths > _DIGITS_LIMIT).any()
    )


def _sorted(keys: Ints, offsets: Ints, path: Path, keys_from: Literal["idx", "ids"]) -> RecordIndex:
    if (keys[1:] <= keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        keys, offsets = keys[order], offsets[order]
        twice = keys[1:] == keys[:-1]
        if twice.any():
            bad = int(twice.argmax())
            raise DataSetError(
                f"{path}: key {keys[bad]} stands there {int((keys == keys[bad]).sum())} times, with offsets "
                f"{offsets[bad]} and {offsets[bad + 1]}: the index is damaged",
                path=path,
                hint="delete it, and the records are scanned instead",
            )
    return RecordIndex(keys, offsets, keys_from)
