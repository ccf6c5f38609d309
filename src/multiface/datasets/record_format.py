"""The bytes of MXNet's record files (.rec): records, their parts, and reading one from an open file.

A file is a run of parts, each at a multiple of four bytes: uint32 magic 0xced7230a, uint32
`kind << 29 | length`, `length` bytes, zeros up to the next multiple of four (not counted); all little endian.
A part of kind 0 is a whole body; 1, 2 and 3 are the first, a middle and the last part of a body that was cut
at every magic that stood in it at a multiple of four bytes, counted from the start of the body. The magic
itself is left out there and put back by the reader. A body is the header `<IfQQ` (flag, label, id, id2), then
`flag` float32 labels where flag > 0, then the payload (usually a JPEG file).

Source: MXNet 1.9.1, `recordio.py` (pack, unpack) and dmlc-core `recordio.h`.
"""

import os
import struct
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from multiface.arrays import Floats, vector_bytes
from multiface.errors import DataSetError
from multiface.regular_file import regular_descriptor

MAGIC = 0xCED7230A
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
HEADER = struct.Struct("<IfQQ")
PART = struct.Struct("<II")
WHOLE, FIRST, MIDDLE, LAST = range(4)
LENGTH_LIMIT = 1 << 29
"""A part is shorter than this many bytes."""

_FIRST_READ = 16384


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One record.

    label: a number (written with flag 0), or a float32 vector (k,); its first entry is the identity.
    id, id2: 0..2**64 - 1. In training files `id` is the record's key.
    payload: the picture's file as bytes; empty in the headers of a set and of its identities.
    """

    label: float | Floats
    id: int
    id2: int
    payload: bytes = field(repr=False)

    @property
    def flag(self) -> int:
        """Length of the label vector; 0 where the label is a single number."""
        return len(self.label) if isinstance(self.label, np.ndarray) else 0


def to_body(record: Record) -> bytes:
    """The body of a record. A label vector is written as float32; an empty one as the number 0.

    Raises DataSetError where id or id2 is not within 0..2**64 - 1 or the label does not fit a float32.
    """
    vector = b""
    label = 0.0
    if isinstance(record.label, np.ndarray):
        if record.label.ndim != 1:
            raise DataSetError(f"record {record.id}: label has shape {record.label.shape}, wanted (k,)")
        vector = vector_bytes(record.label)
    else:
        label = record.label
    try:
        return HEADER.pack(record.flag, label, record.id, record.id2) + vector + record.payload
    except (struct.error, OverflowError) as error:
        raise DataSetError(
            f"record {record.id}: id and id2 are 0..2**64 - 1, the label a float32 ({error})"
        ) from error


def from_body(body: bytes) -> Record:
    """Inverse of `to_body`. Raises ValueError where the body is shorter than its header says."""
    if len(body) < HEADER.size:
        raise ValueError(f"has {len(body)} bytes, fewer than the {HEADER.size} of a header")
    flag, number, id_, id2 = HEADER.unpack_from(body)
    if flag == 0:
        return Record(number, id_, id2, body[HEADER.size :])
    start = HEADER.size + 4 * flag
    if start > len(body):
        raise ValueError(f"has {len(body)} bytes, fewer than its header and {flag} labels take")
    return Record(np.frombuffer(body, "<f4", flag, HEADER.size).astype(np.float32), id_, id2, body[start:])


def to_parts(body: bytes) -> bytes:
    """A body as it stands in the file: cut at its aligned magics, padded, a multiple of four bytes long.

    Raises DataSetError where the body has 2**29 bytes or more.
    """
    if len(body) >= LENGTH_LIMIT:
        raise DataSetError(f"a record of {len(body)} bytes does not fit the format (2**29 - 1 at most)")
    padding = bytes(-len(body) % 4)
    if MAGIC_BYTES not in body:
        return PART.pack(MAGIC, len(body)) + body + padding
    cuts = 4 * np.flatnonzero(np.frombuffer(body, "<u4", len(body) // 4) == MAGIC)
    pieces: list[bytes] = []
    start = 0
    for cut in cuts.tolist():
        kind = FIRST if start == 0 else MIDDLE
        pieces += [PART.pack(MAGIC, kind << 29 | cut - start), body[start:cut]]
        start = cut + 4
    kind = LAST if start else WHOLE
    pieces += [PART.pack(MAGIC, kind << 29 | len(body) - start), body[start:], padding]
    return b"".join(pieces)


class RecordBytes:
    """An open .rec file, read by position, so threads and forked processes may share it.

    A pickled one opens the file anew where it is unpickled. `size` is in bytes.
    Raises DataSetError where the file is missing, empty or not a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.descriptor = regular_descriptor(path)
        except OSError as error:
            raise DataSetError(
                f"{path}: cannot be opened ({error.strerror})", path=path, hint="check the path"
            ) from error
        self._finalizer = weakref.finalize(self, os.close, self.descriptor)
        self.size = os.fstat(self.descriptor).st_size
        if self.size == 0:
            self.close()
            raise DataSetError(f"{path}: the record file is empty", path=path, hint="fetch or write it again")

    def __reduce__(self) -> tuple[type["RecordBytes"], tuple[Path]]:
        return RecordBytes, (self.path,)

    def close(self) -> None:
        """Closes the file; what is not closed is closed when nothing refers to it any more."""
        self._finalizer()
        # The number may soon stand for another file.
        self.descriptor = -1

    def body(self, offset: int, name: object) -> tuple[bytes, int]:
        """The body of the record at `offset`, put together again, and the offset behind it.

        `name` (the key, mostly) is how errors call the record. Raises DataSetError where no record begins at
        `offset`, or where it is cut off or its parts do not fit together.
        """
        pieces: list[bytes] = []
        wanted = (WHOLE, FIRST)
        start = offset
        while True:
            if not 0 <= start <= self.size - PART.size:
                raise self._cut_off(offset, name, start)
            chunk = os.pread(self.descriptor, _FIRST_READ if start == offset else PART.size, start)
            if len(chunk) < PART.size:
                raise self._cut_off(offset, name, start)
            magic, word = PART.unpack_from(chunk)
            if magic != MAGIC:
                raise self._broken(
                    offset,
                    name,
                    f"wanted the magic {MAGIC:#010x} at byte {start}, found {magic:#010x}: "
                    "the index belongs to another file, or the file is damaged",
                )
            kind, length = word >> 29, word & LENGTH_LIMIT - 1
            if kind not in wanted:
                raise self._broken(
                    offset,
                    name,
                    f"part of kind {kind} at byte {start} where kind {wanted[0]} or {wanted[1]} belongs: "
                    "the index points into a record, or the file is damaged",
                )
            end = start + PART.size + (length + 3 & ~3)
            if end > self.size:
                raise self._cut_off(offset, name, end)
            piece = chunk[PART.size : PART.size + length]
            if len(piece) < length:
                piece += self._read(start + PART.size + len(piece), length - len(piece), offset, name)
            if kind == WHOLE:
                return piece, end
            pieces.append(piece)
            if kind == LAST:
                return MAGIC_BYTES.join(pieces), end
            wanted = (MIDDLE, LAST)
            start = end

    def record(self, offset: int, name: object) -> Record:
        """The record at `offset`; errors as in `body`."""
        body, _ = self.body(offset, name)
        try:
            return from_body(body)
        except ValueError as error:
            raise self._broken(offset, name, f"{error}: the file is damaged") from error

    def _read(self, start: int, length: int, offset: int, name: object) -> bytes:
        data = os.pread(self.descriptor, length, start)
        while len(data) < length:
            more = os.pread(self.descriptor, length - len(data), start + len(data))
            if not more:
                raise self._cut_off(offset, name, start + length)
            data += more
        return data

    def _cut_off(self, offset: int, name: object, end: int) -> DataSetError:
        return self._broken(
            offset,
            name,
            f"reaches to byte {end} or beyond, the file has {self.size} bytes: the file is cut off, or the "
            "index belongs to another; fetch or write both again",
        )

    def _broken(self, offset: int, name: object, what: str) -> DataSetError:
        return DataSetError(f"{self.path}: record {name} at byte {offset}: {what}", path=self.path)
