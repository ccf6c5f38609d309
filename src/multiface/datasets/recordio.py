"""MXNet's indexed record files: a .rec file of records and a .idx file that says where each begins.

Records are found by an integer key. Files written here equal MXNet's byte for byte. Labels are float32.
The layout is described in `record_format.py` and `recordio_index.py`.
"""

import os
import secrets
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from multiface.arrays import Ints
from multiface.atomic_write import sync_folder
from multiface.datasets.record_format import Record, RecordBytes, to_body, to_parts
from multiface.datasets.recordio_index import RecordIndex, read_index, scan_index
from multiface.errors import DataSetError


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A .rec file open for reading, with its index.

    Threads and forked processes may share one; a spawned process gets a pickled one, which opens the file
    anew. A context manager; what is not closed is closed when nothing refers to it any more.
    """

    source: RecordBytes
    index: RecordIndex

    @staticmethod
    def open(rec: Path, idx: Path | None = None) -> "RecordFile":
        """Opens a .rec file with its .idx file, or, where `idx` is None, with an index made by a scan.

        Raises DataSetError as `RecordBytes`, `read_index` and `scan_index` do.
        """
        source = RecordBytes(rec)
        try:
            return RecordFile(source, scan_index(source) if idx is None else read_index(idx, source))
        except BaseException:
            source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """(key, record) of all indexed records in the order in which they stand in the file."""
        for place in np.argsort(self.index.offsets, kind="stable"):
            key = int(self.index.keys[place])
            yield key, self.source.record(int(self.index.offsets[place]), key)

    @property
    def path(self) -> Path:
        """The .rec file."""
        return self.source.path

    @property
    def keys(self) -> Ints:
        """int64 (n,), ascending."""
        return self.index.keys

    def read(self, key: int) -> Record:
        """The record with this key. Raises DataSetError where there is none or it is broken."""
        try:
            offset = self.index.offset(key)
        except KeyError:
            raise DataSetError(
                f"{self.path}: no record has key {key}; there are {len(self)}, "
                f"with keys from {self.keys[0]} to {self.keys[-1]}",
                path=self.path,
            ) from None
        return self.source.record(offset, key)

    def close(self) -> None:
        """Closes the file; it cannot be read any more."""
        self.source.close()


class RecordWriter:
    """Writes a .rec and its .idx file. A context manager.

    Both are written beside their final names and renamed when the block ends without an error; otherwise
    nothing is left and files of these names stay as they were.
    """

    def __init__(self, rec: Path, idx: Path) -> None:
        self._rec, self._idx = rec, idx
        ending = f".{secrets.token_hex(4)}.part"
        self._rec_part, self._idx_part = rec.with_name(rec.name + ending), idx.with_name(idx.name + ending)
        self._keys = array("q")
        self._offset = 0
        self._rec_file = self._rec_part.open("xb")
        try:
            self._idx_file = self._idx_part.open("xb")
        except BaseException:
            self._abandon()
            raise

    def write(self, key: int, record: Record) -> None:
        """Adds a record. Keys are 0 or more, in any order, each once (checked at the end)."""
        if not 0 <= key < 1 << 63:
            raise DataSetError(f"{self._rec}: key {key} is not within 0..2**63 - 1", path=self._rec)
        parts = to_parts(to_body(record))
        self._rec_file.write(parts)
        self._idx_file.write(b"%d\t%d\n" % (key, self._offset))
        self._keys.append(key)
        self._offset += len(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._check_keys()
            for file in (self._rec_file, self._idx_file):
                file.flush()
                os.fsync(file.fileno())
                file.close()
            # An old index must never stand beside new records: without one, they are scanned.
            self._idx.unlink(missing_ok=True)
            self._rec_part.replace(self._rec)
            self._idx_part.replace(self._idx)
            sync_folder(self._rec.parent)
            sync_folder(self._idx.parent)
        except BaseException:
            self._abandon()
            raise

    def _check_keys(self) -> None:
        if not self._keys:
            raise DataSetError(
                f"{self._rec}: no record was written, so there is no file either", path=self._rec
            )
        keys = np.sort(np.frombuffer(self._keys, np.int64))
        twice = keys[1:] == keys[:-1]
        if twice.any():
            raise DataSetError(
                f"{self._rec}: key {keys[:-1][twice][0]} was written twice; each record needs its own",
                path=self._rec,
            )

    def _abandon(self) -> None:
        self._rec_file.close()
        self._rec_part.unlink(missing_ok=True)
        if hasattr(self, "_idx_file"):
            self._idx_file.close()
        self._idx_part.unlink(missing_ok=True)
