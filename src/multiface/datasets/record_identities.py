"""Which records of a record file are pictures, and of whom.

In the field's training files record 0 is the header of the set: label [n, m], no payload. Pictures have the
keys 1..n-1, and n..m-1 are the identities' headers: label [first, last + 1] (keys of one person's pictures),
no payload. Other files have no such header: then every record with a payload is a picture. A picture's
identity is its label, or the first entry of its label vector.

All these numbers are float32, exact up to 2**24 only: in larger sets what record 0 and the identities'
headers say is rounded, so there the pictures' own labels are read.

Source: insightface `face2rec2.py` and `image_iter.py`.
"""

from dataclasses import dataclass

import numpy as np

from multiface.arrays import Floats, Ints
from multiface.datasets.record_headers import read_headers
from multiface.datasets.recordio import RecordFile
from multiface.errors import DataSetError
from multiface.visible import log_of

_EXACT = 1 << 24

_log = log_of(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RecordIdentities:
    """n pictures of C people.

    keys: int64 (n,), the pictures' keys, ascending.
    labels: int64 (n,), the person in each: a class 0..C-1.
    originals: int64 (C,), ascending: the label that the records give to each class.
    """

    keys: Ints
    labels: Ints
    originals: Ints

    @property
    def unused(self) -> int:
        """How many labels between 0 and the largest no picture has."""
        return int(self.originals[-1]) + 1 - len(self.originals)


def record_identities(file: RecordFile) -> RecordIdentities:
    """The pictures in a record file and their people.

    Identities' headers are used where they are exact and divide all pictures; else every picture's label is
    read. Raises DataSetError where there is no picture, pictures are missing that record 0 tells of, or a
    label is not a whole number from 0 on.
    """
    header = _header(file)
    if header is not None and header[0] < _EXACT:
        keys = _told_pictures(file, header[0])
        labels = _labels_from_headers(file, *header)
        if labels is None:
            labels = _whole(file, keys, read_headers(file, keys).labels)
    else:
        headers = read_headers(file, file.keys)
        keys = file.keys[~headers.empty]
        if len(keys) == 0:
            raise DataSetError(
                f"{file.path}: no record holds a picture: this is not a set of pictures", path=file.path
            )
        # What is left to be wrong is the rounding of float32.
        if header is not None and abs(len(keys) + 1 - header[0]) > np.spacing(np.float32(header[0])):
            raise DataSetError(
                f"{file.path}: record 0 announces about {header[0] - 1} pictures, there are {len(keys)}",
                path=file.path,
                hint="fetch or write the files again",
            )
        labels = _whole(file, keys, headers.labels[~headers.empty])
    return _classes(file, keys, labels)


def _told_pictures(file: RecordFile, first: int) -> Ints:
    """Keys 1..first-1, all of which must be there."""
    low, high = np.searchsorted(file.keys, (1, first))
    keys = file.keys[low:high]
    if len(keys) != first - 1:
        missing = int(np.setdiff1d(np.arange(1, first), keys)[0])
        raise DataSetError(
            f"{file.path}: record 0 announces pictures with keys 1..{first - 1}, {len(keys)} of them are "
            f"there, {missing} is the first that is missing",
            path=file.path,
            hint="fetch or write the files again",
        )
    return keys


def _header(file: RecordFile) -> tuple[int, int] | None:
    """n and m of record 0, or None where it is missing or no header."""
    if file.keys[0] != 0:
        return None
    record = file.read(0)
    if not isinstance(record.label, np.ndarray) or record.flag < 2 or record.payload:
        return None
    first, end = record.label[:2].tolist()
    if not (2 <= first <= end < 1 << 53 and first.is_integer() and end.is_integer()):
        raise DataSetError(
            f"{file.path}: record 0 is the header of the set with label [{first:g}, {end:g}], wanted the "
            "first keys behind the pictures and behind the identities' headers",
            path=file.path,
            hint="write the files again",
        )
    return int(first), int(end)


def _labels_from_headers(file: RecordFile, first: int, end: int) -> Ints | None:
    """int64 (first - 1,) labels of pictures 1..first-1, or None where the identities' headers do not tell."""
    low, high = np.searchsorted(file.keys, (first, end))
    if high == low or high - low != end - first or end > _EXACT:
        return None
    ranges = np.empty((high - low, 2), np.float32)
    for row, key in enumerate(file.keys[low:high].tolist()):
        record = file.read(key)
        if not isinstance(record.label, np.ndarray) or record.flag < 2 or record.payload:
            return None
        ranges[row] = record.label[:2]
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    starts, ends = ranges[:, 0], ranges[:, 1]
    divided = (
        starts[0] == 1 and ends[-1] == first and (starts[1:] == ends[:-1]).all() and (starts < ends).all()
    )
    if not divided or (ranges % 1).any():
        _log.warning("%s: the identities' headers do not divide the pictures; labels are read", file.path)
        return None
    first_keys, end_keys = ranges.astype(np.int64).T
    of_first = read_headers(file, first_keys).labels
    of_last = read_headers(file, end_keys - 1).labels
    if not np.array_equal(of_first, of_last):
        _log.warning("%s: the identities' headers contradict the pictures; labels are read", file.path)
        return None
    return np.repeat(_whole(file, first_keys, of_first), end_keys - first_keys)


def _whole(file: RecordFile, keys: Ints, values: Floats) -> Ints:
    wrong = ~((values >= 0) & (values < 1 << 62) & (np.floor(values) == values))
    if wrong.any():
        place = int(wrong.argmax())
        key = int(keys[place])
        raise DataSetError(
            f"{file.path}: record {key} at byte {file.index.offset(key)} has label {values[place]:g}, wanted "
            "a whole number from 0 on: the file is damaged or not a set of people",
            path=file.path,
        )
    return values.astype(np.int64)


def _classes(file: RecordFile, keys: Ints, labels: Ints) -> RecordIdentities:
    originals, classes = np.unique(labels, return_inverse=True)
    identities = RecordIdentities(keys, classes.astype(np.int64, copy=False), originals)
    if identities.unused:
        _log.warning(
            "%s: %d labels up to %d have no picture; the classes are numbered without them",
            file.path,
            identities.unused,
            originals[-1],
        )
    return identities
